// A pod on a node, both throwaway namespaces, and networks between them made by Debian's CNI
// plugins: the ground that ours stand on.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addresses, ip, links, writeSysctls } from "./ip.ts";
import { createNamespaces, type Namespace } from "./namespaces.ts";
import { type Call, callSuccessfully, debianPlugins, type Result } from "./plugin.ts";
import type { Scope } from "./scope.ts";

/** How a network reaches the pod. */
export interface NetworkOptions {
  /**
   * `bridge`, `ptp`, `macvlan`: Debian's plugin of that name with `host-local`. ptp takes the
   * kernel's prefix routes away and puts its own in their place.
   * `veth`: no plugin, a pair with exactly the `addresses` and `routes` given.
   */
  readonly kind: "bridge" | "ptp" | "macvlan" | "veth";
  /** The pod link; `eth0` unless told. */
  readonly ifname?: string;
  /** Of the plugins' networks; `ipv4` unless told. */
  readonly families?: "ipv4" | "ipv6" | "dual";
  readonly mtu?: number;
  /**
   * The pod link's, where the kind lets one choose: `veth`, and `bridge` and `macvlan` by CNI_ARGS.
   */
  readonly mac?: string;
  /** `veth` only: `ip address add` takes each, such as `10.0.0.2/32`. */
  readonly addresses?: readonly string[];
  /** `veth` only: `ip route add` takes each, such as `default via 10.0.0.1 onlink`. */
  readonly routes?: readonly string[];
}

/** A network that the pod is on. */
export interface Network {
  /** The network's name, of which KubeVirt makes link names. */
  readonly name: string;
  readonly ifname: string;
  /** The pod link's. */
  readonly mac: string;
  /** The pod link's, without link-local ones, such as `10.1.0.2/24`. */
  readonly addresses: readonly string[];
  /** Who answers on the node's side, one for each family. */
  readonly gateways: readonly string[];
  /** The plugin's result, which a chained plugin gets as prevResult; undefined for `veth`. */
  readonly result?: Result;
  /**
   * The configuration and the call that made it, for another ADD, CHECK or DEL; undefined for
   * `veth`.
   */
  readonly netconf?: object & { readonly type: string };
  readonly call: Call;
  /**
   * The network's own DEL, as a runtime calls it after ours; for `veth`, the pair is removed.
   * Throws where it fails.
   */
  detach(): Promise<void>;
}

export interface PodOptions {
  /**
   * Whether duplicate address detection runs, which takes IPv6 two seconds at each link; off unless
   * told.
   */
  readonly duplicateAddressDetection?: boolean;
}

export interface Pod {
  readonly containerId: string;
  /** The pod's own. */
  readonly namespace: Namespace;
  /** The node's, where its plugins run: the machine's own is never touched. */
  readonly node: Namespace;
  /**
   * Puts the pod on a network. Address ranges: 10.<n>.0.0/24 and fd00:<n>::/64, n from 1 in the
   * order of attachment.
   */
  attach(options: NetworkOptions): Promise<Network>;
  /** What our plugins are called with for that pod: container ID, CNI_NETNS, CNI_IFNAME, node. */
  call(ifname: string): Call;
}

/** Makes a pod that is on no network yet; gone when `scope` ends. */
export async function createPod(scope: Scope, options: PodOptions = {}): Promise<Pod> {
  const [pod] = await createPods(scope, 1, options);
  return pod!;
}

/** Makes many, each on a node of its own. */
export async function createPods(scope: Scope, length: number, options: PodOptions = {}): Promise<Pod[]> {
  const state = await mkdtemp(join(tmpdir(), "pod-"));
  scope.teardown(() => rm(state, { recursive: true, force: true }));
  const namespaces = await createNamespaces(scope, 2 * length);
  return await Promise.all(
    Array.from({ length }, async (_, index) => {
      const [namespace, node] = [namespaces[2 * index]!, namespaces[2 * index + 1]!];
      await Promise.all([prepare(namespace, options), prepare(node, options)]);
      return pod(namespace, node, join(state, `${index}`));
    }),
  );
}

async function prepare(namespace: Namespace, { duplicateAddressDetection = false }: PodOptions): Promise<void> {
  await ip(namespace, "link set lo up");
  if (!duplicateAddressDetection) await writeSysctls(namespace, { "net/ipv6/conf/default/accept_dad": "0" });
}

function pod(namespace: Namespace, node: Namespace, state: string): Pod {
  const containerId = `container-${namespace.name}`;
  const call = (ifname: string): Call => ({ containerId, netns: namespace.path, ifname, node });
  let count = 0;
  return {
    containerId,
    namespace,
    node,
    call,
    attach: async (options) => {
      count += 1;
      const place = { namespace, node, number: count, state };
      return options.kind === "veth"
        ? await attachPair(place, options, call)
        : await attachPlugin(place, options, call);
    },
  };
}

/** Where a network goes, and which one it is. */
interface Place {
  readonly namespace: Namespace;
  readonly node: Namespace;
  readonly number: number;
  readonly state: string;
}

async function attachPlugin(
  place: Place,
  options: NetworkOptions,
  calling: (ifname: string) => Call,
): Promise<Network> {
  const { ifname = "eth0", kind, mac } = options;
  const netconf = configuration(place, options);
  if (kind === "macvlan") await makeUplink(place, options);
  const call = { ...calling(ifname), ...(mac !== undefined && { args: `IgnoreUnknown=1;MAC=${mac}` }) };
  const plugin = `${debianPlugins}/${kind}`;
  const { result } = await callSuccessfully(plugin, "ADD", call, netconf);
  return {
    ...(await describe(place, netconf.name, ifname)),
    gateways: ranges(place, options).map(({ gateway }) => gateway),
    netconf,
    call,
    ...(result && { result }),
    detach: async () => {
      await callSuccessfully(plugin, "DEL", call, { ...netconf, prevResult: result });
      if (kind === "macvlan") await ip(place.node, `link del uplink${place.number}`);
    },
  };
}

async function attachPair(place: Place, options: NetworkOptions, calling: (ifname: string) => Call): Promise<Network> {
  const { ifname = "eth0", mac, mtu } = options;
  const { namespace, node, number } = place;
  const peer = `veth${number}`;
  const settings = [mac && `address ${mac}`, mtu && `mtu ${mtu}`].filter(Boolean).join(" ");
  await ip(
    node,
    `link add ${peer} type veth peer name ${ifname} ${settings} netns ${namespace.name}`,
    `link set ${peer} up`,
  );
  if (mtu !== undefined) await ip(node, `link set ${peer} mtu ${mtu}`);
  const assigned = (options.addresses ?? []).map((address) => `address add ${address} dev ${ifname}`);
  const routed = (options.routes ?? []).map((route) => `route add ${route} dev ${ifname}`);
  await ip(namespace, ...assigned, `link set ${ifname} up`, ...routed);
  return {
    ...(await describe(place, `net${number}`, ifname)),
    gateways: [],
    call: calling(ifname),
    detach: () => ip(node, `link del ${peer}`),
  };
}

async function describe(
  { namespace }: Place,
  name: string,
  ifname: string,
): Promise<Pick<Network, "name" | "ifname" | "mac" | "addresses">> {
  const link = (await links(namespace)).get(ifname);
  if (!link) throw new Error(`${ifname}: not there after its network's ADD`);
  const assigned = await addresses(namespace, ifname);
  return { name, ifname, mac: link.address, addresses: assigned.filter((address) => !address.startsWith("fe80:")) };
}

/** A network's configuration, as a NetworkAttachmentDefinition would have it. */
function configuration(
  place: Place,
  options: NetworkOptions,
): { name: string; type: string } & Record<string, unknown> {
  const { kind, mtu } = options;
  const { number, state } = place;
  const subnets = ranges(place, options);
  // The first network is the pod's default one; the plugins add a gateway's route only where asked
  // for one.
  const routes = number === 1 ? subnets.map(({ any, gateway }) => ({ dst: any, gw: gateway })) : [];
  const own = {
    bridge: { bridge: `cni${number}`, isGateway: true },
    ptp: {},
    macvlan: { master: `uplink${number}`, mode: "bridge" },
    veth: {},
  };
  return {
    cniVersion: "1.0.0",
    name: `net${number}`,
    type: kind,
    ...own[kind],
    ...(mtu !== undefined && { mtu }),
    ipam: {
      type: "host-local",
      dataDir: state,
      ranges: subnets.map(({ subnet, gateway }) => [{ subnet, gateway }]),
      routes,
    },
  };
}

function ranges(
  { number }: Place,
  { families = "ipv4" }: NetworkOptions,
): { subnet: string; gateway: string; any: string }[] {
  const four = { subnet: `10.${number}.0.0/24`, gateway: `10.${number}.0.1`, any: "0.0.0.0/0" };
  const six = { subnet: `fd00:${number}::/64`, gateway: `fd00:${number}::1`, any: "::/0" };
  return { ipv4: [four], ipv6: [six], dual: [four, six] }[families];
}

/** What a macvlan stands on: one end of a pair, at whose other end the gateway is. */
async function makeUplink(place: Place, options: NetworkOptions): Promise<void> {
  const { node, number } = place;
  const assigned = ranges(place, options).map(
    ({ subnet, gateway }) => `address add ${gateway}/${subnet.split("/")[1]} dev outside${number}`,
  );
  await ip(
    node,
    `link add uplink${number} type veth peer name outside${number}`,
    ...assigned,
    `link set uplink${number} up`,
    `link set outside${number} up`,
  );
}

/**
 * Gives a pod a link eth0 with a bit of everything that bridge-binding has to take away and to give
 * back.
 */
export async function furnish(pod: Pod): Promise<void> {
  await pod.attach({ kind: "ptp", families: "dual" });
  await ip(
    pod.namespace,
    "neigh add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0",
    "neigh add fd00:1::77 lladdr 02:00:00:00:00:77 dev eth0",
    "address add 10.1.0.9/24 dev eth0 label eth0:x",
    "route add 10.7.0.0/16 via 10.1.0.1 dev eth0 table 100",
  );
}

// Creates pods on nodes, with networks between them.
//
// Pods and nodes are network namespaces that exist for one test. Debian's CNI plugins create the
// networks, before our plugins are called.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addresses, ip, links, writeSysctls } from "./ip.ts";
import { createNamespaces, type Namespace } from "./namespaces.ts";
import { type Call, callSuccessfully, debianPlugins, type Result } from "./plugin.ts";
import type { Scope } from "./scope.ts";

/** How a network is attached to the pod. */
export interface NetworkOptions {
  /**
   * How the pod link is created.
   *
   * - `bridge`, `ptp`, `macvlan`: Debian's plugin of that name with `host-local`. ptp replaces the
   *   kernel's prefix routes by its own.
   * - `veth`: no plugin, but a veth pair with exactly the given `addresses` and `routes`.
   */
  readonly kind: "bridge" | "ptp" | "macvlan" | "veth";
  /** The pod link's name. Default: `eth0`. */
  readonly ifname?: string;
  /** For the kinds with a plugin. Default: `ipv4`. */
  readonly families?: "ipv4" | "ipv6" | "dual";
  readonly mtu?: number;
  /**
   * The pod link's MAC address, for `veth`, `bridge` and `macvlan`. The plugins get it in CNI_ARGS.
   */
  readonly mac?: string;
  /** `veth` only: arguments of `ip address add`, such as `10.0.0.2/32`. */
  readonly addresses?: readonly string[];
  /** `veth` only: arguments of `ip route add`, such as `default via 10.0.0.1 onlink`. */
  readonly routes?: readonly string[];
}

/** A network to which the pod is attached. */
export interface Network {
  /** The network's name, from which KubeVirt derives link names. */
  readonly name: string;
  readonly ifname: string;
  /** The pod link's MAC address. */
  readonly mac: string;
  /** The pod link's addresses without link-local ones, such as `10.1.0.2/24`. */
  readonly addresses: readonly string[];
  /** The node's addresses in this network, one per family. */
  readonly gateways: readonly string[];
  /** The plugin's result, which a chained plugin gets as prevResult. Undefined for `veth`. */
  readonly result?: Result;
  /**
   * The netconf of the plugin's ADD, to repeat it or to call CHECK or DEL. Undefined for `veth`.
   */
  readonly netconf?: object & { readonly type: string };
  readonly call: Call;
  /**
   * Calls DEL of the network's plugin, which a runtime does after our DEL. For `veth`, deletes the
   * pair. Rejects if that fails.
   */
  detach(): Promise<void>;
}

export interface PodOptions {
  /**
   * Whether duplicate address detection runs, which delays IPv6 by two seconds on each link.
   * Default: false.
   */
  readonly duplicateAddressDetection?: boolean;
}

export interface Pod {
  readonly containerId: string;
  /** The pod's network namespace. */
  readonly namespace: Namespace;
  /**
   * The node's network namespace, in which the plugins run. The machine's own namespace is never
   * changed.
   */
  readonly node: Namespace;
  /** The directory of the leases of its networks. */
  readonly leases: string;
  /**
   * Attaches the pod to a network.
   *
   * The address ranges are 10.<n>.0.0/24 and fd00:<n>::/64. n counts the attachments from 1.
   */
  attach(options: NetworkOptions): Promise<Network>;
  /** The call of our plugins for this pod: container ID, CNI_NETNS, CNI_IFNAME, node. */
  call(ifname: string): Call;
}

/** Creates a pod without a network. It is removed when `scope` ends. */
export async function createPod(scope: Scope, options: PodOptions = {}): Promise<Pod> {
  const [pod] = await createPods(scope, 1, options);
  return pod!;
}

/** Creates `length` pods, each on its own node. */
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
    leases: state,
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

/** Where a network is attached, and its number. */
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

/** Returns the netconf of a network, as it would be in a NetworkAttachmentDefinition. */
function configuration(
  place: Place,
  options: NetworkOptions,
): { name: string; type: string } & Record<string, unknown> {
  const { kind, mtu } = options;
  const { number, state } = place;
  const subnets = ranges(place, options);
  // The first network is the pod's default network. The plugins add a default route only if the
  // netconf lists it.
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

/**
 * Creates the parent link for a macvlan: a veth pair with the gateway's addresses at its other end.
 */
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
 * Gives a pod a link eth0 with every kind of state that bridge-binding removes at ADD and restores
 * at DEL.
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

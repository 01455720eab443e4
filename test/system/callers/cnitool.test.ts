// Tests our plugins in lists that cnitool calls, behind `bridge`, with every verb of libcni.
import { readdir } from "node:fs/promises";
import t, { type Test } from "tap";
import { blockedDataDir, type Netconf, newDataDir, recordsIn } from "../../harness/attachment.ts";
import { type Cnitool, cnitoolFor, type NetworkList } from "../../harness/cnitool.ts";
import { ip, links, writeSysctls } from "../../harness/ip.ts";
import { missingPeers, peers } from "../../harness/multus.ts";
import { debianPlugins, dist } from "../../harness/plugin.ts";
import { createPod, type Pod } from "../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../harness/snapshot.ts";

const skip = missingPeers("cnitool", "bridge", "host-device", "host-local", "tuning");
const done = { status: 0, stderr: "" };
const portStart = "net/ipv4/ip_unprivileged_port_start";
const mac = "02:00:00:00:77:01";

/** The versions of lists, and the `bridge` that supports each. */
const kinds = [
  { cniVersion: "1.0.0", of: "Debian's", directory: debianPlugins },
  { cniVersion: "1.1.0", of: "upstream's", directory: peers },
] as const;
type Kind = (typeof kinds)[number];

const bridge: Netconf = {
  type: "bridge",
  bridge: "cni0",
  isGateway: true,
  ipam: {
    type: "host-local",
    ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd00:1::/64" }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  },
};

interface Chain {
  readonly pod: Pod;
  readonly cnitool: Cnitool;
  readonly dataDir: string;
  /** The addresses that host-local has assigned. */
  leases(): Promise<string[]>;
}

interface ChainOptions {
  readonly kind?: Kind;
  readonly first?: Netconf;
  /** Fields of our plugin's netconf, in addition to its type. */
  readonly ours?: Netconf;
  readonly after?: readonly Netconf[];
  readonly list?: Partial<NetworkList>;
}

/** Creates a pod, and a list of `bridge` and one of our plugins for it. */
async function chainOf(t: Test, type: string, options: ChainOptions = {}): Promise<Chain> {
  const { kind = kinds[1], first = bridge, ours = {}, after = [], list } = options;
  const pod = await createPod(t);
  const dataDir = await newDataDir(t, type);
  const plugins = [first, { type, dataDir, ...ours }, ...after];
  const executables = ["bridge", "host-device", "host-local", "tuning"].map((name) => `${kind.directory}/${name}`);
  const network = { cniVersion: kind.cniVersion, name: "listed", plugins, ...list };
  const cnitool = cnitoolFor(t, pod, network, [`${dist}/${type}`, ...executables]);
  const leases = async (): Promise<string[]> =>
    (await readdir(`${cnitool.state}/cni/networks/listed`)).filter((name) => /^(10\.|fd00)/.test(name));
  return { pod, cnitool, dataDir, leases };
}

/**
 * libcni calls our CHECK only if the first plugin's CHECK succeeds. `bridge` fails because of
 * bridge-binding's placeholder.
 */
const lists: readonly { type: string; disableCheck: boolean; links: readonly string[] }[] = [
  { type: "passt-binding", disableCheck: false, links: ["eth0", "lo"] },
  { type: "bridge-binding", disableCheck: true, links: ["eth0", "eth0-nic", "k6t-eth0", "lo", "tap0"] },
];

for (const kind of kinds)
  for (const { type, disableCheck, links: expected } of lists)
    t.test(
      `${type} behind ${kind.of} bridge ${kind.cniVersion} succeeds with every verb, and DEL twice restores the pod`,
      { skip },
      async (t) => {
        const { pod, cnitool, dataDir, leases } = await chainOf(t, type, { kind, list: { disableCheck } });
        const before = await snapshot(pod.namespace);
        const newer = kind.cniVersion === "1.1.0";
        t.match(await cnitool.run("status"), done);
        const { status, result } = await cnitool.run("add");
        t.equal(status, 0);
        t.match(result, {
          cniVersion: kind.cniVersion,
          ips: [{ address: "10.1.0.2/24" }, { address: "fd00:1::2/64" }],
        });
        t.match(result!.interfaces![2], { name: "eth0", sandbox: pod.namespace.path });
        t.same([...(await links(pod.namespace)).keys()].sort(), expected);
        t.match(await cnitool.run("check"), done);
        for (const time of ["once", "twice"]) {
          t.match(await cnitool.run("del"), done, time);
          t.same(await settledDifferences(pod.namespace, before), [], time);
        }
        t.same([await leases(), await recordsIn(dataDir)], [[], []], "host-local and ours forget");
        t.match(await cnitool.run("gc"), done);
        t.same(cnitool.order("host-local"), [
          ...(newer ? ["STATUS bridge", `STATUS ${type}`] : []),
          ...["ADD bridge eth0", `ADD ${type} eth0`],
          ...(disableCheck ? [] : ["CHECK bridge eth0", `CHECK ${type} eth0`]),
          ...[`DEL ${type} eth0`, "DEL bridge eth0", `DEL ${type} eth0`, "DEL bridge eth0"],
          ...(newer ? ["GC bridge", `GC ${type}`] : []),
        ]);
      },
    );

t.test("bridge's CHECK fails because of the placeholder, and libcni does not call ours", { skip }, async (t) => {
  const { cnitool } = await chainOf(t, "bridge-binding");
  await cnitool.run("add");
  t.match(await cnitool.run("check"), { status: 1, stderr: /Container interface eth0 not of type veth/ });
  t.same(cnitool.order("host-local").slice(2), ["CHECK bridge eth0"]);
});

t.test("CHECK reports what was changed after ADD", { skip }, async (t) => {
  const passt = await chainOf(t, "passt-binding");
  await passt.cnitool.run("add");
  await writeSysctls(passt.pod.namespace, { [portStart]: "1024" });
  t.match(await passt.cnitool.run("check"), {
    status: 1,
    stderr: /net\.ipv4\.ip_unprivileged_port_start: is 1024, not 0/,
  });

  const { pod, cnitool } = await chainOf(t, "bridge-binding", { first: { type: "host-device", device: "nic7" } });
  await ip(pod.node, "link add nic7 type veth peer name far");
  await cnitool.run("add");
  t.match(await cnitool.run("check"), done, "host-device's CHECK is content with a placeholder");
  await ip(pod.namespace, "link set tap0 down");
  t.match(await cnitool.run("check"), { status: 1, stderr: /tap0: .*down/ });
  t.match(await cnitool.run("del"), done);
  t.ok((await links(pod.node)).has("nic7"));
});

t.test("GC reverts the attachments in libcni's cache only", { skip }, async (t) => {
  const leaked = await chainOf(t, "bridge-binding");
  const other = await chainOf(t, "bridge-binding", { ours: { dataDir: leaked.dataDir } });
  const before = await snapshot(leaked.pod.namespace);
  for (const { cnitool } of [leaked, other]) t.equal((await cnitool.run("add")).status, 0);
  t.equal((await recordsIn(leaked.dataDir)).length, 2);
  t.match(await leaked.cnitool.run("gc"), done);
  t.same(leaked.cnitool.order("host-local").slice(2), [
    "DEL bridge-binding eth0",
    "DEL bridge eth0",
    "GC bridge",
    "GC bridge-binding",
  ]);
  t.notOk("cni.dev/valid-attachments" in leaked.cnitool.calls().at(-1)!.netconf!, "which names no valid ones");
  t.same(await settledDifferences(leaked.pod.namespace, before), []);
  t.ok((await links(other.pod.namespace)).has("k6t-eth0"), "the other pod of that network keeps its links");
  t.match(await other.cnitool.run("del"), done);
  t.same(await recordsIn(leaked.dataDir), []);
});

t.test("ADD uses the MAC address from the capability, and DEL restores the link's own", { skip }, async (t) => {
  const { pod, cnitool } = await chainOf(t, "bridge-binding", { ours: { capabilities: { mac: true } } });
  const before = await snapshot(pod.namespace);
  const { result } = await cnitool.run("add", { CAP_ARGS: JSON.stringify({ mac }) });
  t.match(result!.interfaces![2], { name: "eth0", mac });
  t.equal((await links(pod.namespace)).get("eth0")!.address, mac);
  const [, given] = cnitool.calls().filter(({ plugin }) => plugin !== "host-local");
  t.match(given!.netconf, { runtimeConfig: { mac }, capabilities: { mac: true } });
  t.match(await cnitool.run("del"), done);
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("a failure of a later plugin reverts nothing, and DEL restores the pod", { skip }, async (t) => {
  for (const { type } of lists) {
    const after = [{ type: "tuning", sysctl: { "net.ipv4.no_such_thing": "1" } }];
    const { pod, cnitool, dataDir, leases } = await chainOf(t, type, { after });
    const before = await snapshot(pod.namespace);
    t.match(await cnitool.run("add"), { status: 1, stderr: /no_such_thing/ });
    t.equal((await recordsIn(dataDir)).length, 1, "nobody has undone ours");
    t.match(await cnitool.run("del"), done);
    t.same(await settledDifferences(pod.namespace, before), [], type);
    t.same([await leases(), await recordsIn(dataDir)], [[], []]);
  }
});

t.test("cnitool reports the requirement that STATUS finds missing", { skip }, async (t) => {
  const dataDir = await blockedDataDir(t, "passt-binding");
  const { cnitool } = await chainOf(t, "passt-binding", { ours: { dataDir } });
  t.match(await cnitool.run("status"), { status: 1, stderr: new RegExp(dataDir) });
  t.match(cnitool.calls().at(-1), { plugin: "passt-binding", verb: "STATUS", answer: { code: 50 } });
});

// Tests a real container runtime: podman creates a namespace, Debian's `bridge` and our plugin
// attach it, a container runs in it, and podman removes everything.
import { execa } from "execa";
import t, { type Test } from "tap";
import type { Netconf } from "../../harness/attachment.ts";
import type { NetworkList } from "../../harness/cnitool.ts";
import { type Namespace, within } from "../../harness/namespaces.ts";
import { createPod } from "../../harness/pod.ts";
import { image, installPodman, type Podman, podmanObstacle } from "../../harness/podman.ts";
import type { RecordedCall } from "../../harness/recorded-calls.ts";

const skip = await podmanObstacle(t);

/** Returns a list of `bridge`, our plugin, and the plugins of `after`. */
function listOf(name: string, ours: Netconf, ...after: readonly Netconf[]): NetworkList {
  const ipam = { type: "host-local", ranges: [[{ subnet: "10.1.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] };
  const bridge = { type: "bridge", bridge: "cni0", isGateway: true, ipam };
  return { cniVersion: "1.0.0", name, plugins: [bridge, ours, ...after] };
}

async function podmanWith(t: Test, ...lists: readonly NetworkList[]): Promise<{ podman: Podman; node: Namespace }> {
  const { node } = await createPod(t);
  return { podman: await installPodman(t, node, lists), node };
}

const started = (network: string, ...options: readonly string[]): string[] => [
  ...["run", "--detach", "--name=guest", `--network=${network}`, ...options],
  ...[image, "/busybox", "sleep", "1000"],
];

const removal = ["rm", "--force", "--time=0", "guest"] as const;

/**
 * Returns the sorted names of a namespace's links. Unlike `links`, works with any path of a
 * namespace.
 */
async function linksOf(namespace: Namespace): Promise<string[]> {
  const [file, ...args] = within(namespace, "ip", "-json", "link", "show");
  const { stdout } = await execa(file, args);
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname).sort();
}

/**
 * Returns what is left of containers: our records, namespaces, leases, and links on the node other
 * than its bridge.
 */
async function leftOf({ list }: Podman, node: Namespace, network: string): Promise<string[]> {
  const leases = list(`/var/lib/cni/networks/${network}`).filter((name) => name.startsWith("10."));
  const links = (await linksOf(node)).filter((name) => !["lo", "cni0"].includes(name));
  return [...list("/run/bridge-binding"), ...list("/run/passt-binding"), ...list("/run/netns"), ...leases, ...links];
}

/** Returns the calls for a container. libcni's VERSION calls are not among them. */
function callsFor({ calls }: Podman, ...except: readonly string[]): RecordedCall[] {
  return calls().filter(({ plugin, verb }) => verb !== "VERSION" && !except.includes(plugin));
}

const bound = ["eth0", "eth0-nic", "k6t-eth0", "lo", "tap0"];

t.test("a container starts behind bridge-binding, and podman rm removes everything", { skip }, async (t) => {
  const { podman, node } = await podmanWith(t, listOf("blue", { type: "bridge-binding" }));
  await podman.podman(...started("blue"));
  const id = await podman.podman("inspect", "--format={{.Id}}", "guest");
  t.same(records(podman, "/run/bridge-binding").length, 1, "it is on record");
  t.same(await linksOf(await podman.namespaceOf("guest")), bound);
  t.same(
    (await podman.podman("exec", "guest", "/busybox", "ls", "/sys/class/net")).split("\n").sort(),
    bound,
    "the container itself sees them",
  );
  t.match(await podman.podman("exec", "guest", "/busybox", "ip", "address", "show", "dev", "eth0"), /inet 10\.1\.0\.2/);

  await podman.podman(...removal);
  t.same(await leftOf(podman, node, "blue"), []);
  const calls = callsFor(podman, "host-local");
  t.same(
    calls.map(({ verb, plugin, status, links }) => [verb, plugin, status, links]),
    [
      ["ADD", "bridge", 0, ["lo"]],
      ["ADD", "bridge-binding", 0, ["eth0", "lo"]],
      ["DEL", "bridge-binding", 0, bound],
      ["DEL", "bridge", 0, ["eth0", "lo"]],
    ],
    "and the next plugin's DEL finds the namespace as its ADD left it",
  );
  for (const { env } of calls) t.match(env, { CNI_CONTAINERID: id, CNI_IFNAME: "eth0" });
});

t.test("a container behind passt-binding can ping and listen on low ports", { skip }, async (t) => {
  const { podman, node } = await podmanWith(t, listOf("red", { type: "passt-binding" }));
  await podman.podman(...started("red"));
  const sysctls = ["ip_unprivileged_port_start", "ping_group_range"].map((name) => `/proc/sys/net/ipv4/${name}`);
  const shown = await podman.podman("exec", "guest", "/busybox", "cat", ...sysctls);
  t.same(shown.split(/\s+/), ["0", "107", "107"]);
  t.same(records(podman, "/run/passt-binding").length, 1);
  await podman.podman(...removal);
  t.same(await leftOf(podman, node, "red"), []);
});

t.test("podman stop removes the attachment, and podman start creates it again", { skip }, async (t) => {
  const { podman, node } = await podmanWith(t, listOf("blue", { type: "bridge-binding" }));
  await podman.podman(...started("blue"));
  const first = podman.list("/run/bridge-binding");
  for (const _ of ["once", "twice"]) {
    await podman.podman("stop", "--time=0", "guest");
    // A background process cleans up after a container's end. This command waits for it, or does
    // its work.
    await podman.podman("container", "cleanup", "guest");
    t.same(await leftOf(podman, node, "blue"), []);
    await podman.podman("start", "guest");
    t.same(podman.list("/run/bridge-binding"), first, "the same attachment");
    t.same(await linksOf(await podman.namespaceOf("guest")), bound);
  }
  await podman.podman(...removal);
  t.same(await leftOf(podman, node, "blue"), []);
});

t.test("the container gets the MAC address from podman's --mac-address", { skip }, async (t) => {
  const mac = "02:00:00:00:77:02";
  const { podman } = await podmanWith(t, listOf("blue", { type: "bridge-binding" }));
  await podman.podman(...started("blue", `--mac-address=${mac}`));
  t.match(await podman.podman("exec", "guest", "/busybox", "cat", "/sys/class/net/eth0/address"), mac);
  t.match(callsFor(podman, "bridge", "host-local")[0]?.env, { CNI_ARGS: new RegExp(`;MAC=${mac}(;|$)`) });
  await podman.podman(...removal);
});

t.test("podman reports the reason and removes everything if a container's network fails", { skip }, async (t) => {
  const misspelt = listOf("misspelt", { type: "bridge-binding", vln: 7 });
  const later = listOf("later", { type: "bridge-binding" }, { type: "tuning", sysctl: { "net.ipv4.no_such": "1" } });
  const { podman, node } = await podmanWith(t, misspelt, later);
  for (const [network, words] of [
    ["misspelt", /unknown field "vln", did you mean "vlan"\?/],
    ["later", /no_such/],
  ] as const) {
    await t.rejects(podman.podman(...started(network)), { message: words });
    await podman.podman(...removal);
    t.same(await leftOf(podman, node, network), [], network);
  }
});

/** The directories of containers with records, without the guards next to them. */
function records(podman: Podman, directory: string): string[] {
  return podman.list(directory).filter((name) => !name.includes(":"));
}

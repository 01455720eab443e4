import t from "tap";
import { links } from "../../harness/ip.ts";
import { callPlugin, type Result } from "../../harness/plugin.ts";
import { createPod, type Network, type Pod } from "../../harness/pod.ts";
import { type Binding, bindingOf, type Netconf } from "./binding.ts";

const versions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

t.test("as a binding the result is the version alone, without even an empty list of interfaces", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  for (const cniVersion of versions) {
    const binding = await bindingOf(t, pod, { netconf: { cniVersion } });
    const { stdout } = await binding.add();
    t.equal(stdout, `{"cniVersion":"${cniVersion}"}\n`);
    t.equal((await binding.del()).stdout, "", "and DEL prints nothing");
  }
});

t.test("as a binding no link gets the name in CNI_IFNAME, nor any other like net1", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  for (const ifname of ["net1", "net2"]) {
    const binding = await bindingOf(t, pod, { ifname });
    await binding.add();
    t.same(
      [...(await links(pod.namespace)).keys()].filter((name) => /^net\d/.test(name)),
      [],
    );
    await binding.del();
  }
});

t.test("a configuration without cniVersion, or an empty one, is of version 0.1.0", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  for (const cniVersion of [undefined, ""]) {
    const binding = await bindingOf(t, pod, { netconf: { cniVersion } });
    t.equal((await binding.add()).stdout, '{"cniVersion":"0.1.0"}\n');
    await binding.del();
  }
});

/** What the pod's network plugin says in each version, with keys that this plugin knows nothing of. */
function previous(cniVersion: string, { mac }: Network, pod: Pod): Netconf {
  const dns = { nameservers: ["10.1.0.53"], search: ["example"] };
  if (cniVersion < "0.3.0") {
    const ip4 = { ip: "10.1.0.2/24", gateway: "10.1.0.1", routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1" }] };
    return { cniVersion, ip4, ip6: { ip: "fd00:1::2/64", routes: [{ dst: "::/0" }] }, dns, custom: { kept: [1, "a"] } };
  }
  const family = (version: string) => (cniVersion < "1.0.0" ? { version } : {});
  const newer = cniVersion >= "1.1.0";
  return {
    cniVersion,
    interfaces: [
      { name: "cni1", mac: "02:00:00:00:00:aa", custom: true },
      { name: "veth0", mac: "02:00:00:00:00:ab" },
      { name: "eth0", mac, sandbox: pod.namespace.path, ...(newer && { mtu: 1500, socketPath: "/run/s" }) },
    ],
    ips: [
      { ...family("4"), address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 2, custom: 1 },
      { ...family("6"), address: "fd00:1::2/64", interface: 2 },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.0.1", ...(newer && { priority: 7, table: 100 }) }, { dst: "::/0" }],
    dns,
    custom: { kept: [1, "a"] },
  };
}

t.test("in a chain the result is prevResult, kept whole, with the new links behind, in every version", async (t) => {
  const pod = await createPod(t);
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  for (const cniVersion of versions) {
    const prevResult = previous(cniVersion, network, pod);
    const binding = await bindingOf(t, pod, { ifname: "eth0", netconf: { cniVersion, prevResult } });
    const { result } = await binding.add();
    const shown = await links(pod.namespace);
    const listed = (name: string) => ({
      name,
      mac: shown.get(name)!.address,
      ...(cniVersion >= "1.1.0" && { mtu: 1500 }),
      sandbox: pod.namespace.path,
    });
    const earlier = prevResult["interfaces"] as object[] | undefined;
    const expected = earlier && {
      interfaces: [...earlier, ...["k6t-eth0", "eth0-nic", "tap0"].map(listed)],
    };
    t.strictSame(sorted(result), sorted({ ...prevResult, ...expected }), cniVersion);
    t.same(await removal(binding), { status: 0, stdout: "" });
  }
});

t.test("in a chain the result refers to the pod link by the MAC that the guest was asked to have", async (t) => {
  const pod = await createPod(t);
  const network = await pod.attach({ kind: "bridge" });
  const prevResult = network.result!;
  const mac = "02:00:00:00:77:01";
  const binding = await bindingOf(t, pod, { ifname: "eth0", netconf: { cniVersion: "1.0.0", prevResult, mac } });
  const { result } = await binding.add();
  const place = prevResult.interfaces!.findIndex(({ name }) => name === "eth0");
  t.equal(prevResult.ips![0]!.interface, place, "Debian's plugin says where the address is");
  t.match(result!.interfaces![place], { name: "eth0", mac, sandbox: pod.namespace.path });
  t.match(result!.ips, prevResult.ips);
});

t.test("in a chain after a plugin that listed no interfaces, the pod link is listed too", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  for (const prevResult of [{ cniVersion: "1.0.0" }, { cniVersion: "1.0.0", interfaces: null, ips: null }]) {
    const binding = await bindingOf(t, pod, { ifname: "eth0", netconf: { cniVersion: "1.0.0", prevResult } });
    const { result } = await binding.add();
    t.same(result!.interfaces!.map(({ name }) => name).sort(), ["eth0", "eth0-nic", "k6t-eth0", "tap0"]);
    t.ok(result!.interfaces!.every(({ sandbox }) => sandbox === pod.namespace.path));
    await binding.del();
  }
});

t.test("VERSION lists the versions, reads nothing and needs nothing", async (t) => {
  const { status, result, stderr } = await callPlugin("bridge-binding", "VERSION", {});
  t.match({ status, stderr }, { status: 0, stderr: "" });
  t.same(result, { cniVersion: "1.1.0", supportedVersions: versions });
});

t.test("a call by hand, without CNI_COMMAND, says on standard error what this is", async (t) => {
  const { status, stdout, stderr } = await callPlugin("bridge-binding", "", {});
  t.match({ status, stdout }, { status: 0, stdout: "" });
  t.match(stderr, /^bridge-binding: .*\nCNI protocol versions supported: 0\.1\.0, .*1\.1\.0\n$/);
});

async function removal(binding: Binding): Promise<{ status: number | undefined; stdout: string }> {
  const { status, stdout } = await binding.run("DEL");
  return { status, stdout };
}

/** With keys in one order, since JSON gives them none. */
function sorted(value: Result | Netconf | undefined): unknown {
  const inOrder = (_: string, each: unknown): unknown =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each;
  return JSON.parse(JSON.stringify(value, inOrder));
}

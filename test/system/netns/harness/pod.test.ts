import { existsSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { addresses, ip, ipShow, links, type ShownRoute } from "../../../harness/ip.ts";
import { createNamespace, namespaceNames } from "../../../harness/namespaces.ts";
import { callPlugin, debianPlugins } from "../../../harness/plugin.ts";
import { createPod, type NetworkOptions } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";

const plugins: readonly NetworkOptions["kind"][] = ["bridge", "ptp", "macvlan"];
for (const kind of plugins) {
  t.test(`a pod attaches to a ${kind} network and detaches without a trace`, async (t) => {
    const pod = await createPod(t);
    const before = await snapshot(pod.namespace);
    const network = await pod.attach({ kind, families: "dual", mtu: 1400 });
    const link = (await links(pod.namespace)).get("eth0");
    t.match(link, { mtu: 1400, address: network.mac });
    t.same(network.addresses, ["10.1.0.2/24", "fd00:1::2/64"]);
    t.match(network.result?.ips, [{ address: "10.1.0.2/24" }, { address: "fd00:1::2/64" }]);
    const routes = await ipShow<ShownRoute>(pod.namespace, "route show default");
    t.match(routes, [{ gateway: network.gateways[0]! }]);
    await network.detach();
    t.same(await settledDifferences(pod.namespace, before), []);
  });
}

t.test("a second network gets its own link, MAC and addresses", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const second = await pod.attach({
    kind: "bridge",
    ifname: "pod16477688c0e",
    mac: "02:00:00:00:77:01",
    families: "ipv6",
  });
  t.equal(second.mac, "02:00:00:00:77:01");
  t.same(second.addresses, ["fd00:2::2/64"]);
  t.same([...(await links(pod.namespace)).keys()], ["lo", "eth0", "pod16477688c0e"]);
});

t.test("a veth pair gets exactly the requested MAC, MTU, addresses and routes", async (t) => {
  const pod = await createPod(t);
  const mac = "02:00:00:00:00:07";
  const routes = ["10.0.0.1 scope link", "default via 10.0.0.1"];
  await pod.attach({ kind: "veth", ifname: "net9", mac, mtu: 9000, addresses: ["10.0.0.2/32"], routes });
  t.match((await links(pod.namespace)).get("net9"), { mtu: 9000, address: mac });
  t.match(await addresses(pod.namespace, "net9"), ["10.0.0.2/32", /^fe80:/]);
  t.match(await ipShow<ShownRoute>(pod.namespace, "route"), [
    { dst: "default", gateway: "10.0.0.1" },
    { dst: "10.0.0.1" },
  ]);
});

t.test("callPlugin returns the plugin's status, result, error and stderr", async (t) => {
  const bridge = `${debianPlugins}/bridge`;
  const version = await callPlugin(bridge, "VERSION", {});
  t.match(version, { status: 0, result: { supportedVersions: ["0.1.0"] }, stderr: "" });
  const refused = await callPlugin(
    bridge,
    "ADD",
    { containerId: "x" },
    { cniVersion: "1.0.0", name: "net", type: "bridge" },
  );
  t.match(refused, { status: 1, error: { code: 4, msg: /CNI_NETNS,CNI_IFNAME/ } });
  await t.rejects(callPlugin("/nonexistent", "ADD", {}), { code: "ENOENT" });
});

t.test("namespaces are deleted when their process ends, even by a signal", async (t) => {
  const program = `
    import { createNamespace } from "./test/harness/namespaces.ts";
    const { name } = await createNamespace({ teardown() {} });
    console.log(name);
    if (process.argv[1] === "wait") setTimeout(() => undefined, 10_000);
  `;
  const start = (...args: string[]) =>
    execa("node", ["--import", "tsx", "--input-type=module", "-e", program, ...args], { reject: false });
  const { stdout } = await start();
  t.match(stdout, /^kcb-\d+-0$/);
  t.notOk(namespaceNames().includes(stdout), "it ended by itself");

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const child = start("wait");
    const name = String((await child.iterable()[Symbol.asyncIterator]().next()).value);
    t.ok(namespaceNames().includes(name));
    child.kill(signal);
    await child;
    if (signal === "SIGKILL") await start();
    t.notOk(existsSync(`/run/netns/${name}`), `it was ended by ${signal}`);
  }
});

t.test("a failed ip command rejects with its error", async (t) => {
  const namespace = await createNamespace(t);
  await t.rejects(
    ip(namespace, "link set lo up", "link set nolink up"),
    /^ip link set nolink up: Cannot find device "nolink"$/,
  );
});

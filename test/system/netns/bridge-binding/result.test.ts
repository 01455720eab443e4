import t from "tap";
import type { Attachment } from "../../../harness/attachment.ts";
import { links } from "../../../harness/ip.ts";
import { createPod } from "../../../harness/pod.ts";
import { previousResult, sorted, versions } from "../../../harness/previous-result.ts";
import { bindingOf } from "./binding.ts";

t.test("ADD as a binding creates no link with a name like net1", async (t) => {
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

t.test("ADD in a chain appends its links to prevResult, in every version", async (t) => {
  const pod = await createPod(t);
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  for (const cniVersion of versions) {
    const prevResult = previousResult(cniVersion, network, pod);
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

t.test("ADD in a chain reports the pod link with the configured MAC", async (t) => {
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

t.test("ADD in a chain adds the pod link to a prevResult without interfaces", async (t) => {
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

async function removal(binding: Attachment): Promise<{ status: number | undefined; stdout: string }> {
  const { status, stdout } = await binding.run("DEL");
  return { status, stdout };
}

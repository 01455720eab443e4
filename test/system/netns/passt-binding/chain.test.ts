import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { callPlugin, callSuccessfully, debianPlugins, type Result } from "../../../harness/plugin.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import { sorted, versions } from "../../../harness/previous-result.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { closed, open, passtOf, type Rights, rightsIn } from "./rights.ts";

const done = { status: 0, stdout: "", stderr: "" };
const portStart = "net.ipv4.ip_unprivileged_port_start";
const groupRange = "net.ipv4.ping_group_range";

/** Returns the versions that both Debian's `bridge` and passt-binding support. */
async function common(): Promise<readonly string[]> {
  const { result } = await callPlugin(`${debianPlugins}/bridge`, "VERSION", {}, { cniVersion: "1.0.0" });
  return result!.supportedVersions!.filter((version) => versions.includes(version));
}

t.test("ADD after Debian's bridge returns its result, and DEL restores the pod, in every version", async (t) => {
  const pod = await createPod(t);
  const fresh = await snapshot(pod.namespace);
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  await network.detach();
  const bridge = (verb: string, extra: Netconf) =>
    callSuccessfully(`${debianPlugins}/bridge`, verb, network.call, { ...network.netconf, ...extra });
  const all = await common();
  t.ok(all.length >= 6, all.join(", "));
  for (const cniVersion of all) {
    const { result: prevResult } = await bridge("ADD", { cniVersion });
    const before = await snapshot(pod.namespace);
    const netconf = { cniVersion, name: network.name, interface: "eth0", prevResult };
    const passt = await passtOf(t, pod, { ifname: "eth0", netconf });
    const { result } = await passt.add();
    t.strictSame(sorted(result), sorted(prevResult), cniVersion);
    t.same(await rightsIn(pod.namespace), open);
    if (cniVersion >= "0.4.0") {
      t.match(await passt.check(), done);
      t.match(await bridge("CHECK", { cniVersion, prevResult: result }), done, "nor is the bridge's");
    }
    t.match(await passt.run("DEL"), done);
    t.same(await settledDifferences(pod.namespace, before), []);
    await bridge("DEL", { cniVersion, prevResult });
    t.same(await settledDifferences(pod.namespace, fresh), []);
  }
});

/**
 * The sysctls that tuning sets before passt-binding in one list, the rights after passt-binding's
 * ADD, and the rights after both DELs. tuning's DEL reverts nothing.
 */
const tunings: Record<string, { set: Record<string, string>; made: Rights; left: Rights }> = {
  "wider than needed": {
    set: { [portStart]: "0", [groupRange]: "0 2147483647" },
    made: ["0", "0 2147483647"],
    left: ["0", "0 2147483647"],
  },
  "the ports alone": { set: { [portStart]: "53" }, made: open, left: ["53", "1 0"] },
  "the groups alone": { set: { [groupRange]: "100 110" }, made: ["0", "100 110"], left: ["1024", "100 110"] },
  "narrower than needed": {
    set: { [portStart]: "80", [groupRange]: "50 60" },
    made: ["0", "50 107"],
    left: ["80", "50 60"],
  },
};
t.test("ADD never narrows what tuning set before, and DEL restores it", async (t) => {
  for (const [what, { set, made, left }] of Object.entries(tunings)) {
    const pod = await createPod(t);
    const network = await pod.attach({ kind: "bridge" });
    const tuned = await tune(pod, set, network.result!);
    const netconf = { cniVersion: "1.0.0", name: network.name, prevResult: tuned };
    const passt = await passtOf(t, pod, { ifname: "eth0", netconf });
    t.strictSame(sorted((await passt.add()).result), sorted(tuned), what);
    t.same(await rightsIn(pod.namespace), made, what);
    t.match(await passt.check(), done);
    t.match(await passt.run("DEL"), done);
    t.same(await rightsIn(pod.namespace), left, what);
    await network.detach();
    t.same(await rightsIn(pod.namespace), left, what);
  }
});

t.test("DEL keeps what tuning set after ADD", async (t) => {
  const pod = await createPod(t);
  const network = await pod.attach({ kind: "bridge" });
  const netconf = { cniVersion: "1.0.0", name: network.name, prevResult: network.result };
  const passt = await passtOf(t, pod, { ifname: "eth0", netconf });
  const { result } = await passt.add();
  await tune(pod, { [groupRange]: "0 2147483647" }, result!);
  await passt.del();
  t.same(await rightsIn(pod.namespace), [closed[0], "0 2147483647"]);
});

/** Calls ADD of Debian's tuning and returns its result. */
async function tune(pod: Pod, sysctl: Record<string, string>, prevResult: Result): Promise<Result> {
  const netconf = { cniVersion: "1.0.0", name: "tuned", type: "tuning", sysctl, prevResult };
  return (await callSuccessfully(`${debianPlugins}/tuning`, "ADD", pod.call("eth0"), netconf)).result!;
}

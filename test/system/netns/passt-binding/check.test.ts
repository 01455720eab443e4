import t from "tap";
import type { Netconf } from "../../../harness/attachment.ts";
import { killedBefore, watch } from "../../../harness/faults.ts";
import { ip } from "../../../harness/ip.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { withSysctls } from "./mounts.ts";
import { closed, passtOf, prepared, type Rights, setRights } from "./rights.ts";

const done = { status: 0, stdout: "", stderr: "" };
const ports = "net.ipv4.ip_unprivileged_port_start";
const groups = "net.ipv4.ping_group_range";

/** The rights to set after ADD, and the whole message that CHECK reports for them. */
const breakages: Record<string, { netconf?: Netconf; set: Rights; msg: string }> = {
  "low ports are closed again": { set: ["1024", "107 107"], msg: `${ports}: is 1024, not 0` },
  "one port is closed": { set: ["1", "107 107"], msg: `${ports}: is 1, not 0` },
  "nobody may ping any more": { set: ["0", "1 0"], msg: `${groups}: is 1 0, not 107 107` },
  "others may ping instead": { set: ["0", "108 2147483647"], msg: `${groups}: is 108 2147483647, not 107 107` },
  "all is as it was before": {
    set: closed,
    msg: `${ports}: is 1024, not 0; ${groups}: is 1 0, not 107 107`,
  },
  "what was asked for is not there": {
    netconf: { unprivilegedPortStart: 80, pingGroupRange: [100, 200] },
    set: ["81", "100 199"],
    msg: `${ports}: is 81, not 80; ${groups}: is 100 199, not 100 200`,
  },
};
t.test("CHECK names all differences, with spaces for tabs, and changes nothing", async (t) => {
  for (const [what, { netconf = {}, set, msg }] of Object.entries(breakages)) {
    const { pod, passt } = await prepared(t, netconf);
    await setRights(pod.namespace, set);
    const before = await snapshot(pod.namespace);
    const answer = await passt.check();
    t.match(answer, { status: 1, error: { cniVersion: "1.1.0", code: 101 } }, what);
    t.equal(answer.error!.msg, msg);
    t.same(await settledDifferences(pod.namespace, before), []);
    await setRights(pod.namespace, [`${netconf["unprivilegedPortStart"] ?? 0}`, groupsOf(netconf)]);
    t.match(await passt.check(), done, `${what}, mended`);
  }
});

t.test("CHECK accepts wider rights that a container runtime set after ADD", async (t) => {
  const { pod, passt } = await prepared(t, { unprivilegedPortStart: 80 });
  for (const set of [
    ["0", "107 107"],
    ["80", "0 2147483647"],
    ["79", "100 107"],
  ] as const) {
    await setRights(pod.namespace, set);
    t.match(await passt.check(), done, `${set}`);
  }
});

t.test("CHECK reports sysctls that the kernel does not have", async (t) => {
  const { passt } = await prepared(t);
  const answer = await passt.run("CHECK", { prevResult: {} }, withSysctls());
  t.match(answer, { status: 1, error: { code: 101 } });
  t.equal(answer.error!.msg, `${ports}: is absent, not 0; ${groups}: is absent, not 107 107`);
});

t.test("CHECK reports a missing interface", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth" });
  const passt = await passtOf(t, pod, { netconf: { interface: "eth0" } });
  await passt.add();
  t.match(await passt.check(), done);
  await ip(pod.namespace, "link set eth0 down");
  t.match(await passt.check(), done, "which may be down");
  await ip(pod.namespace, "link set eth0 name other");
  const gone = "eth0: is not in the namespace; interface must name the pod's link that passt serves";
  t.match(await passt.check(), { status: 1, error: { code: 101, msg: gone } });
  await setRights(pod.namespace, ["7", "107 107"]);
  t.match(
    await passt.check(),
    { status: 1, error: { code: 101, msg: `${ports}: is 7, not 0; ${gone}` } },
    "beside others",
  );
  await passt.del();
});

t.test("CHECK succeeds after ADD in every version, for any rights before and after", async (t) => {
  const pod = await createPod(t);
  for (const found of [closed, ["0", "0 2147483647"], ["53", "100 110"]] as const)
    for (const netconf of [{}, { unprivilegedPortStart: 80, pingGroupRange: [200, 300] }])
      for (const cniVersion of ["0.4.0", "1.0.0", "1.1.0"]) {
        await setRights(pod.namespace, found);
        const passt = await passtOf(t, pod, { netconf: { ...netconf, cniVersion } });
        await passt.add();
        t.match(await passt.check(), done, `${found}, ${cniVersion}, ${JSON.stringify(netconf)}`);
        await passt.del();
      }
});

t.test("CHECK reports an ADD that was killed at its last change", async (t) => {
  const { passt } = await prepared(t);
  await passt.del();
  const { under, mutations } = await watch(t);
  await passt.run("ADD", {}, { under });
  await passt.del();
  const last = (await mutations()).at(-1)!;
  t.match(await passt.run("ADD", {}, { under: killedBefore(last) }), { signal: "SIGKILL" });
  t.match(await passt.check(), { status: 1, error: { code: 101, msg: "net1: its ADD did not finish" } });
  await passt.del();
});

function groupsOf(netconf: Netconf): string {
  return ((netconf["pingGroupRange"] as number[] | undefined) ?? [107, 107]).join(" ");
}

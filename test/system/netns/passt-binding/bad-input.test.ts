import { chown, mkdir } from "node:fs/promises";
import t from "tap";
import { type Netconf, newDataDir } from "../../../harness/attachment.ts";
import { badDataDirs } from "../../../harness/bad-data-dirs.ts";
import { ip } from "../../../harness/ip.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { passtOf } from "./rights.ts";

const portStart = "unprivilegedPortStart";
const range = "pingGroupRange";
/** Invalid fields, and the whole message that ADD reports for them. */
const fields: Record<string, { netconf: Netconf; code?: number; msg: string | RegExp }> = {
  "a port beyond all": { netconf: { [portStart]: 65_536 }, msg: `${portStart}: must be at most 65535, not 65536` },
  "a negative port": { netconf: { [portStart]: -1 }, msg: `${portStart}: must be at least 0, not -1` },
  "half a port": { netconf: { [portStart]: 80.5 }, msg: `${portStart}: must be a whole number, not 80.5` },
  "a port in words": { netconf: { [portStart]: "80" }, msg: `${portStart}: must be a whole number, not "80"` },
  "a list of ports": { netconf: { [portStart]: [80] }, msg: `${portStart}: must be a whole number, not a list of 1` },
  "a port of no value": { netconf: { [portStart]: true }, msg: `${portStart}: must be a whole number, not true` },
  "groups upside down": {
    netconf: { [range]: [108, 107] },
    msg: `${range}: begins with 108 and ends with 107, the lower one comes first`,
  },
  "groups that are the kernel's word for none": { netconf: { [range]: [1, 0] }, msg: /^pingGroupRange: begins with 1/ },
  "one group": { netconf: { [range]: [107] }, msg: /^pingGroupRange(\[1\])?: / },
  "three groups": { netconf: { [range]: [1, 2, 3] }, msg: /^pingGroupRange: must be a list of two/ },
  "no groups": { netconf: { [range]: [] }, msg: /^pingGroupRange/ },
  "a group as a number": { netconf: { [range]: 107 }, msg: `${range}: must be a list of two, not 107` },
  "groups as the kernel writes them": {
    netconf: { [range]: "107\t107" },
    msg: /^pingGroupRange: must be a list of two, not "107\\t107"$/,
  },
  "groups as an object": {
    netconf: { [range]: { 0: 1, 1: 2 } },
    msg: `${range}: must be a list of two, not an object`,
  },
  "a negative group": { netconf: { [range]: [-1, 107] }, msg: `${range}[0]: must be at least 0, not -1` },
  "a group that stands for none": {
    netconf: { [range]: [0, 4_294_967_295] },
    msg: `${range}[1]: must be at most 4294967294, not 4294967295`,
  },
  "a group by name": { netconf: { [range]: [0, "qemu"] }, msg: `${range}[1]: must be a whole number, not "qemu"` },
  "a group that is null": { netconf: { [range]: [null, 107] }, msg: /^pingGroupRange\[0\]: must be a whole number/ },
  "half a group": { netconf: { [range]: [0.5, 107] }, msg: `${range}[0]: must be a whole number, not 0.5` },
  "a link's name with a slash": { netconf: { interface: "a/b" }, msg: /^interface: must be a link's name/ },
  "a link's name of 16 bytes": { netconf: { interface: "a".repeat(16) }, msg: /^interface: must be a link's name/ },
  "a link's name that is empty": { netconf: { interface: "" }, msg: /^interface: must be a link's name/ },
  "a link's name that is a number": { netconf: { interface: 0 }, msg: /^interface: must be a link's name.*, not 0$/ },
  "a dataDir that is relative": {
    netconf: { dataDir: "run/x" },
    msg: /^dataDir: must be \/run\/passt-binding or a directory below it/,
  },
  "a dataDir that goes up": {
    netconf: { dataDir: "/run/../etc" },
    msg: /^dataDir: must be \/run\/passt-binding or a directory below it/,
  },
  "a dataDir with a NUL": {
    netconf: { dataDir: "/run/\0" },
    msg: /^dataDir: must be \/run\/passt-binding or a directory below it/,
  },
  "an unknown field that is nearly one": {
    netconf: { unprivilegedPortsStart: 1 },
    msg: 'netconf: unknown field "unprivilegedPortsStart", did you mean "unprivilegedPortStart"?',
  },
  "a field in another case": {
    netconf: { PingGroupRange: [1, 2] },
    msg: 'netconf: unknown field "PingGroupRange", it is spelled "pingGroupRange"',
  },
  "a field that is like none": { netconf: { zzzzzzzz: 1 }, msg: 'netconf: unknown field "zzzzzzzz"' },
  "a field that every object has": { netconf: { toString: 1 }, msg: 'netconf: unknown field "toString"' },
  "a network without a name": {
    netconf: { args: { cni: { logicNetworkName: 7 } } },
    msg: "args.cni.logicNetworkName: must be the network's name in the VM's specification, not 7",
  },
  "a network with an empty name": {
    netconf: { args: { cni: { logicNetworkName: "" } } },
    msg: /^args\.cni\.logicNetworkName: must be .*, not ""$/,
  },
  "args that are a list": { netconf: { args: [] }, msg: "args: must be an object, not a list" },
  "a prevResult that is none": { netconf: { prevResult: "none" }, msg: /^prevResult: must be an object/ },
  "a prevResult with a list that is none": {
    netconf: { prevResult: { cniVersion: "1.1.0", interfaces: 7 } },
    msg: /^prevResult\.interfaces: must be a list/,
  },
  "a prevResult of a version that there is not": {
    netconf: { prevResult: { cniVersion: "9.9.9" } },
    code: 1,
    msg: /^incompatible CNI versions$/,
  },
  "an address manager": {
    netconf: { ipam: { type: "host-local" } },
    code: 2,
    msg: /^ipam\.type: host-local is not used/,
  },
  "all of that at once": {
    netconf: { [portStart]: -1, [range]: [-1, 4_294_967_295], interface: "a/b", dataDir: "x", zzzzzzzz: 1, dns: 7 },
    msg: [
      'interface: must be a link\'s name: 1 to 15 bytes without white space, / or :, not "a/b"',
      `${portStart}: must be at least 0, not -1`,
      `${range}[0]: must be at least 0, not -1`,
      `${range}[1]: must be at most 4294967294, not 4294967295`,
      'dataDir: must be /run/passt-binding or a directory below it, not "x"',
      'netconf: unknown field "zzzzzzzz"',
      "dns: must be an object, not a number",
    ].join("; "),
  },
};
t.test("ADD refuses an invalid configuration and names every field", async (t) => {
  const pod = await createPod(t);
  const before = await snapshot(pod.namespace);
  for (const [what, { netconf, code = 7, msg }] of Object.entries(fields)) {
    const passt = await passtOf(t, pod, { netconf });
    const answer = await passt.run("ADD");
    t.match(answer, { status: 1, error: { cniVersion: "1.1.0", code } }, what);
    t[typeof msg === "string" ? "equal" : "match"](answer.error!.msg, msg, what);
    t.same(await passt.journal(), []);
  }
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("ADD refuses a pod without the configured interface and names it", async (t) => {
  const pod = await createPod(t);
  await ip(pod.namespace, "link add eth0 type veth peer name eth1", "link property add dev eth0 altname other");
  const before = await snapshot(pod.namespace);
  for (const name of ["eth2", "net1", "ETH0"]) {
    const passt = await passtOf(t, pod, { netconf: { interface: name } });
    const msg = `${name}: is not in the namespace; interface must name the pod's link that passt serves`;
    t.match(await passt.run("ADD"), { status: 1, error: { cniVersion: "1.1.0", code: 102, msg } });
    t.same(await passt.journal(), []);
  }
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("ADD refuses a dataDir", async (t) => {
  const pod = await createPod(t);
  const before = await snapshot(pod.namespace);
  for (const [what, { prepare, code, msg }] of Object.entries(badDataDirs)) {
    const dataDir = await newDataDir(t, "passt-binding");
    await prepare(dataDir, pod.containerId);
    const passt = await passtOf(t, pod, { dataDir });
    t.match(await passt.run("ADD"), { status: 1, error: { cniVersion: "1.1.0", code, msg } }, what);
    t.same(await settledDifferences(pod.namespace, before), [], "the pod is as it was");
  }
});

t.test("ADD refuses a dataDir that belongs to another user", async (t) => {
  const pod = await createPod(t);
  const dataDir = await newDataDir(t, "passt-binding");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await chown(dataDir, 107, 107);
  const passt = await passtOf(t, pod, { dataDir });
  const answer = await passt.run("ADD");
  t.match(answer, { status: 1, error: { code: 102, msg: /^\/run\/.*: belongs to user 107, not to root$/ } });
  t.same(await passt.journal(), []);
});

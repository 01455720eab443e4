// Checks what a call can do after it has begun to read a pod, if an attacker controls it.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { newDataDir } from "../../../harness/attachment.ts";
import { callPlugin } from "../../../harness/plugin.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { byHand, inJson } from "../command/by-hand.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "confinement-"));
t.teardown(() => rm(folder, { recursive: true }));

/** A plugin that stands for one that an attacker controls. It reports what it could do. */
const source = `
import * as host from "host";
import { defineSchema, defaulted, journalDirectory } from "${root}lib/cni/netconf.ts";
import { flag } from "${root}lib/cni/schemas.ts";
import { serve } from "${root}lib/command/serve.ts";
import { podPlugin } from "${root}lib/plugin/pod-plugin.ts";

const attempts = {
  run: () => host.run("/bin/true", { env: {}, stdin: "", timeout: 5000 }),
  createOutside: () => host.createFile("${folder}/planted", ""),
  writeOutside: () => host.writeFile("${folder}/victim", "changed"),
  removeOutside: () => host.unlink("${folder}/victim"),
  runUnit: () => host.createFile("/run/confinement-test.service", ""),
  corePattern: () => host.writeFile("/proc/sys/kernel/core_pattern", host.readFile("/proc/sys/kernel/core_pattern")),
  otherNetns: () => host.openNetns("/proc/${process.pid}/ns/net"),
  ownRecord: () => host.createFile("/run/kubevirt-cni-bindings/confinement-test", ""),
  ownRecordRemoved: () => host.unlink("/run/kubevirt-cni-bindings/confinement-test"),
  sysctl: () => host.writeFile("/proc/sys/net/ipv4/ip_default_ttl", "64"),
};

serve(podPlugin({
  name: "evil",
  about: "tries what an attacker would",
  schema: defineSchema(() => ({ program: defaulted(false, flag), dataDir: journalDirectory("evil") })),
  startsPrograms: ({ program }) => program,
  plan(kernel) {
    kernel.observe({ links: true, sysctls: [] });
    const outcomes = Object.entries(attempts).map(([name, attempt]) => {
      try {
        attempt();
        return [name, "done"];
      } catch (failure) {
        return [name, failure.code];
      }
    });
    const status = host.readFile("/proc/self/status");
    const line = (name) => new RegExp("^" + name + ":\\\\s*(.*)$", "m").exec(status)[1];
    const facts = { privileges: line("NoNewPrivs"), permitted: line("CapPrm"), effective: line("CapEff") };
    throw new Error("@" + JSON.stringify({ ...Object.fromEntries(outcomes), ...facts }));
  },
  report: () => ({}),
  requirements: [],
}));
`;
await mkdir(join(folder, "plugins/evil"), { recursive: true });
await writeFile(join(folder, "plugins/evil/main.ts"), source);
await execa(join(root, "scripts/build"), ["--plugins", join(folder, "plugins"), "--out", join(folder, "dist")]);
const evil = join(folder, "dist/evil");

const hasLandlock = (await inJson<{ confinement: string[] }>("passt-binding", ["status"])).told.confinement.includes(
  "landlock",
);

t.test("a confined call cannot run a program, write outside, or enter another namespace", async (t) => {
  const pod = await createPod(t);
  const dataDir = await newDataDir(t, "evil");
  t.teardown(() => rm("/run/evil", { recursive: true, force: true }));
  await writeFile(join(folder, "victim"), "as it was");
  const before = await snapshot(pod.namespace);
  const netconf = { cniVersion: "1.1.0", name: "blue", type: "evil", dataDir };
  const outcomes = async (fields: object): Promise<Record<string, string>> => {
    const { error } = await callPlugin(evil, "ADD", pod.call("net1"), { ...netconf, ...fields });
    return JSON.parse(error!.msg.slice(1));
  };

  const own = { ownRecord: "done", ownRecordRemoved: "done", sysctl: "done" };
  // CAP_NET_ADMIN and CAP_SYS_ADMIN.
  const facts = { privileges: "1", permitted: "0000000000201000", effective: "0000000000201000" };
  t.match(await outcomes({}), { ...own, ...facts });
  if (hasLandlock) {
    const refused = ["run", "createOutside", "writeOutside", "removeOutside", "runUnit", "corePattern", "otherNetns"];
    t.match(await outcomes({}), Object.fromEntries(refused.map((attempt) => [attempt, "EACCES"])));
    t.notOk((await readdir(folder)).includes("planted"));
  }
  // Without confinement the attempts succeed, so that each of them could fail above.
  const free = {
    run: "done",
    otherNetns: "done",
    createOutside: "done",
    writeOutside: "done",
    removeOutside: "done",
    runUnit: "done",
  };
  t.match(await outcomes({ program: true }), { ...own, ...free, corePattern: "done", privileges: "0" });
  await rm("/run/confinement-test.service");
  t.same(differences(before, await snapshot(pod.namespace)), []);
});

t.test("status reports the measures that are in force", async (t) => {
  const { told } = await inJson<{ confinement: string[] }>("bridge-binding", ["status"]);
  for (const measure of ["noNewPrivileges", "capabilities"]) t.ok(told.confinement.includes(measure), measure);
  const { stdout } = await byHand("bridge-binding", ["status"]);
  t.match(stdout, `confinement of calls: ${told.confinement.join(", ")}`);
});

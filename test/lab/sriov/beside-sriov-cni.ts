// Compares sriov-vfio with sriov-cni on the same VF of the lab, and prints Markdown for the
// plugin's page: answers, state left behind, time and memory.
//
//     test/lab/vm/run --timeout 600 -- \
//       node --import tsx test/lab/sriov/beside-sriov-cni.ts /path/to/sriov
//
// `go build ./cmd/sriov` builds sriov-cni's executable in its repository.
import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { type Measurement, measure } from "../../../bench/measure.ts";
import { median, shuffled } from "../../../bench/statistics.ts";
import { peak } from "../../../bench/targets.ts";
import { createNamespace } from "../../harness/namespaces.ts";
import { type Answer, type Call, callPlugin, dist } from "../../harness/plugin.ts";
import { withScope } from "../../harness/scope.ts";
import { bindTo, createVfs, type Vf } from "../../harness/sriov.ts";

const [sriovCni] = process.argv.slice(2);
if (sriovCni === undefined) throw new Error("usage: beside-sriov-cni.ts EXECUTABLE");

interface Contender {
  readonly name: string;
  readonly executable: string;
  /** The directory in which the plugin keeps its state. */
  readonly state: string;
  /** The netconf field that sets this directory. */
  readonly stateField: string;
}

const contenders: readonly Contender[] = [
  { name: "sriov-vfio", executable: `${dist}/sriov-vfio`, state: "/run/sriov-vfio", stateField: "dataDir" },
  { name: "sriov-cni", executable: sriovCni, state: "/var/lib/cni/sriov", stateField: "cniDir" },
];
const rounds = 20;
const asked = { vlan: 100, vlanQoS: 3, spoofchk: "off", trust: "on" };
const mac = "02:00:00:00:00:77";
const node = { name: "node", path: "/proc/1/ns/net" };
let containers = 0;

/**
 * Creates a VF that is bound to vfio-pci, as a device plugin does. Returns when its PF has a
 * carrier.
 */
async function preboundVf(scope: Parameters<typeof createVfs>[0]): Promise<Vf> {
  await execa("ip", ["link", "set", "eth0", "up"]);
  const [vf] = createVfs(scope, "eth0", 1, { probe: false }) as [Vf];
  bindTo(vf.address, "vfio-pci");
  while (readFileSync("/sys/class/net/eth0/carrier", "utf8") !== "1\n") await sleep(100);
  return vf;
}

/** Returns those of the VF's settings that differ from the default, as its PF reports them. */
async function settings({ index }: Vf): Promise<string> {
  const { stdout } = await execa("ip", ["-json", "link", "show", "dev", "eth0"]);
  const { address, vlan_list, rate, spoofchk, trust } = JSON.parse(stdout)[0].vfinfo_list[index];
  const [vlan = {}] = vlan_list ?? [];
  const found = [
    address !== "00:00:00:00:00:00" && `MAC ${address}`,
    vlan.vlan > 0 && `VLAN ${vlan.vlan}`,
    rate.max_tx > 0 && `${rate.max_tx} Mbit/s`,
    !spoofchk && "spoofchk off",
    trust && "trust on",
  ];
  return found.filter(Boolean).join(", ") || "none";
}

function confOf({ stateField, state }: Contender, vf: Vf, more: object = {}): { cniVersion: string } {
  const conf = { cniVersion: "1.0.0", name: "fast", type: "sriov", deviceID: vf.address, [stateField]: state };
  return { ...conf, ...asked, ...more };
}

const told = ({ status, stdout, error, result, signal }: Answer): string =>
  status === 0
    ? result === undefined
      ? "succeeds"
      : `\`${JSON.stringify(result)}\``
    : `**fails**: ${error?.msg ?? signal ?? stdout.trim()}`;

/** The calls for one pod. Returns a cell of the table. */
type Story = (run: (verb: string, conf?: object, call?: Call) => Promise<Answer>, vf: Vf) => Promise<string>;

const stories: Readonly<Record<string, Story>> = {
  "the result of ADD": async (run) => told(await run("ADD")),
  "DEL of a running pod, what is left at the VF": async (run, vf) => {
    await run("ADD");
    const deleted = await run("DEL");
    return `${told(deleted)}; left: ${await settings(vf)}`;
  },
  "DEL after the namespace is gone": async (run, vf) => {
    await run("ADD");
    const deleted = await run("DEL", {}, { netns: "" });
    return `${told(deleted)}; left: ${await settings(vf)}`;
  },
  "ADD where the PF's driver refuses one of the settings": async (run, vf) => {
    const added = await run("ADD", { max_tx_rate: 4_000_000 });
    return `${told(added)}; left: ${await settings(vf)}`;
  },
  "CHECK after somebody changed the VF's VLAN": async (run, vf) => {
    const { result } = await run("ADD");
    await execa("ip", ["link", "set", "eth0", "vf", `${vf.index}`, "vlan", "7"]);
    return told(await run("CHECK", { prevResult: result }));
  },
  'ADD with `"spoofchk": "yes"`': async (run, vf) => {
    const added = await run("ADD", { spoofchk: "yes" });
    return `${told(added)}; left: ${await settings(vf)}`;
  },
  "GC of an attachment that is valid no more": async (run, vf) => {
    await run("ADD");
    const collected = await run("GC", { cniVersion: "1.1.0", "cni.dev/valid-attachments": [] });
    return `${told(collected)}; left: ${await settings(vf)}`;
  },
};

/** Runs a story with its own VF and namespace. Removes the plugin's state afterwards. */
async function tell(contender: Contender, story: Story): Promise<string> {
  return withScope(async (scope) => {
    const vf = await preboundVf(scope);
    const { path } = await createNamespace(scope);
    containers += 1;
    const call = { containerId: `c${containers}`, netns: path, ifname: "net1", args: `IgnoreUnknown=1;MAC=${mac}` };
    const run = (verb: string, conf: object = {}, other: Call = {}): Promise<Answer> =>
      callPlugin(contender.executable, verb, { ...call, ...other }, confOf(contender, vf, conf));
    const text = await story(run, vf);
    await run("DEL");
    await execa("rm", ["-rf", contender.state]);
    return text.replaceAll(path, "/run/netns/pod").replaceAll("|", "\\|");
  });
}

/**
 * Measures ADD as a whole process, alternating the plugins on one VF. Returns rows of the table:
 * medians of time, and the peak memory.
 */
async function time(): Promise<string[]> {
  return withScope(async (scope) => {
    const vf = await preboundVf(scope);
    const measured = contenders.map((contender) => ({ contender, measurements: [] as Measurement[] }));
    for (let round = 0; round < rounds; round += 1)
      for (const { contender, measurements } of shuffled(measured)) {
        const { name, path } = await createNamespace(scope);
        const args = `IgnoreUnknown=1;MAC=${mac}`;
        const env = {
          ...{ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", CNI_COMMAND: "ADD", CNI_PATH: dist },
          ...{ CNI_CONTAINERID: name, CNI_NETNS: path, CNI_IFNAME: "net1", CNI_ARGS: args },
        };
        const netconf = confOf(contender, vf);
        measurements.push((await measure({ executable: contender.executable, env, node, netconf })).measurement);
        await callPlugin(contender.executable, "DEL", { containerId: name, netns: "", ifname: "net1" }, netconf);
        // sriov-cni's DEL without a namespace reverts nothing, so the state and the settings are
        // reset here.
        await execa("rm", ["-rf", contender.state]);
        const none = ["mac", "00:00:00:00:00:00", "vlan", "0", "spoofchk", "on", "trust", "off"];
        await execa("ip", ["link", "set", "eth0", "vf", `${vf.index}`, ...none]);
      }
    const [ours, theirs] = measured.map(({ measurements }) => measurements) as [Measurement[], Measurement[]];
    const share = (of: "milliseconds" | "cpuMilliseconds"): string =>
      (median(ours.map((one) => one[of])) / median(theirs.map((one) => one[of]))).toFixed(2);
    return [
      `| ADD: time | ${share("milliseconds")} | 1 |`,
      `| ADD: CPU time | ${share("cpuMilliseconds")} | 1 |`,
      `| ADD: peak memory | ${peak(ours)} KB | ${peak(theirs)} KB |`,
      `| size | ${contenders.map(({ executable }) => `${(statSync(executable).size / 1e6).toFixed(1)} MB`).join(" | ")} |`,
    ];
  });
}

console.log(`| | ${contenders.map(({ name }) => name).join(" | ")} |\n| --- | --- | --- |`);
for (const [name, story] of Object.entries(stories)) {
  const cells: string[] = [];
  for (const contender of contenders) cells.push(await tell(contender, story));
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
for (const line of await time()) console.log(line);

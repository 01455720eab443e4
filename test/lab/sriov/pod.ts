// Creates VFs and pods for the tests of sriov-vfio, and reads the state that DEL restores.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { createNamespace } from "../../harness/namespaces.ts";
import { type Answer, type Call, callPlugin } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import { createVfs, driverOf, netdevOf, pciPath, type Vf } from "../../harness/sriov.ts";

/** The answer of a successful verb without a result. */
export const done = { status: 0, stdout: "" };

/** All settings that igb supports, except the MAC address, which CNI_ARGS sets. */
export const asked = { vlan: 100, vlanQoS: 3, max_tx_rate: 100, spoofchk: "off", trust: "on" };

let containers = 0;

/** A pod for which ADD can be called with a VF. */
export interface VfPod {
  readonly call: Call;
  readonly netconf: Readonly<Record<string, unknown>>;
  /** The path for the file with the device information. The plugin creates it. */
  readonly info: string;
  /** The plugin's `dataDir`. */
  readonly journal: string;
  /** The path of the pod's namespace. */
  readonly path: string;
  /** Calls the plugin. `fields` are added to the netconf. */
  run(verb: string, fields?: object, call?: Call): Promise<Answer>;
  check(): Promise<Answer>;
  /** The names of the journal's files. Empty if its directory does not exist. */
  records(): string[];
}

/**
 * Creates VFs of a PF that is up. They are bound to their network driver unless `probe` is false.
 *
 * igb loses its carrier when it creates VFs, and rejects every rate without a carrier. Therefore
 * this function waits for the carrier first and lets the driver bind afterwards. If the driver
 * binds during creation, igb does not learn the VF's MAC address and forwards nothing to it.
 */
export async function vfsOf(scope: Scope, pf: string, count: number, { probe = true } = {}): Promise<[Vf, ...Vf[]]> {
  await execa("ip", ["link", "set", pf, "up"]);
  const vfs = createVfs(scope, pf, count, { probe: false });
  await carrierOf(pf);
  if (probe) {
    writeFileSync(`/sys/class/net/${pf}/device/sriov_drivers_autoprobe`, "1");
    for (const { address } of vfs) writeFileSync("/sys/bus/pci/drivers_probe", address);
  }
  return vfs as [Vf, ...Vf[]];
}

/** Waits until the link has a carrier. */
export async function carrierOf(link: string): Promise<void> {
  while (readFileSync(`/sys/class/net/${link}/carrier`, "utf8") !== "1\n") await sleep(50);
}

/**
 * Creates a pod for the VF with its own namespace and container ID. It also has its own journal
 * unless `fields` sets `dataDir`.
 */
export async function podWith(scope: Scope, vf: Vf, fields: object = {}): Promise<VfPod> {
  const { path } = await createNamespace(scope);
  const [directory, devinfo] = ["/run/sriov-vfio", "/var/run/k8s.cni.cncf.io/devinfo/cni"].map((root) => {
    mkdirSync(root, { recursive: true });
    const made = mkdtempSync(`${root}/test-`);
    scope.teardown(() => rmSync(made, { recursive: true }));
    return made;
  }) as [string, string];
  containers += 1;
  const call: Call = { containerId: `c${containers}`, netns: path, ifname: "net1" };
  const info = `${devinfo}/info.json`;
  const netconf = {
    ...{ cniVersion: "1.1.0", name: "fast", type: "sriov-vfio", deviceID: vf.address, dataDir: `${directory}/journal` },
    ...{ runtimeConfig: { CNIDeviceInfoFile: info } },
    ...fields,
  };
  const run: VfPod["run"] = (verb, more, other) =>
    callPlugin("sriov-vfio", verb, { ...call, ...other }, { ...netconf, ...more });
  return {
    ...{ call, netconf, info, journal: netconf.dataDir, path, run },
    check: () => run("CHECK", { prevResult: { cniVersion: netconf.cniVersion } }),
    records: () => recordsIn(netconf.dataDir),
  };
}

/** Returns the VF's settings as `ip` reports them, without its MAC address. */
export async function settingsOf(vf: Vf): Promise<Record<string, unknown>> {
  const { mac: _, address: __, ...settings } = await tellOf(vf);
  return settings;
}

/** All state that DEL restores. */
export interface VfState {
  readonly driver: string | undefined;
  readonly override: string;
  /** The name of the VF's network link. */
  readonly link: string | undefined;
  /**
   * The PF's MAC address for the VF. `picked` if it is a random one, which the VF's network driver
   * chooses at each probe.
   */
  readonly mac: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export async function stateOf(vf: Vf): Promise<VfState> {
  const { mac: _, address, ...settings } = await tellOf(vf);
  const override = readFileSync(`${pciPath(vf.address)}/driver_override`, "utf8").trim();
  const link = netdevOf(vf.address);
  return { driver: driverOf(vf.address), override, link, mac: macOf(link, address as string), settings };
}

/** Returns the VF's MAC address according to the PF and the VF's link, or both if they differ. */
function macOf(link: string | undefined, atPf: string): string {
  if (link === undefined) return atPf;
  const [own, kind] = ["address", "addr_assign_type"].map((name) =>
    readFileSync(`/sys/class/net/${link}/${name}`, "utf8").trim(),
  );
  // NET_ADDR_RANDOM in <uapi/linux/netdevice.h>.
  const isPicked = kind === "1";
  if (own !== atPf) return `${atPf} at the PF, ${own} at the link${isPicked ? ", picked" : ""}`;
  return isPicked ? "picked" : atPf;
}

async function tellOf({ pf, index }: Vf): Promise<Record<string, unknown>> {
  const { stdout } = await execa("ip", ["-json", "link", "show", "dev", pf]);
  return JSON.parse(stdout)[0].vfinfo_list[index];
}

/** The records in a journal's directory, such as `CONTAINER/net1.json`. */
export function recordsIn(directory: string): string[] {
  return filesIn(directory)
    .filter((name) => !name.includes(":") && !name.startsWith("."))
    .flatMap((name) => filesIn(`${directory}/${name}`).map((file) => `${name}/${file}`));
}

/** The names in a directory. Empty if it does not exist. */
export function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}

// What the tests of sriov-vfio share: VFs that can be set up, pods that are to have one, and all
// that a DEL has to give back.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { createNamespace } from "../../harness/namespaces.ts";
import { type Answer, type Call, callPlugin } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import { createVfs, driverOf, netdevOf, pciPath, type Vf } from "../../harness/sriov.ts";

/** What a verb without a result answers. */
export const done = { status: 0, stdout: "" };

/** Everything that igb can set, but for the MAC address, which CNI_ARGS has. */
export const asked = { vlan: 100, vlanQoS: 3, max_tx_rate: 100, spoofchk: "off", trust: "on" };

let containers = 0;

/** A pod that is to have a VF. */
export interface VfPod {
  readonly call: Call;
  readonly netconf: Readonly<Record<string, unknown>>;
  /** The device information's file, which neither Multus nor anybody else has written. */
  readonly info: string;
  /** The plugin's `dataDir`. */
  readonly journal: string;
  /** The pod's namespace. */
  readonly path: string;
  /** Calls the plugin, `fields` on top of the configuration. */
  run(verb: string, fields?: object, call?: Call): Promise<Answer>;
  check(): Promise<Answer>;
  /** The journal's files; none where its directory is missing. */
  records(): string[];
}

/**
 * VFs of a PF that is up, on their own driver unless `probe` is false, once the PF has a carrier
 * again: igb loses it where it makes VFs, and takes no rate without. Their driver takes them
 * after that: of a VF that it takes while they are made, igb does not know the MAC address, and
 * lets nothing through to it.
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
 * A pod that is to have the VF, with a namespace and a container ID of its own, and, unless
 * `fields` say otherwise, a journal.
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
    records: () => filesIn(netconf.dataDir),
  };
}

/** How the VF is set up, as `ip` tells, without its MAC address. */
export async function settingsOf(vf: Vf): Promise<Record<string, unknown>> {
  const { mac: _, address: __, ...settings } = await tellOf(vf);
  return settings;
}

/** All that a DEL has to give back. */
export interface VfState {
  readonly driver: string | undefined;
  readonly override: string;
  /** Its network link's name. */
  readonly link: string | undefined;
  /** The PF's, or `picked`: its own driver's by chance, another one at each probe. */
  readonly mac: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export async function stateOf(vf: Vf): Promise<VfState> {
  const { mac: _, address, ...settings } = await tellOf(vf);
  const override = readFileSync(`${pciPath(vf.address)}/driver_override`, "utf8").trim();
  const link = netdevOf(vf.address);
  return { driver: driverOf(vf.address), override, link, mac: macOf(link, address as string), settings };
}

/** What the PF and the VF's link say of the MAC address, in a word where they agree. */
function macOf(link: string | undefined, atPf: string): string {
  if (link === undefined) return atPf;
  const [own, kind] = ["address", "addr_assign_type"].map((name) =>
    readFileSync(`/sys/class/net/${link}/${name}`, "utf8").trim(),
  );
  // NET_ADDR_RANDOM of <uapi/linux/netdevice.h>.
  const isPicked = kind === "1";
  if (own !== atPf) return `${atPf} at the PF, ${own} at the link${isPicked ? ", picked" : ""}`;
  return isPicked ? "picked" : atPf;
}

async function tellOf({ pf, index }: Vf): Promise<Record<string, unknown>> {
  const { stdout } = await execa("ip", ["-json", "link", "show", "dev", pf]);
  return JSON.parse(stdout)[0].vfinfo_list[index];
}

/** The names in a directory, none where it is missing. */
export function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}

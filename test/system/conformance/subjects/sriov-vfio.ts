// sriov-vfio: on VFs of the lab's NIC, and without any, where only what comes before the VF can be
// tried.
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { execa } from "execa";
import type { Netconf } from "../../../harness/attachment.ts";
import { namespaceNamed } from "../../../harness/namespaces.ts";
import { dist } from "../../../harness/plugin.ts";
import { previousResult } from "../../../harness/previous-result.ts";
import type { Scope } from "../../../harness/scope.ts";
import { bindTo, type Vf } from "../../../harness/sriov.ts";
import { podWith, stateOf, vfsOf } from "../../../lab/sriov/pod.ts";
import { fileLines, type Ground, type Subject } from "../subject.ts";

const name = "sriov-vfio";
const mac = "02:00:00:00:00:77";
const vlan = 100;

const withoutGround: Omit<Subject, "attaches" | "ground"> = {
  name,
  path: `${dist}/${name}`,
  ipam: "optional",
  reach: "node",
  records: true,
  appended: ["eth0"],
  result: (cniVersion, { call, netconf }) => ({
    cniVersion,
    ...(cniVersion >= "0.3.0" && {
      interfaces: [
        {
          ...{ name: call.ifname, mac, sandbox: call.netns },
          ...(cniVersion >= "1.1.0" && { mtu: 1500, pciID: netconf["deviceID"] }),
        },
      ],
    }),
  }),
  // Behind those of the plugins before.
  guestMac: ({ interfaces }) => interfaces?.at(-1)?.mac,
};

/** Without a VF: the PCI address is one that no device has. */
export const sriovVfioAlone: Subject = {
  ...withoutGround,
  attaches: false,
  ground: async (scope, beside) => {
    const nowhere: Vf = { address: "0000:ff:1f.7", pf: "none", index: 0 };
    return await groundOn(scope, nowhere, beside, async () => []);
  },
};

/**
 * On VFs of `pf` that are on vfio-pci already, which spares every ADD the binding. There are three,
 * one for each ground that is in use at a time.
 */
export async function sriovVfioOn(scope: Scope, pf: string): Promise<Subject> {
  const vfs = await vfsOf(scope, pf, 3, { probe: false });
  for (const { address } of vfs) bindTo(address, "vfio-pci");
  const free = [...vfs];
  return {
    ...withoutGround,
    attaches: true,
    ground: async (scope, beside) => {
      const vf = free.shift();
      if (vf === undefined) throw new Error(`${pf}: all ${vfs.length} VFs are in use`);
      scope.teardown(() => free.push(vf));
      return await groundOn(scope, vf, beside, async () => [`VF ${JSON.stringify(await stateOf(vf))}`]);
    },
  };
}

async function groundOn(
  scope: Scope,
  vf: Vf,
  beside: Ground | undefined,
  stateOfVf: () => Promise<string[]>,
): Promise<Ground> {
  const fields: Netconf = { mac, vlan, ...(beside && { dataDir: beside.netconf["dataDir"] }) };
  const { call, netconf, info, path } = await podWith(scope, vf, fields);
  const namespace = namespaceNamed(basename(path));
  const directory = dirname(netconf["dataDir"] as string);
  const set = (id: number) => execa("ip", ["link", "set", vf.pf, "vf", `${vf.index}`, "vlan", `${id}`]);
  return {
    call,
    netconf,
    namespace,
    directory,
    state: async () => [...(await stateOfVf()), ...fileLines(directory), ...fileLines(dirname(info))],
    // Its namespace stays empty; what the node has is seen by the names of its links, which costs
    // nothing where it is emulated.
    surroundings: async () => readdirSync("/sys/class/net/").sort(),
    // The network is another plugin's, of which only these are asked.
    previousResult: (version) => previousResult(version, { mac: "02:00:00:00:00:01" }, { namespace }),
    meddle: async () => {
      await set(7);
      return async () => {
        await set(vlan);
      };
    },
  };
}

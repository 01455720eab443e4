// Creates a pod with an attachment per VF, and starts a guest on the VFs as virt-launcher does.
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { namespaceNamed } from "../../harness/namespaces.ts";
import type { Answer } from "../../harness/plugin.ts";
import type { Scope } from "../../harness/scope.ts";
import type { Vf } from "../../harness/sriov.ts";
import { startVirtualMachine, type VirtualMachine } from "../vm/guest.ts";
import { podWith } from "./pod.ts";

/** A NIC to attach. */
export interface Wanted {
  readonly vf: Vf;
  /** Further fields of the netconf. */
  readonly fields?: object;
  readonly args?: string;
}

export interface Nic {
  readonly vf: Vf;
  run(verb: string, fields?: object): Promise<Answer>;
  check(): Promise<Answer>;
  /**
   * The PCI address in the device information. It is KubeVirt's only source for the VF
   * (network-status).
   */
  functionOf(): string;
}

/**
 * Creates a pod with a NIC (`net1`, `net2`, …) for each element of `wanted`. Calls no plugin.
 *
 * Each NIC has its own network.
 */
export async function podOfNics(
  scope: Scope,
  wanted: readonly [Wanted, ...Wanted[]],
): Promise<{ path: string; nics: Nic[] }> {
  const pod = await podWith(scope, wanted[0].vf);
  const nics = wanted.map(({ vf, fields, args }, index): Nic => {
    const ifname = `net${index + 1}`;
    const info = `${dirname(pod.info)}/${ifname}.json`;
    const own = {
      name: `network-${ifname}`,
      deviceID: vf.address,
      runtimeConfig: { CNIDeviceInfoFile: info },
      ...fields,
    };
    const call = { ifname, timeout: 60_000, ...(args !== undefined && { args }) };
    const run: Nic["run"] = (verb, more) => pod.run(verb, { ...own, ...more }, call);
    return {
      vf,
      run,
      check: () => run("CHECK", { prevResult: { cniVersion: "1.1.0" } }),
      functionOf: () => JSON.parse(readFileSync(info, "utf8")).pci["pci-address"],
    };
  });
  return { path: pod.path, nics };
}

/** Starts the guest. Its eth0, eth1, … are the pod's NICs. */
export async function launch(
  scope: Scope,
  { path, nics }: { readonly path: string; readonly nics: readonly Nic[] },
): Promise<VirtualMachine> {
  const functions = nics.map((nic) => nic.functionOf());
  return await startVirtualMachine(scope, { namespace: namespaceNamed(basename(path)), functions });
}

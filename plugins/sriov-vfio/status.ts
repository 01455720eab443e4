// Whether a node can serve an ADD at all.
import { fault } from "../../lib/cni/failure.ts";
import type { Look } from "../../lib/plugin/operator.ts";
import { hasDriver } from "../../lib/sysfs/pci.ts";
import { virtualFunctions } from "../../lib/sysfs/sriov.ts";
import { attribute, type Tree, text } from "../../lib/sysfs/tree.ts";
import { hasIommu } from "../../lib/sysfs/vfio.ts";
import type { Netconf } from "./netconf.ts";

/** What an ADD needs of the node. */
export function needs({ driver }: Pick<Netconf, "driver">, tree: Tree): Look[] {
  return [
    {
      what: "node: IOMMU",
      fault: () =>
        hasIommu(tree)
          ? undefined
          : "node: has no IOMMU that is switched on; switch on VT-d or AMD-Vi, and set intel_iommu=on for an Intel one",
    },
    {
      what: `${driver}: the kernel has it`,
      fault: () =>
        hasDriver(tree, driver) || isLoadable(tree, driver)
          ? undefined
          : `${driver}: is no driver of this kernel, nor a module that it could load`,
    },
    {
      what: "node: SR-IOV VFs",
      fault: () =>
        virtualFunctions(tree).length > 0 ? undefined : "node: has no SR-IOV VF; make some by a PF's sriov_numvfs",
    },
  ];
}

/** What the node lacks, each with what to do, and what the other looks find wrong: they give it, or throw it. */
export function unavailable(conf: Pick<Netconf, "driver">, tree: Tree, ...looks: readonly (() => unknown)[]): string[] {
  return [...needs(conf, tree).map((need) => need.fault), ...looks].flatMap(fault);
}

/** Whether depmod knows the module: /lib/modules/VERSION/modules.dep. Its name has underscores or dashes, which are the same to the kernel. */
function isLoadable(tree: Tree, driver: string): boolean {
  const release = attribute(tree, "/proc/sys/kernel/osrelease");
  const pattern = new RegExp(`/${driver.replaceAll(/[-_]/g, "[-_]")}\\.ko[.a-z0-9]*:`);
  return [`/lib/modules/${release}`, `/usr/lib/modules/${release}`].some((directory) =>
    pattern.test(text(tree, `${directory}/modules.dep`) ?? ""),
  );
}

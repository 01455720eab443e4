// Whether a node can serve an ADD at all.
import { fault } from "../../lib/cni/failure.ts";
import { hasDriver } from "../../lib/sysfs/pci.ts";
import { virtualFunctions } from "../../lib/sysfs/sriov.ts";
import { attribute, type Tree, text } from "../../lib/sysfs/tree.ts";
import { hasIommu } from "../../lib/sysfs/vfio.ts";
import type { Netconf } from "./netconf.ts";

/** What the node lacks, each with what to do, and what the other looks find wrong: they give it, or throw it. */
export function unavailable(
  { driver }: Pick<Netconf, "driver">,
  tree: Tree,
  ...looks: readonly (() => unknown)[]
): string[] {
  return [
    hasIommu(tree)
      ? []
      : "node: has no IOMMU that is switched on; switch on VT-d or AMD-Vi, and set intel_iommu=on for an Intel one",
    hasDriver(tree, driver) || isLoadable(tree, driver)
      ? []
      : `${driver}: is no driver of this kernel, nor a module that it could load`,
    virtualFunctions(tree).length > 0 ? [] : "node: has no SR-IOV VF; make some by a PF's sriov_numvfs",
    ...looks.map(fault),
  ].flat();
}

/** Whether depmod knows the module: /lib/modules/VERSION/modules.dep. Its name has underscores or dashes, which are the same to the kernel. */
function isLoadable(tree: Tree, driver: string): boolean {
  const release = attribute(tree, "/proc/sys/kernel/osrelease");
  const pattern = new RegExp(`/${driver.replaceAll(/[-_]/g, "[-_]")}\\.ko[.a-z0-9]*:`);
  return [`/lib/modules/${release}`, `/usr/lib/modules/${release}`].some((directory) =>
    pattern.test(text(tree, `${directory}/modules.dep`) ?? ""),
  );
}

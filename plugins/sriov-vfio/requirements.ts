// What an ADD of sriov-vfio requires of the node.
import type { Requirement } from "../../lib/plugin/operator.ts";
import { hasDriver } from "../../lib/sysfs/pci.ts";
import { virtualFunctions } from "../../lib/sysfs/sriov.ts";
import { attribute, readText, type Tree } from "../../lib/sysfs/tree.ts";
import { hasIommu } from "../../lib/sysfs/vfio.ts";
import type { Conf } from "./netconf.ts";

export function requirements({ driver }: Pick<Conf, "driver">, tree: Tree): Requirement[] {
  return [
    {
      what: "node: IOMMU",
      check() {
        if (!hasIommu(tree))
          throw new Error(
            "node: the IOMMU is off; enable VT-d or AMD-Vi in the firmware, and intel_iommu=on on an Intel kernel's command line",
          );
      },
    },
    {
      what: `${driver}: the kernel has it`,
      check() {
        if (!hasDriver(tree, driver) && !isLoadable(tree, driver))
          throw new Error(`${driver}: neither a driver of this kernel nor a module that it can load`);
      },
    },
    {
      what: "node: SR-IOV VFs",
      check() {
        if (virtualFunctions(tree).length === 0)
          throw new Error("node: has no SR-IOV VF; create some through a PF's sriov_numvfs");
      },
    },
  ];
}

/**
 * Whether depmod lists the module: /lib/modules/VERSION/modules.dep. Underscores and dashes in its
 * name are the same to the kernel.
 */
function isLoadable(tree: Tree, driver: string): boolean {
  const release = attribute(tree, "/proc/sys/kernel/osrelease");
  const pattern = new RegExp(`/${driver.replaceAll(/[-_]/g, "[-_]")}\\.ko[.a-z0-9]*:`);
  return [`/lib/modules/${release}`, `/usr/lib/modules/${release}`].some((directory) =>
    pattern.test(readText(tree, `${directory}/modules.dep`) ?? ""),
  );
}

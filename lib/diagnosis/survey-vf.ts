// Reads the VF of a record from the node, and changes nothing.
import * as host from "host";
import { Vfs } from "../kernel/vfs.ts";
import { noMac } from "../net/mac.ts";
import { linkExtras } from "../netlink/route/link-header.ts";
import { vfLink } from "../netlink/route/vf.ts";
import { openRtnetlink } from "../netlink/socket.ts";
import type { Allocation } from "../plan/allocations.ts";
import { type DeviceChange, settingNames, settingText, type VfSetting, vfChanges } from "../plan/device.ts";
import { driverOf, identityOf, isDevice } from "../sysfs/pci.ts";
import { virtualFunction } from "../sysfs/sriov.ts";
import { attribute, type Tree } from "../sysfs/tree.ts";
import * as vfio from "../sysfs/vfio.ts";
import type { SurveyedVf } from "./survey.ts";

/** sysfs and /dev of this node. */
const tree: Tree = host;

/** Returns the state of the VF that ADD handed over. */
export function surveyVf({ device: given, changes }: Allocation): SurveyedVf {
  const device = given.address;
  if (!isDevice(tree, device)) return { ...nothing, device };
  const { inode } = identityOf(tree, device);
  const driver = driverOf(tree, device);
  const group = vfio.groupOf(tree, device);
  const file = vfio.fileOf(tree, device);
  return {
    device,
    there: inode === given.inode,
    ...(driver !== undefined && { driver }),
    ...(group !== undefined && { group }),
    handedOver: driver !== undefined && vfio.isVfioDriver(driver),
    offenders:
      group === undefined
        ? []
        : vfio.offendersOf(tree, group, device).map(({ address, driver }) => `${address} is on ${driver}`),
    file: file ?? vfio.expectedFile(tree, device),
    openable: file !== undefined,
    users: file === undefined ? [] : vfio.holdersOf(tree, file),
    ...seenPf(device, changes),
  };
}

const nothing = { there: false, handedOver: false, offenders: [], file: "/dev/vfio", openable: false, users: [] };

function seenPf(device: string, changes: readonly DeviceChange[]): Pick<SurveyedVf, "pf" | "fault"> {
  const { rtnl } = openRtnetlink();
  try {
    const where = virtualFunction(tree, device);
    if (where === undefined) return { fault: `${device}: is no virtual function` };
    const vfs = new Vfs(tree, rtnl, () => undefined);
    const { uplink, up, mtu, settings } = vfs.get(where);
    const { vfList } = rtnl.get(vfLink, { name: uplink, extMask: linkExtras.vfs | linkExtras.skipStatistics }, uplink);
    const twins = (vfList?.list ?? []).flatMap(({ mac }) =>
      mac === undefined || mac.mac === noMac || mac.mac !== settings.mac || mac.vf === where.index ? [] : [mac.vf],
    );
    return {
      pf: {
        link: uplink,
        index: where.index,
        up,
        carrier: up && attribute(tree, `/sys/class/net/${uplink}/carrier`) !== "0",
        mtu,
        settings: Object.entries(settings).map(
          ([name, value]) => `${settingNames[name as VfSetting]} ${settingText(value)}`,
        ),
        differences: vfChanges(changes).flatMap((change) => vfs.differences(change)),
        twins,
      },
    };
  } catch (failure) {
    return { fault: (failure as Error).message };
  } finally {
    rtnl.close();
  }
}

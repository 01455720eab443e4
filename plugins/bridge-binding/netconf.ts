// The schema of bridge-binding's netconf.
import {
  type ConfOf,
  defaulted,
  defineSchema,
  journalDirectory,
  optional,
  type SalvagedOf,
} from "../../lib/cni/netconf.ts";
import { cidr, either, flag, integer, linkName, list, mac, object, oneOf, text } from "../../lib/cni/schemas.ts";
import { largestTapMtu } from "./limits.ts";
import { isAmbiguous } from "./vlans.ts";

const userId = () => integer({ min: 0, max: 0xfffffffe });
const vlanId = () => integer({ min: 1, max: 4094 });

export const schema = defineSchema(
  () => ({
    interface: optional(linkName),
    primaryInterface: defaulted("eth0", linkName),
    attachment: defaulted("tap", () => oneOf("tap", "managedTap")),
    // The user that KubeVirt runs QEMU as.
    owner: defaulted(107, userId),
    group: defaulted(107, userId),
    // MAX_TAP_QUEUES of the kernel's drivers/net/tun.c.
    queues: defaulted(1, () => integer({ min: 1, max: 256 })),
    // The minimum is ETH_MIN_MTU.
    mtu: optional(() => integer({ min: 68, max: largestTapMtu, unit: "bytes" })),
    mac: optional(mac),
    vlan: optional(vlanId),
    vlanTrunk: optional(() =>
      list(either(object({ id: vlanId() }), object({ minID: vlanId(), maxID: vlanId() })), { max: 4094 }),
    ),
    portIsolation: defaulted(false, flag),
    bridgeAddress: defaulted("auto", () => either(oneOf("auto", "none"), cidr())),
    keepPodAddresses: defaulted(true, flag),
    selinuxContext: optional(text),
    dataDir: journalDirectory("bridge-binding"),
  }),
  (conf): string[] => [
    ...(conf.vlanTrunk ?? []).flatMap((range, position) =>
      "minID" in range && range.minID > range.maxID
        ? [`vlanTrunk[${position}]: minID ${range.minID} is above maxID ${range.maxID}`]
        : [],
    ),
    ...(isAmbiguous(conf)
      ? [`vlanTrunk: contains ${conf.vlan}, which is also vlan (untagged); remove it from one`]
      : []),
    ...(conf.bridgeAddress.includes(":")
      ? ["bridgeAddress: must be an IPv4 one, because IPv6 is off on the bridge"]
      : []),
    ...(conf.attachment === "managedTap" ? meaningless(conf) : []),
  ],
);

/** A validated netconf. */
export type Conf = ConfOf<typeof schema>;

/** What DEL and GC use of an invalid netconf. */
export type SalvagedConf = SalvagedOf<typeof schema>;

/** The fields about the tap and the pod's link, which KubeVirt configures with managedTap. */
function meaningless(conf: { readonly [field: string]: unknown }): string[] {
  const fields = ["mac", "vlan", "vlanTrunk", "selinuxContext"].filter((field) => conf[field] !== undefined);
  return fields.map((field) => `${field}: not allowed with attachment "managedTap": KubeVirt creates the tap`);
}

// The schema of sriov-vfio's netconf: the names of sriov-cni, and how the VF is bound to its VFIO
// driver.
import {
  type ConfOf,
  defaulted,
  defineSchema,
  journalDirectory,
  optional,
  type SalvagedOf,
} from "../../lib/cni/netconf.ts";
import { integer, mac, oneOf, pciAddress, vfioDriver } from "../../lib/cni/schemas.ts";

/** In Mbit/s, as u32 of struct ifla_vf_rate. */
const rate = () => integer({ min: 0, max: 0xffffffff, unit: "Mbit/s" });
const onOff = () => oneOf("on", "off");

export const schema = defineSchema(
  () => ({
    deviceID: optional(pciAddress),
    binding: defaulted("auto", () => oneOf("auto", "require-prebound", "bind")),
    driver: defaulted("vfio-pci", vfioDriver),
    mac: optional(mac),
    vlan: optional(() => integer({ min: 0, max: 4094 })),
    vlanQoS: optional(() => integer({ min: 0, max: 7 })),
    vlanProto: optional(() => oneOf("802.1q", "802.1ad")),
    min_tx_rate: optional(rate),
    max_tx_rate: optional(rate),
    spoofchk: optional(onOff),
    trust: optional(onOff),
    link_state: optional(() => oneOf("auto", "enable", "disable")),
    dataDir: journalDirectory("sriov-vfio"),
  }),
  ({ vlan, vlanQoS, vlanProto, min_tx_rate: least = 0, max_tx_rate: most = 0 }): string[] => [
    ...(vlanQoS !== undefined && vlanQoS !== 0 && !vlan ? ["vlanQoS: requires vlan"] : []),
    ...(vlanProto === "802.1ad" && !vlan ? ["vlanProto: 802.1ad requires vlan"] : []),
    ...(vlanProto !== undefined && vlan === undefined && vlanProto !== "802.1ad" ? ["vlanProto: requires vlan"] : []),
    ...(most !== 0 && least > most ? [`min_tx_rate: ${least} Mbit/s is more than the ${most} of max_tx_rate`] : []),
  ],
);

/** A validated netconf. */
export type Conf = ConfOf<typeof schema>;

/** What DEL and GC use of an invalid netconf. */
export type SalvagedConf = SalvagedOf<typeof schema>;

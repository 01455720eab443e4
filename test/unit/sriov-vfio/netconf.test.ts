import t from "tap";
import type { JsonObject } from "../../../lib/cni/json.ts";
import { schema } from "../../../plugins/sriov-vfio/netconf.ts";

const network = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" };

/** The faults of a configuration. Empty if it is valid. */
function faults(conf: object): string {
  try {
    schema.parse({ ...network, ...conf } as JsonObject);
    return "";
  } catch (failure) {
    return (failure as Error).message;
  }
}

t.test("no field is required, and an absent field stays undefined", async (t) => {
  t.strictSame(schema.parse(network), { binding: "auto", driver: "vfio-pci", dataDir: "/run/sriov-vfio" });
});

const valid: Record<string, readonly unknown[]> = {
  deviceID: ["0000:3b:02.6", "10000:01:10.0"],
  binding: ["auto", "require-prebound", "bind"],
  driver: ["vfio-pci", "mlx5_vfio_pci", "hisi_acc_vfio_pci"],
  mac: ["02:00:00:00:00:01", "0a-58-0A-f4-00-07"],
  vlan: [0, 1, 4094],
  min_tx_rate: [0],
  max_tx_rate: [0, 1, 4294967295],
  spoofchk: ["on", "off"],
  trust: ["on", "off"],
  link_state: ["auto", "enable", "disable"],
  dataDir: ["/run/sriov-vfio", "/run/sriov-vfio/blue"],
};
const invalid: Record<string, readonly unknown[]> = {
  deviceID: ["3b:02.6", "0000:3b:02.8", "0000:3b:02", "../0000:3b:02.6", "0000:3b:02.6\n", "", 7, {}],
  binding: ["Auto", "prebound", true, ""],
  driver: [
    "igbvf",
    "uio_pci_generic",
    "",
    "vfio-pci/../../igbvf",
    "../vfio-pci",
    "/tmp/evil-vfio-pci",
    "x y-vfio-pci",
    "x\nvfio-pci",
    `${"x".repeat(50)}-vfio-pci`,
    7,
  ],
  mac: ["02:00:00:00:00", "01:00:00:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "", 7],
  vlan: [-1, 4095, 4096, 1.5, "100", true, []],
  vlanQoS: [-1, 8, "3", 0.5],
  vlanProto: ["802.1Q", "802.1x", "", 8021],
  min_tx_rate: [-1, 4294967296, "100", 0.5],
  max_tx_rate: [-1, 4294967296, "100"],
  spoofchk: ["ON", "yes", true, false, "", 1],
  trust: ["On", "true", true, ""],
  link_state: ["up", "Enable", true, ""],
  dataDir: [
    "run/x",
    "/run/../etc",
    "",
    "/etc/cni/net.d",
    "/run/sriov-vfio-x",
    "/run/sriov-vfio/../x",
    "/run/sriov-vfio/./x",
  ],
};

t.test("each field accepts its valid values", async (t) => {
  for (const [field, values] of Object.entries(valid))
    for (const value of values) t.equal(faults({ [field]: value }), "", `${field}: ${value}`);
});

t.test("each field refuses other values, and the fault names the field", async (t) => {
  for (const [field, values] of Object.entries(invalid))
    for (const value of values)
      t.match(faults({ [field]: value }), new RegExp(`^${field}: must be `), `${field}: ${JSON.stringify(value)}`);
});

t.test("vlanQoS and vlanProto require vlan", async (t) => {
  const noVlan = "vlanQoS: requires vlan";
  const cases: [conf: object, faults: string][] = [
    [{ vlan: 100 }, ""],
    [{ vlan: 100, vlanQoS: 7, vlanProto: "802.1ad" }, ""],
    [{ vlan: 100, vlanQoS: 0, vlanProto: "802.1q" }, ""],
    [{ vlan: 0 }, ""],
    [{ vlan: 0, vlanQoS: 0, vlanProto: "802.1q" }, ""],
    [{ vlan: 0, vlanQoS: 1 }, noVlan],
    [{ vlanQoS: 1 }, noVlan],
    [{ vlan: 0, vlanProto: "802.1ad" }, "vlanProto: 802.1ad requires vlan"],
    [{ vlanProto: "802.1ad" }, "vlanProto: 802.1ad requires vlan"],
    [{ vlanProto: "802.1q" }, "vlanProto: requires vlan"],
  ];
  for (const [conf, expected] of cases) t.equal(faults(conf), expected, JSON.stringify(conf));
});

t.test("min_tx_rate must not exceed max_tx_rate, if that is set", async (t) => {
  t.equal(faults({ min_tx_rate: 100, max_tx_rate: 100 }), "");
  t.equal(faults({ min_tx_rate: 100, max_tx_rate: 0 }), "");
  t.equal(faults({ min_tx_rate: 100 }), "");
  t.equal(
    faults({ min_tx_rate: 200, max_tx_rate: 100 }),
    "min_tx_rate: 200 Mbit/s is more than the 100 of max_tx_rate",
  );
});

t.test("an unknown key is a fault that names the nearest one, and all faults are reported at once", async (t) => {
  t.match(faults({ vlanQos: 1 }), /unknown field "vlanQos", it is spelled "vlanQoS"/);
  t.match(faults({ spoofcheck: "on" }), /did you mean "spoofchk"\?/);
  t.match(faults({ vlan: 5000, trust: true, maxTxRate: 1 }), /vlan: .*; trust: .*; netconf: unknown field "maxTxRate"/);
});

t.test("DEL and GC get the journal's directory, whatever other field is invalid", async (t) => {
  t.match(schema.salvage({ ...network, vlan: 5000, oops: 1, dataDir: "/run/sriov-vfio/blue" }), {
    dataDir: "/run/sriov-vfio/blue",
  });
  t.match(schema.salvage({ ...network, dataDir: "/var/run/sriov-vfio" }), { dataDir: "/run/sriov-vfio" });
  t.match(schema.salvage({ ...network, dataDir: 7 }), { dataDir: "/run/sriov-vfio" });
});

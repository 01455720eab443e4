import t from "tap";
import type { JsonObject } from "../../../lib/cni/json.ts";
import type { ConfigureVf, DeviceChange, VfSettings } from "../../../lib/plan/device.ts";
import { schema } from "../../../plugins/sriov-vfio/netconf.ts";
import { type FoundVf, guestMac, obstacles, plan, type Situation } from "../../../plugins/sriov-vfio/plan.ts";

const noMac = "00:00:00:00:00:00";
const generatedMac = "02:00:00:00:00:99";

const found: FoundVf = {
  device: "0000:01:10.2",
  pf: "0000:01:00.0",
  index: 1,
  binding: { driver: "igbvf" },
  links: ["eth3"],
  mtu: 1500,
  uplink: "eth0",
  up: true,
  settings: {
    mac: "02:00:00:00:00:77",
    vlan: { id: 0, qos: 0, protocol: "802.1q" },
    rate: { least: 0, most: 50 },
    spoofCheck: true,
    trust: false,
    linkState: "auto",
  },
  picked: false,
  group: "10",
  offenders: [],
};

function situation(conf: object = {}, more: Partial<FoundVf> = {}, rest: Partial<Situation> = {}): Situation {
  const network = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio", ...conf } as JsonObject;
  return { conf: schema.parse(network), found: { ...found, ...more }, generatedMac, ...rest };
}

function settings(of: Situation): Pick<ConfigureVf, "from" | "to"> | undefined {
  const change = plan(of).find((one) => one.do === "configureVf");
  return change === undefined ? undefined : { from: change.from, to: change.to };
}

function kinds(changes: readonly DeviceChange[]): string[] {
  return changes.map((change) => change.do);
}

const prebound: Partial<FoundVf> = { binding: { driver: "vfio-pci", override: "vfio-pci" }, links: [] };

/** The settings that the PF reports already, and that are set again. */
const told = { mac: "02:00:00:00:00:77" };

t.test(
  "without settings in the configuration, the VF keeps its MAC address, and only the driver changes",
  async (t) => {
    const kept: DeviceChange = { do: "configureVf", pf: found.pf, index: 1, from: told, to: told };
    t.strictSame(plan(situation()), [
      kept,
      {
        do: "bindDriver",
        device: found.device,
        from: { driver: "igbvf" },
        to: { driver: "vfio-pci" },
        links: ["eth3"],
      },
    ]);
    t.strictSame(plan(situation({}, prebound)), [kept]);
  },
);

t.test("a VF without a MAC address gets one, and no other setting", async (t) => {
  const without = { settings: { ...found.settings, mac: noMac } };
  t.strictSame(settings(situation({}, without)), { from: { mac: noMac }, to: { mac: generatedMac } });
  const { mac, ...others } = found.settings;
  t.strictSame(settings(situation({}, { settings: others })), { from: {}, to: { mac: generatedMac } });
});

t.test("exactly the configured settings are set, and the change holds their old values", async (t) => {
  const cases: [conf: object, to: VfSettings][] = [
    [{ vlan: 100 }, { vlan: { id: 100, qos: 0, protocol: "802.1q" } }],
    [{ vlan: 100, vlanQoS: 3, vlanProto: "802.1ad" }, { vlan: { id: 100, qos: 3, protocol: "802.1ad" } }],
    [{ vlan: 0, vlanProto: "802.1q" }, { vlan: { id: 0, qos: 0, protocol: "802.1q" } }],
    [{ max_tx_rate: 200 }, { rate: { least: 0, most: 200 } }],
    [{ min_tx_rate: 10 }, { rate: { least: 10, most: 50 } }],
    [{ min_tx_rate: 10, max_tx_rate: 20 }, { rate: { least: 10, most: 20 } }],
    [{ max_tx_rate: 0 }, { rate: { least: 0, most: 0 } }],
    [{ spoofchk: "off" }, { spoofCheck: false }],
    [{ spoofchk: "on" }, { spoofCheck: true }],
    [{ trust: "on" }, { trust: true }],
    [{ trust: "off" }, { trust: false }],
    [{ link_state: "enable" }, { linkState: "enable" }],
  ];
  for (const [conf, to] of cases) {
    const [name] = Object.keys(to) as [keyof VfSettings];
    const from = { ...told, [name]: found.settings[name] };
    t.strictSame(settings(situation(conf)), { from, to: { ...told, ...to } }, JSON.stringify(conf));
  }
});

t.test("the MAC address is the requested one, the VF's, or a derived one, in this order", async (t) => {
  const asked = "02:00:00:00:00:01";
  const without = { settings: { mac: noMac } };
  t.strictSame(
    [
      situation({}, {}, { mac: asked }),
      situation(),
      situation({}, without),
      situation({}, without, { mac: asked }),
    ].map(guestMac),
    [asked, "02:00:00:00:00:77", generatedMac, asked],
  );
  t.strictSame(settings(situation({}, {}, { mac: asked })), { from: { mac: "02:00:00:00:00:77" }, to: { mac: asked } });
  t.strictSame(
    settings(situation({}, {}, { mac: "02:00:00:00:00:77" }))?.to,
    { mac: "02:00:00:00:00:77" },
    "CHECK is to look at it",
  );
});

t.test("whether a VF is bound depends on its driver, on `binding` and on `driver`", async (t) => {
  const on = (driver: string | undefined): Partial<FoundVf> => ({
    binding: driver === undefined ? {} : { driver },
    links: driver === "igbvf" ? ["eth3"] : [],
  });
  const cases: [binding: string, driver: string, on: string | undefined, bound: boolean][] = [
    ["auto", "vfio-pci", "igbvf", true],
    ["auto", "vfio-pci", undefined, true],
    ["auto", "vfio-pci", "vfio-pci", false],
    ["auto", "vfio-pci", "mlx5_vfio_pci", false],
    ["auto", "mlx5_vfio_pci", "vfio-pci", false],
    ["bind", "vfio-pci", "igbvf", true],
    ["bind", "vfio-pci", undefined, true],
    ["bind", "vfio-pci", "vfio-pci", false],
    ["bind", "mlx5_vfio_pci", "vfio-pci", true],
    ["require-prebound", "vfio-pci", "vfio-pci", false],
    ["require-prebound", "vfio-pci", "mlx5_vfio_pci", false],
  ];
  for (const [binding, driver, present, bound] of cases) {
    const of = situation({ binding, driver }, on(present));
    t.strictSame(obstacles(of), []);
    t.strictSame(
      kinds(plan(of)),
      bound ? ["configureVf", "bindDriver"] : ["configureVf"],
      `${binding} ${driver}, on ${present}`,
    );
  }
  for (const present of ["igbvf", undefined])
    t.match(obstacles(situation({ binding: "require-prebound" }, on(present))), [
      {
        fact: `0000:01:10.2: is on ${present ?? "no driver"}, and binding is "require-prebound"`,
        hint: /bind it to vfio-pci before/,
      },
    ]);
});

t.test("settings come before the driver, which reads them, and the file comes last", async (t) => {
  const info = { path: "/run/info.json" };
  const of = situation({ vlan: 1 }, {}, { info });
  t.strictSame(kinds(plan(of)), ["configureVf", "bindDriver", "file"]);
  t.match(plan(of).at(-1), {
    path: "/run/info.json",
    from: undefined,
    to: /"pci-address":"0000:01:10.2","pf-pci-address":"0000:01:00.0"/,
  });
  const present = '{"type":"pci"}';
  t.match(plan(situation({}, {}, { info: { ...info, present } })).at(-1), { from: present });
  t.throws(() => plan(situation({}, {}, { info: { ...info, present: "root:x:0" } })), {
    message: /^\/run\/info.json: is there, and is no/,
  });
});

t.test("each obstacle is reported with a remedy", async (t) => {
  const cases: [more: Partial<FoundVf>, fact: string, hint: RegExp][] = [
    [{ up: false }, "eth0: the VF's PF is down", /^ip link set eth0 up$/],
    [{ group: undefined }, "0000:01:10.2: is in no IOMMU group", /intel_iommu=on/],
    [
      {
        offenders: [
          { address: "0000:01:00.0", driver: "igb" },
          { address: "0000:01:10.0", driver: "igbvf" },
        ],
      },
      "0000:01:10.2: its IOMMU group 10 is not viable: 0000:01:00.0 is on igb, 0000:01:10.0 is on igbvf",
      /ACS/,
    ],
    [
      { links: [] },
      "0000:01:10.2: is on igbvf and has no network link on the node: it is in another network namespace",
      /delete the pod/,
    ],
  ];
  t.strictSame(obstacles(situation()), []);
  for (const [more, fact, hint] of cases) t.match(obstacles(situation({}, more)), [{ fact, hint }], fact);
  const use = "/dev/vfio/10: is open in qemu-kvm (4711)";
  t.match(obstacles(situation({}, {}, { use })), [{ fact: use, hint: /end the process/ }]);
  t.equal(obstacles(situation({}, { up: false, group: undefined, links: [] })).length, 3, "all of them at once");
});

// The verbs on a node in memory with igb's VFs: their errors, changes and results.
import t, { type Test } from "tap";
import type { Result } from "../../../lib/cni/results.ts";
import { everything, infoPath, journal, PluginOnNode, pf, vf, type Wish } from "./node.ts";

// After the node's module, which puts its calls in the place of the host's.
const { deviceLock } = await import("../../../lib/kernel/locks.ts");

const directory = `/sys/bus/pci/devices/${vf}`;
const port = "0000:00:04.0";
const other = "0000:02:00.0";

interface Expected {
  code?: number;
  message: string | RegExp;
  details?: string | RegExp;
}

/** Refused with this, and nothing is changed, recorded or left open. */
function refused(t: Test, plugin: PluginOnNode, wish: Wish, expected: Expected): void {
  const before = plugin.node.snapshot();
  t.throws(() => plugin.add(wish), expected);
  t.strictSame([plugin.node.snapshot(), plugin.records, plugin.node.open], [before, [], 0]);
}

// ---- which device

t.test("the device is read from each place in which the runtime may name it", async (t) => {
  for (const conf of [
    { deviceID: vf },
    { deviceID: null, pciBusID: vf },
    { deviceID: "0000:77:00.0", runtimeConfig: { deviceID: vf } },
    { deviceID: vf, pciBusID: "0000:77:00.0", runtimeConfig: { deviceID: "" } },
  ]) {
    const plugin = new PluginOnNode();
    t.match(plugin.add({ conf }).interfaces, [{ pciID: vf }]);
    t.equal(plugin.driver, "vfio-pci");
  }
});

t.test("a missing or invalid device is a fault of the configuration", async (t) => {
  const plugin = new PluginOnNode();
  refused(
    t,
    plugin,
    { conf: { deviceID: null } },
    { code: 7, message: "deviceID: is missing", details: /resourceName/ },
  );
  refused(
    t,
    plugin,
    { conf: { runtimeConfig: { deviceID: "eth3" } } },
    { code: 7, message: /^runtimeConfig.deviceID: must be a PCI address .* not "eth3"$/ },
  );
  refused(t, plugin, { conf: { deviceID: null, pciBusID: "3b:02.6" } }, { code: 7, message: /^pciBusID: must be/ });
});

t.test("a device that is no VF is refused with a remedy", async (t) => {
  const plugin = new PluginOnNode();
  refused(
    t,
    plugin,
    { conf: { deviceID: "0000:77:00.0" } },
    { code: 102, message: "0000:77:00.0: no such PCI device on this node" },
  );
  refused(t, plugin, { conf: { deviceID: port } }, { code: 102, message: `${port}: is no virtual function` });
  refused(
    t,
    plugin,
    { conf: { deviceID: pf } },
    { code: 102, message: `${pf}: is a physical function, with 3 of 7 VFs`, details: /one of its VFs/ },
  );
  refused(
    t,
    plugin,
    { conf: { deviceID: other } },
    {
      code: 102,
      message: `${other}: is a physical function, with 0 of 7 VFs`,
      details: `make VFs: echo 7 > /sys/bus/pci/devices/${other}/sriov_numvfs`,
    },
  );
});

// ---- what is in the way

const obstacles: Record<string, [set: (plugin: PluginOnNode) => void, message: RegExp, details: RegExp]> = {
  "a PF that is down": [({ node }) => node.down.add("eth0"), /^eth0: the VF's PF is down$/, /^ip link set eth0 up$/],
  "a PF in another namespace": [
    ({ node }) => node.pci.moveAway("eth0", "/run/netns/other"),
    /no network link in the host's namespace/,
    /^$/,
  ],
  "no IOMMU": [
    ({ node }) => node.pci.files.remove(`${node.pci.directoryOf(vf)}/iommu_group`),
    /is in no IOMMU group/,
    /intel_iommu=on/,
  ],
  "a VF in a pod": [
    ({ node }) => node.pci.moveAway("sriov1", "/run/netns/other"),
    /is in another network namespace/,
    /delete the pod/,
  ],
  "a group that is not viable": [
    ({ node }) =>
      node.pci.files.link(
        `/sys/kernel/iommu_groups/10/devices/${pf}`,
        `../../../..${node.pci.directoryOf(pf).slice(4)}`,
      ),
    /its IOMMU group 10 is not viable: 0000:01:00.0 is on igb/,
    /ACS/,
  ],
  "a group in use": [
    ({ node }) => {
      bind(node);
      node.pci.holders.set("10", { pid: 4711, comm: "qemu-kvm", device: true });
    },
    /^\/dev\/vfio\/10: is open in another process$/,
    /end the process/,
  ],
  "a driver that there is not": [
    ({ node }) => node.pci.files.remove("/sys/bus/pci/drivers/vfio-pci"),
    /^vfio-pci: is not loaded, and modprobe could not load it/,
    /^$/,
  ],
  "other device information": [
    ({ node }) => node.pci.files.file(infoPath, "root:x:0:0"),
    /fast-net1-device.json: is there, and is no information/,
    /^$/,
  ],
};

function bind(node: PluginOnNode["node"]): void {
  node.pci.unbind(vf);
  node.pci.write(`${directory}/driver_override`, "vfio-pci\n");
  node.pci.probe(vf);
}

for (const [name, [set, message, details]] of Object.entries(obstacles)) {
  t.test(`${name} is refused before anything is changed`, async (t) => {
    const plugin = new PluginOnNode();
    set(plugin);
    refused(t, plugin, { conf: everything }, details.source === "^$" ? { message } : { code: 102, message, details });
    t.strictSame(
      plugin.node.deeds.filter((deed) => !deed.startsWith("run ")),
      [],
    );
  });
}

t.test("a PF without a network driver is refused", async (t) => {
  const plugin = new PluginOnNode();
  const link = plugin.node.pci.directoryOf(pf);
  for (const [driver, words] of [
    ["vfio-pci", "vfio-pci"],
    [undefined, "no driver"],
  ] as const) {
    plugin.node.pci.files.remove(`${link}/driver`);
    if (driver !== undefined) plugin.node.pci.files.link(`${link}/driver`, `../../../../bus/pci/drivers/${driver}`);
    refused(
      t,
      plugin,
      {},
      { code: 102, message: new RegExp(`^${pf}: the PF is bound to ${words}`), details: /network driver/ },
    );
  }
});

t.test("the driver's module is loaded before anything is changed", async (t) => {
  const plugin = new PluginOnNode();
  plugin.node.pci.files.remove("/sys/bus/pci/drivers/vfio-pci");
  plugin.node.modules.set("vfio-pci", "vfio-pci");
  plugin.add();
  t.equal(plugin.node.deeds[0], "run /usr/sbin/modprobe -- vfio-pci");
  t.equal(plugin.driver, "vfio-pci");
});

t.test("a device that another call has locked is an error that asks for a retry", async (t) => {
  const plugin = new PluginOnNode();
  const shared = plugin.node.openDirectory("/run/kubevirt-cni-bindings");
  plugin.node.lock("locks", 0, { in: shared, at: deviceLock(vf, directory).offset });
  t.throws(() => plugin.add(), { code: "ETIMEDOUT" });
  t.strictSame([plugin.driver, plugin.records], ["igbvf", []]);
});

// ---- the result

t.test("the result is one interface, as KubeVirt maps it", async (t) => {
  const plugin = new PluginOnNode();
  plugin.node.pci.files.file(`${plugin.node.pci.directoryOf(vf)}/net/sriov1/mtu`, "9000\n");
  t.strictSame(plugin.add({ conf: everything }), {
    interfaces: [{ name: "net1", sandbox: "/run/netns/pod", mac: "02:00:00:00:00:01", mtu: 9000, pciID: vf }],
  });
});

t.test("a VF that is on VFIO already gets its PF's MTU, and stays on VFIO permanently", async (t) => {
  const plugin = new PluginOnNode();
  bind(plugin.node);
  const before = plugin.node.snapshot();
  t.match(plugin.add({ conf: { ...everything, binding: "require-prebound" } }).interfaces, [{ mtu: 1500 }]);
  t.notOk(
    plugin.node.deeds.some((deed) => /driver|probe|reset/.test(deed)),
    "its driver is left alone",
  );
  plugin.del();
  t.notOk(plugin.node.deeds.some((deed) => /driver|probe|reset/.test(deed)));
  t.strictSame(plugin.node.snapshot(), before);
});

t.test(
  "the MAC address is that of runtimeConfig, CNI_ARGS or the configuration, in this order, and is in the result",
  async (t) => {
    const [one, two, three] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
    const cases: [wish: Wish, mac: string | undefined][] = [
      [{ conf: { mac: three, runtimeConfig: { mac: one } }, args: { MAC: two! } }, one],
      [{ conf: { mac: three }, args: { MAC: two! } }, two],
      [{ conf: { mac: three } }, three],
      [{ conf: { args: { cni: { mac: one } } } }, one],
    ];
    for (const [wish, mac] of cases) {
      const plugin = new PluginOnNode();
      t.match(plugin.add(wish).interfaces, [{ mac }]);
      t.match(plugin.node.pci.rowOf(vf), { mac, isAdministrative: true });
    }
  },
);

t.test(
  "a VF without a MAC address gets one for this attachment, which is the same when the pod's sandbox is recreated",
  async (t) => {
    const macOf = (wish: Wish): string => {
      const plugin = new PluginOnNode();
      const [link] = plugin.add(wish).interfaces!;
      t.equal(plugin.node.pci.rowOf(vf)!.mac, link!.mac);
      return link!.mac!;
    };
    const args = { K8S_POD_UID: "2c5f" };
    const mac = macOf({ args });
    t.match(mac, /^02(:[0-9a-f]{2}){5}$/);
    t.equal(macOf({ args, containerId: "c2" }), mac);
    const others = [
      { args, ifname: "net2" },
      { args, network: "slow" },
      { args: { K8S_POD_UID: "2c60" } },
      {},
      { containerId: "c2" },
    ];
    t.equal(new Set([mac, ...others.map(macOf)]).size, 6);
  },
);

t.test("a MAC address that an administrator set stays, but not one that the VF's driver picked", async (t) => {
  const plugin = new PluginOnNode();
  Object.assign(plugin.node.pci.rowOf(vf)!, { mac: "02:00:00:00:00:77", isAdministrative: true });
  t.match(plugin.add().interfaces, [{ mac: "02:00:00:00:00:77" }]);
  t.strictSame(plugin.sent(), []);
  const chance = new PluginOnNode();
  chance.node.pci.unbind(vf);
  chance.node.pci.probe(vf);
  const picked = chance.node.pci.rowOf(vf)!.mac;
  const [link] = chance.add().interfaces!;
  t.not(link!.mac, picked);
  t.match(chance.node.pci.rowOf(vf), { mac: link!.mac, isAdministrative: true });
});

t.test("IPAM's addresses are in the result, and a failure of IPAM precedes any change of the VF", async (t) => {
  const plugin = new PluginOnNode();
  const assigned: Result = { ips: [{ address: "10.0.0.7/24" }] };
  t.match(plugin.add({ ipam: { add: () => assigned } }).ips, [{ address: "10.0.0.7/24", interface: 0 }]);
  const add = (): never => {
    throw new Error("no address is left");
  };
  refused(t, new PluginOnNode(), { ipam: { add } }, { message: "no address is left" });
});

// ---- device information

t.test("ADD writes device information and its directory if they are missing, and DEL removes them", async (t) => {
  const plugin = new PluginOnNode();
  const path = "/run/k8s.cni.cncf.io/devinfo/cni/fast.json";
  const conf = { runtimeConfig: { CNIDeviceInfoFile: path } };
  plugin.add({ conf });
  t.strictSame(JSON.parse(plugin.node.readFile(path)), {
    type: "pci",
    version: "1.1.0",
    pci: { "pci-address": vf, "pf-pci-address": pf },
  });
  plugin.check({ conf });
  plugin.node.pci.files.remove(path);
  t.throws(() => plugin.check({ conf }), { code: 101, message: `${path}: is not as ADD wrote it` });
  plugin.del();
  t.strictSame(plugin.node.pci.files.names("/run/k8s.cni.cncf.io/devinfo/cni"), []);
});

t.test("ADD does not write to the target of a symbolic link", async (t) => {
  const plugin = new PluginOnNode();
  const text = '{"type":"pci","note":1}';
  plugin.node.pci.files.file("/run/precious", text);
  plugin.node.pci.files.link(infoPath, "/run/precious");
  plugin.add({ conf: everything });
  t.equal(plugin.node.readFile("/run/precious"), text);
  t.match(JSON.parse(plugin.node.readFile(infoPath, { follow: false })), { note: 1, pci: { "pci-address": vf } });
  plugin.del();
  t.strictSame([plugin.node.readFile("/run/precious"), plugin.node.readFile(infoPath)], [text, text]);
});

// ---- the other verbs

t.test("a second ADD of a device or an attachment is refused while the first one's pod exists", async (t) => {
  const plugin = new PluginOnNode();
  plugin.add({ conf: everything });
  const before = plugin.node.snapshot();
  t.throws(() => plugin.add({ conf: everything }), { message: /is attached already; call DEL first/ });
  t.throws(() => plugin.add({ containerId: "c2", netns: "/run/netns/other" }), {
    message: /in use by container c1 \(net1\)/,
  });
  t.strictSame([plugin.node.snapshot(), plugin.records], [before, [`${vf}.json`]]);
});

t.test("a namespace with another cookie is another one, even with the same path and inode", async (t) => {
  const plugin = new PluginOnNode();
  const before = plugin.node.snapshot();
  plugin.add({ conf: everything });
  const { inode } = plugin.node.namespaces.get("/run/netns/pod")!;
  plugin.node.namespaces.set("/run/netns/pod", { inode, cookie: "99" });
  plugin.add({ containerId: "c2" });
  t.match(plugin.node.pci.rowOf(vf), { vlan: 0, trust: 0 }, "the second one has nothing of the first one's");
  plugin.del({ containerId: "c2" });
  t.strictSame(plugin.node.snapshot(), before);
});

t.test("CHECK names changed settings, and what prevents a guest from opening the device", async (t) => {
  const plugin = new PluginOnNode();
  t.throws(() => plugin.check(), { code: 101, message: "net1: no ADD of container c1 is recorded" });
  plugin.add({ conf: everything });
  t.throws(() => plugin.check({ conf: everything, netns: "/run/netns/other" }), {
    message: "/run/netns/other: is another namespace than the one at /run/netns/pod that ADD was given",
  });
  const { pci } = plugin.node;
  Object.assign(pci.rowOf(vf)!, { vlan: 7, trust: 0 });
  pci.files.remove("/dev/vfio/10");
  pci.files.link(`/sys/kernel/iommu_groups/10/devices/${pf}`, `../../../..${pci.directoryOf(pf).slice(4)}`);
  t.throws(() => plugin.check(), {
    code: 101,
    message: [
      "eth0 VF 1: VLAN is 7, QoS 3, 802.1q, not 100, QoS 3, 802.1q",
      "eth0 VF 1: trust is off, not on",
      "/dev/vfio/10: is missing",
      `${vf}: its IOMMU group 10 is not viable: ${pf} is on igb`,
    ].join("; "),
  });
  pci.unbind(vf);
  t.throws(() => plugin.check(), {
    message: /driver is none, not vfio-pci; .*: driver is none, which is none of VFIO's$/,
  });
});

t.test("GC restores the leaked VFs of this network, and of no other", async (t) => {
  const plugin = new PluginOnNode();
  const before = plugin.node.snapshot();
  plugin.add({ conf: everything });
  plugin.gc([{ containerID: "c1", ifname: "net1" }]);
  plugin.gc([], { network: "slow" });
  t.strictSame(plugin.records, [`${vf}.json`]);
  plugin.gc([{ containerID: "c1", ifname: "net2" }]);
  t.strictSame([plugin.node.snapshot(), plugin.records], [before, []]);
});

t.test("STATUS fails with code 50 and names all that is missing", async (t) => {
  const plugin = new PluginOnNode();
  plugin.status();
  plugin.node.pci.files.remove("/sys/bus/pci/drivers/vfio-pci");
  plugin.node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "0");
  t.throws(() => plugin.status(), { code: 50, message: /^vfio-pci: neither a driver.*; node: has no SR-IOV VF/ });
});

t.test("a PF that was renamed after ADD, or has representors, is found", async (t) => {
  const plugin = new PluginOnNode();
  const before = plugin.node.snapshot();
  const { pci } = plugin.node;
  plugin.add({ conf: everything });
  pci.rename("eth0", "ens1f0np0");
  const real = pci.directoryOf(pf);
  pci.files.file(`${real}/net/ens1f0np0/phys_port_name`, "p0\n");
  pci.files.file(`${real}/net/ens1f0npf0vf1/phys_port_name`, "pf0vf1\n");
  pci.files.link("/sys/class/net/ens1f0npf0vf1", `../..${real.slice(4)}/net/ens1f0npf0vf1`);
  plugin.check({ conf: everything });
  plugin.del();
  pci.rename("ens1f0np0", "eth0");
  t.strictSame(plugin.node.snapshot(), before);
});

t.test("DEL of a removed VF succeeds, and does not touch a recreated one", async (t) => {
  const plugin = new PluginOnNode();
  plugin.add({ conf: everything });
  plugin.node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "0");
  plugin.del();
  t.strictSame(plugin.records, []);
  plugin.node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "3");
  plugin.add({ conf: everything });
  plugin.node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "0");
  plugin.node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "3");
  plugin.node.pci.rowOf(vf)!.vlan = 5;
  t.throws(() => plugin.check(), { message: `${vf}: was removed or recreated after ADD` });
  const { length } = plugin.node.deeds;
  plugin.del();
  t.strictSame(plugin.node.deeds.slice(length), [
    `unlink ${infoPath}`,
    `unlink ${journal}/c1/net1.json`,
    `unlink ${journal}/${vf}.json`,
    `rmdir ${journal}/c1`,
  ]);
  t.equal(plugin.node.pci.rowOf(vf)!.vlan, 5);
});

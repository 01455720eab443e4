// The operator commands on a node in memory with igb's VFs: check, gc, explain and status.

import t from "tap";
import { faultsOf } from "../../../lib/cni/failure.ts";
import { everything, infoPath, journal, PluginOnNode, vf } from "./node.ts";

const subject = { network: "fast", containerId: "c1", ifname: "net1", netns: "/run/netns/pod", device: vf };

/** A node where an ADD has succeeded. */
function withVm(): PluginOnNode {
  const plugin = new PluginOnNode();
  plugin.node.pci.files.directory("/run/netns");
  plugin.add({ conf: everything });
  return plugin;
}

t.test("check reports a healthy attachment by container ID, by its prefix and by namespace", async (t) => {
  const plugin = withVm();
  const before = plugin.node.snapshot();
  const healthy = { attachments: [{ ...subject, condition: "healthy", findings: [] }], unreadable: [] };
  for (const only of [undefined, { containerId: "c1" }, { containerId: "c" }, { netns: "/run/netns/pod" }])
    t.same(plugin.operator.check(journal, only), healthy);
  for (const only of [{ containerId: "c2" }, { netns: "/run/netns/other" }])
    t.same(plugin.operator.check(journal, only).attachments, []);
  t.same([plugin.node.snapshot(), plugin.node.open], [before, 0]);
});

t.test("check names every difference and its repair", async (t) => {
  const plugin = withVm();
  plugin.node.pci.files.file(infoPath, "{}");
  const [checked] = plugin.operator.check(journal).attachments;
  t.match(checked, {
    condition: "differs",
    findings: [{ fact: `${infoPath}: is not as ADD wrote it`, hint: /start it again/ }],
  });
});

t.test("check reports a deleted namespace, and gc restores the VF, but not with --dry-run", async (t) => {
  const plugin = withVm();
  plugin.end();
  t.match(plugin.operator.check(journal).attachments, [
    {
      ...subject,
      condition: "vanished",
      findings: [{ hint: `sriov-vfio gc  # restores the driver and the settings of ${vf}` }],
    },
  ]);
  t.match(plugin.operator.collect(journal, true).attachments, [{ ...subject, outcome: "removable" }]);
  t.same([plugin.driver, plugin.records], ["vfio-pci", [`${vf}.json`]]);
  t.match(plugin.operator.collect(journal, false).attachments, [
    {
      ...subject,
      outcome: "removed",
      why: `its namespace no longer exists: restored the driver and the settings of ${vf}`,
    },
  ]);
  t.same([plugin.driver, plugin.records], ["igbvf", []]);
  t.same(plugin.operator.collect(journal, false).attachments, []);
});

t.test("gc does not touch a VF whose namespace exists, or may exist", async (t) => {
  const plugin = withVm();
  t.match(plugin.operator.collect(journal, false).attachments, [{ outcome: "alive" }]);
  plugin.end();
  plugin.node.pci.files.remove("/run/netns");
  t.match(plugin.operator.collect(journal, false).attachments, [
    { outcome: "left", why: /\/run\/netns does not exist.*container/ },
  ]);
  t.match(plugin.operator.check(journal).attachments, [{ condition: "unclear" }]);
  t.same([plugin.driver, plugin.records], ["vfio-pci", [`${vf}.json`]]);
});

t.test("explain prints the changes in order, and does not check whether the VF is in use", async (t) => {
  const plugin = new PluginOnNode();
  const before = plugin.node.snapshot();
  const dryRun = plugin.dryRun({ conf: everything });
  t.match(dryRun, {
    changes: [{ do: "configureVf" }, { do: "bindDriver" }, { do: "file" }],
    words: [
      {
        what: /^set VF 1 of 0000:/,
        steps: [
          /^VLAN from none to 100, QoS 3, 802.1q$/,
          /^tx rate from/,
          /^spoofchk/,
          /^trust/,
          /^MAC from .* to 02:00:00:00:00:01$/,
        ],
      },
      { what: `bind ${vf} to vfio-pci, now igbvf`, steps: ["the node has no link sriov1 until DEL"] },
      { what: `write ${infoPath}` },
    ],
  });
  t.equal(dryRun!.result, undefined, "not known without a namespace");
  t.match(plugin.dryRun({}, "/run/netns/pod")?.result, {
    interfaces: [{ name: "net1", sandbox: "/run/netns/pod", pciID: vf }],
  });
  t.same([plugin.node.snapshot(), plugin.records, plugin.node.open], [before, [], 0]);
  t.match(plugin.said, [/not checked: whether a process has the device open/]);
});

t.test("explain without a device reports where the device comes from", async (t) => {
  const plugin = new PluginOnNode();
  t.equal(plugin.dryRun({ conf: { deviceID: null } }), undefined);
  t.match(plugin.said, [/^deviceID: is missing .*--device/]);
});

t.test("explain refuses what ADD refuses", async (t) => {
  const plugin = withVm();
  t.throws(() => plugin.dryRun({}), { message: /is attached already/ });
  t.throws(() => plugin.dryRun({ containerId: "c2" }), { message: /in use by container c1 \(net1\)/ });
  plugin.end();
  t.ok(plugin.dryRun({ containerId: "c2" }, "/run/netns/other"));
  t.match(plugin.said.at(-2), /ADD first undoes what container c1 left/);
  t.throws(() => new PluginOnNode().dryRun({ conf: { deviceID: "0000:77:00.0" } }), { message: /no such PCI device/ });
  const fresh = new PluginOnNode();
  fresh.node.pci.files.remove(`${fresh.node.pci.directoryOf(vf)}/iommu_group`);
  t.throws(() => fresh.dryRun({}), { message: /is in no IOMMU group/, details: /VT-d/ });
});

t.test("status has a requirement for each thing that STATUS checks", async (t) => {
  const plugin = new PluginOnNode();

  const requirements = plugin.operator.requirements({ driver: "vfio-pci", dataDir: journal, binding: "auto" });

  t.same(
    requirements.flatMap(({ check }) => faultsOf(check)),
    [],
  );
  t.match(
    requirements.map(({ what }) => what),
    [/IOMMU/, /vfio-pci/, /SR-IOV/, /entered/, /record/],
  );
});

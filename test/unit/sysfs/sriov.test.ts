// Where a VF belongs, and by which link it is set.
import t from "tap";
import { describeDevice, identityOf, isDevice, linksOf, overrideOf, setOverride } from "../../../lib/sysfs/pci.ts";
import { capacityOf, uplinkOf, vfAddressOf, virtualFunction, virtualFunctions } from "../../../lib/sysfs/sriov.ts";
import { capture } from "./captures.ts";
import { igbNode, type MemoryNode } from "./memory-node.ts";

const { pf, other, vfs } = capture;

/**
 * Gives the PF these links, by their names and what `phys_port_name` says; undefined: it has none
 * to say.
 */
function withLinks(links: Readonly<Record<string, string | undefined>>): MemoryNode {
  const node = igbNode();
  const directory = node.pci.directoryOf(pf);
  node.pci.files.remove(`${directory}/net`);
  node.pci.files.remove("/sys/class/net/eth0");
  node.pci.files.directory(`${directory}/net`);
  for (const [name, port] of Object.entries(links)) {
    const file = `${directory}/net/${name}/phys_port_name`;
    if (port === undefined) node.pci.files.file(file, "", { code: "EOPNOTSUPP" });
    else node.pci.files.file(file, `${port}\n`);
    node.pci.files.link(`/sys/class/net/${name}`, `../..${directory.slice("/sys".length)}/net/${name}`);
  }
  return node;
}

t.test("a VF is found by its PF's links, whichever number it has", async (t) => {
  const node = igbNode();
  for (const [index, address] of vfs.entries()) {
    t.strictSame(virtualFunction(node, address), { pf, index });
    t.equal(vfAddressOf(node, { pf, index }), address);
  }
  t.strictSame(virtualFunctions(node), vfs);
  t.equal(virtualFunction(node, pf), undefined);
  t.equal(virtualFunction(node, "0000:77:00.0"), undefined);
  t.strictSame(
    [capacityOf(node, pf), capacityOf(node, other)],
    [
      { vfs: 3, most: 7 },
      { vfs: 0, most: 7 },
    ],
  );
  t.equal(capacityOf(node, vfs[0]!), undefined);
});

t.test("VF 10 and VF 1 are told apart", async (t) => {
  const node = igbNode();
  node.writeFile(`/sys/bus/pci/devices/${other}/sriov_totalvfs`, "16\n");
  node.writeFile(`/sys/bus/pci/devices/${other}/sriov_numvfs`, "12");
  t.strictSame(virtualFunction(node, vfAddressOf(node, { pf: other, index: 10 })!), { pf: other, index: 10 });
  t.strictSame(virtualFunction(node, vfAddressOf(node, { pf: other, index: 1 })!), { pf: other, index: 1 });
});

t.test("an error names a VF that its PF does not know, and the PF", async (t) => {
  const node = igbNode();
  node.pci.files.remove(`${node.pci.directoryOf(pf)}/virtfn1`);
  t.throws(() => virtualFunction(node, vfs[1]!), {
    message: `${vfs[1]}: is no VF of ${pf} any more, which it says it belongs to`,
  });
});

t.test("a recreated VF has another identity", async (t) => {
  const node = igbNode();
  const before = identityOf(node, vfs[1]!);
  t.strictSame(identityOf(node, vfs[1]!), before);
  node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "0");
  t.notOk(isDevice(node, vfs[1]!));
  t.throws(() => identityOf(node, vfs[1]!), { code: "ENOENT" });
  node.writeFile(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, "3");
  t.not(identityOf(node, vfs[1]!).inode, before.inode);
});

t.test("the uplink is the PF's link, whatever it is called", async (t) => {
  const node = igbNode();
  t.equal(uplinkOf(node, pf), "eth0");
  node.pci.rename("eth0", "ens1f0np0");
  t.equal(uplinkOf(node, pf), "ens1f0np0");
  t.equal(uplinkOf(withLinks({ eth0: "" }), pf), "eth0");
});

t.test("in switchdev mode, the uplink is distinguished from the representors", async (t) => {
  t.equal(
    uplinkOf(withLinks({ enp1s0f0npf0vf0: "pf0vf0", enp1s0f0npf0vf1: "pf0vf1", enp1s0f0np0: "p0" }), pf),
    "enp1s0f0np0",
  );
  t.equal(uplinkOf(withLinks({ eth5: "pf0sf88", eth9: "c1pf0vf2", eth7: "p1" }), pf), "eth7");
  t.equal(uplinkOf(withLinks({ rep0: "pf0vf0", uplink: undefined }), pf), "uplink");
});

t.test("no uplink is returned if none or several links could be it", async (t) => {
  t.throws(() => uplinkOf(withLinks({ a: "p0", b: "p1" }), pf), {
    message: /^0000:01:00.0: has the links a, b, of which none is its only uplink$/,
  });
  t.throws(() => uplinkOf(withLinks({ a: undefined, b: undefined }), pf), { message: /has the links a, b/ });
  t.throws(() => uplinkOf(withLinks({ a: "pf0vf0", b: "pf0vf1" }), pf), { message: /has the links a, b/ });
  t.throws(() => uplinkOf(withLinks({ a: "pf0vf0" }), pf), { message: /of which none is its only uplink/ });
  t.throws(() => uplinkOf(withLinks({}), pf), {
    message: /^0000:01:00.0: .*has no network link in the host's namespace/,
  });
});

t.test("a PF without a link in this namespace has no uplink", async (t) => {
  const node = igbNode();
  node.pci.moveAway("eth0", "/run/netns/pod");
  t.strictSame(linksOf(node, pf), []);
  t.throws(() => uplinkOf(node, pf), { message: /has no network link in the host's namespace/ });
});

t.test("driver_override is read and cleared as the kernel does it", async (t) => {
  const node = igbNode();
  const vf = vfs[1]!;
  t.equal(overrideOf(node, vf), undefined);
  setOverride(node, vf, "vfio-pci");
  t.equal(overrideOf(node, vf), "vfio-pci");
  setOverride(node, vf, undefined);
  t.equal(overrideOf(node, vf), undefined);
  t.equal(describeDevice(node, vf), "8086:10ca");
});

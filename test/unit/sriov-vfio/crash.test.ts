// Fails and kills ADD and DEL at each change. DEL, or the next ADD and its DEL, restores the node.
import t from "tap";
import { everything, infoPath, PluginOnNode, pf, vf } from "./node.ts";

/** The states of a VF before ADD. */
const beginnings: Readonly<Record<string, (plugin: PluginOnNode) => void>> = {
  "on its network driver": () => undefined,
  "with settings of an administrator": ({ node }) => {
    const row = node.pci.vfs.get(pf)![1]!;
    Object.assign(row, { mac: "02:00:00:00:00:77", isAdministrative: true, vlan: 7, qos: 1, most: 50, trust: 1 });
    node.writeFile(`/sys/bus/pci/devices/${vf}/driver_override`, "igbvf\n");
    node.pci.unbind(vf);
    node.pci.probe(vf);
    node.pci.rename("eth3", "sriov1");
  },
  "with an administrator's MAC address that its driver has not taken yet": ({ node }) => {
    Object.assign(node.pci.vfs.get(pf)![1]!, { mac: "02:00:00:00:00:77", isAdministrative: true });
  },
  "on vfio-pci": ({ node }) => bind(node, "vfio-pci"),
  "without a driver": ({ node }) => bind(node, "no-such-driver"),
  "with device information": ({ node }) => {
    node.pci.files.file(infoPath, '{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:01:10.2"}}');
  },
};

function bind(node: PluginOnNode["node"], driver: string): void {
  node.pci.unbind(vf);
  node.pci.write(`/sys/bus/pci/devices/${vf}/driver_override`, `${driver}\n`);
  node.pci.probe(vf);
}

function begin(set: (plugin: PluginOnNode) => void): { plugin: PluginOnNode; before: object } {
  const plugin = new PluginOnNode();
  set(plugin);
  plugin.node.deeds.splice(0);
  return { plugin, before: plugin.node.snapshot() };
}

const wish = { conf: everything };
const next = { ...wish, containerId: "c2", netns: "/run/netns/other", conf: { ...everything, vlan: 200 } };

for (const [name, set] of Object.entries(beginnings)) {
  t.test(`a VF ${name} is as before after ADD and DEL`, async (t) => {
    const { plugin, before } = begin(set);
    plugin.add(wish);
    t.equal(plugin.driver, "vfio-pci");
    t.strictNotSame(plugin.node.snapshot(), before);
    plugin.check(wish);
    plugin.del(wish);
    t.strictSame(plugin.node.snapshot(), before);
    plugin.del(wish);
    t.strictSame(plugin.node.snapshot(), before);
    t.equal(plugin.node.open, 0);
  });

  t.test(`an ADD of a VF ${name} that fails at any change leaves nothing behind`, async (t) => {
    for (let position = 0, failed = true; failed; position++) {
      const { plugin, before } = begin(set);
      failed = failsAt(plugin, position, () => plugin.add(wish));
      if (!failed) t.ok(position > 8, `${position} changes`);
      else t.strictSame([plugin.node.snapshot(), plugin.records], [before, []], `change ${position}`);
    }
  });

  t.test(`DEL restores a VF ${name} if ADD was killed at any change`, async (t) => {
    for (let position = 0, killed = true; killed; position++) {
      const { plugin, before } = begin(set);
      killed = plugin.node.killedAt(position, () => plugin.add(wish));
      plugin.del(wish);
      plugin.del(wish);
      t.strictSame([plugin.node.snapshot(), plugin.records], [before, []], `change ${position}`);
    }
  });

  t.test(`the next ADD of a VF ${name} reverts what a killed ADD left`, async (t) => {
    for (let position = 0, killed = true; killed; position++) {
      const { plugin, before } = begin(set);
      killed = plugin.node.killedAt(position, () => plugin.add(wish));
      if (!killed) plugin.end();
      plugin.add(next);
      plugin.check(next);
      plugin.del(wish);
      plugin.check(next);
      plugin.del(next);
      t.strictSame([plugin.node.snapshot(), plugin.records], [before, []], `change ${position}`);
    }
  });

  t.test(`DEL completes a killed DEL of a VF ${name}, and so does the next ADD`, async (t) => {
    for (let position = 0, killed = true; killed; position++) {
      for (const heal of [false, true]) {
        const { plugin, before } = begin(set);
        plugin.add(wish);
        plugin.end();
        killed = plugin.node.killedAt(position, () => plugin.del(wish));
        if (heal) plugin.add(next);
        plugin.del(heal ? next : wish);
        t.strictSame([plugin.node.snapshot(), plugin.records], [before, []], `change ${position}`);
      }
    }
  });

  t.test(`after a DEL of a VF ${name} fails at any change, the next DEL succeeds`, async (t) => {
    for (let position = 0, failed = true; failed; position++) {
      const { plugin, before } = begin(set);
      plugin.add(wish);
      failed = failsAt(plugin, position, () => plugin.del(wish));
      plugin.del(wish);
      t.strictSame([plugin.node.snapshot(), plugin.records], [before, []], `change ${position}`);
    }
  });
}

t.test("DEL completes a killed DEL of a killed ADD, and the PF has the MAC address of the VF's driver", async (t) => {
  let cases = 0;
  for (let first = 0, addKilled = true; addKilled; first++)
    for (let second = 0, delKilled = true; delKilled; second++) {
      const { plugin, before } = begin(({ node }) => {
        node.pci.unbind(vf);
        node.pci.probe(vf);
      });
      addKilled = plugin.node.killedAt(first, () => plugin.add(wish));
      delKilled = plugin.node.killedAt(second, () => plugin.del(wish));
      plugin.del(wish);
      const { pci } = plugin.node;
      const { mac } = pci.links.find(({ device }) => device === vf)!;
      const found = [plugin.node.snapshot(), plugin.records, pci.vfs.get(pf)![1]!.mac];
      // A comparison of its own for each of many would take long to tell.
      if (JSON.stringify(found) !== JSON.stringify([before, [], mac]))
        t.strictSame(found, [before, [], mac], `changes ${first} and ${second}`);
      cases += 1;
    }
  t.ok(cases > 100, `${cases} cases`);
});

/** Whether the call, of whose changes this one fails, throws. */
function failsAt({ node }: PluginOnNode, position: number, call: () => void): boolean {
  node.restart();
  node.before = (deed, at) => {
    if (at === position) throw Object.assign(new Error(`${deed}: not now (EIO)`), { code: "EIO" });
  };
  try {
    call();
    return false;
  } catch (failure) {
    if (/not now/.test(String(failure instanceof AggregateError ? failure.errors : failure))) return true;
    throw failure;
  } finally {
    node.restart();
  }
}

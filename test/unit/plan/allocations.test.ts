// Devices given away and taken back, on a model of a node: a device's state is the list of what was
// done to it.

import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { failuresOf } from "../../../lib/failures.ts";
import { type Allocation, Allocations, type DeviceKernel, type Devices } from "../../../lib/plan/allocations.ts";
import type { DeviceChange } from "../../../lib/plan/device.ts";
import type { Identity } from "../../../lib/plan/entry.ts";
import { fc } from "../../harness/fast-check.ts";
import { failure, MemoryTree } from "./memory-directory.ts";

const directory = "/run/plugin/data";
const one = "0000:01:10.0";
const other = "0000:01:10.2";
const deviceInfo = "/run/k8s.cni.cncf.io/devinfo";

/** A node with two devices, and a pod. */
class Node {
  readonly files = new MemoryTree();
  readonly state = new Map<string, string>();
  readonly identities = new Map<string, Identity>([
    [one, { device: 1, inode: 1 }],
    [other, { device: 1, inode: 2 }],
  ]);
  readonly pods = new Map<string, Identity>([
    ["/run/netns/a", { device: 4, inode: 1 }],
    ["/run/netns/b", { device: 4, inode: 2 }],
  ]);
  /** Called before each change and each of its undoings. */
  before: ((what: "perform" | "revert", change: DeviceChange) => void) | undefined;
  /** Called when a device is about to be locked. */
  meanwhile: ((address: string) => void) | undefined;
  readonly locked = new Set<string>();
  readonly allocations: Allocations<DeviceKernel>;

  constructor() {
    const devices: Devices<DeviceKernel> = {
      identify: (address) => this.identities.get(address),
      enter: (address, work) => this.#enter(address, work),
      outside: (work) => work(this.#kernel),
      isThere: ({ path, inode }) => this.pods.get(path)?.inode === inode,
      identifyNetns: (path) => this.pods.get(path)!,
      time: () => 0,
    };
    this.allocations = new Allocations(this.files.journal<Allocation>(directory), devices);
  }

  #enter<T>(address: string, work: (kernel: DeviceKernel) => T): T {
    this.meanwhile?.(address);
    if (!this.identities.has(address)) throw Object.assign(new Error(`${address} (ENOENT)`), { code: "ENOENT" });
    if (this.locked.has(address)) throw new Error(`${address}: locked`);
    this.locked.add(address);
    try {
      return work(this.#kernel);
    } finally {
      this.locked.delete(address);
    }
  }

  readonly #kernel: DeviceKernel = {
    perform: (change) => {
      this.before?.("perform", change);
      const { path, to } = valuesOf(change);
      this.state.set(path, to);
    },
    revert: (_, changes) => failuresOf(changes.map((change) => () => this.#revert(change))),
    differences: (change) => {
      const { path, to } = valuesOf(change);
      return this.state.get(path) === to ? [] : [{ subject: path, fact: `is ${this.state.get(path)}, not ${to}` }];
    },
  };

  #revert(change: DeviceChange): void {
    this.before?.("revert", change);
    const { path, from } = valuesOf(change);
    if (from === undefined) this.state.delete(path);
    else this.state.set(path, from);
  }

  /** What an ADD makes of a device: two drivers and a file have the attachment's name. */
  plan(device: string, value: string): { changes: DeviceChange[] } {
    const from = (path: string): string | undefined => this.state.get(path);
    const binding = (setting: "a" | "b"): DeviceChange => {
      const driver = from(`${device} ${setting}`);
      const bound = setting === "a" ? device : device.replace(/.$/, (fn) => `${Number(fn) + 1}`);
      return { do: "bindDriver", device: bound, from: { ...(driver && { driver }) }, to: { driver: value }, links: [] };
    };
    const before = from(`${device} file`);
    const path = `${deviceInfo}/${device}`;
    const written: DeviceChange = { do: "file", path, to: value, ...(before !== undefined && { from: before }) };
    return { changes: [binding("a"), binding("b"), written] };
  }

  add(attachment: Attachment): void {
    const { device, containerId, ifname } = attachment;
    this.allocations.add(attachment, () => this.plan(device, `${containerId}-${ifname}`));
  }

  /** The records by the addresses of their devices. */
  get records(): string[] {
    return this.files.records(directory).map((name) => {
      const { device } = JSON.parse(this.files.files.get(`${directory}/${name}`)!);
      return `${device.address}.${name.split(".").at(-1)}`;
    });
  }

  get values(): string[] {
    return [...this.state].map(([path, value]) => `${path}=${value}`).sort();
  }
}

/** What a change is of, and to what it takes that. */
function valuesOf(change: DeviceChange): { path: string; from: string | undefined; to: string } {
  if (change.do === "file")
    return { path: `${change.path.slice(deviceInfo.length + 1)} file`, from: change.from, to: change.to };
  if (change.do === "bindDriver") {
    const isFirst = /[02]$/.test(change.device);
    const device = isFirst ? change.device : change.device.replace(/.$/, (fn) => `${Number(fn) - 1}`);
    return { path: `${device} ${isFirst ? "a" : "b"}`, from: change.from.driver, to: change.to.driver };
  }
  throw new Error(`${change.do}: is not planned here`);
}

interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
  readonly network: string;
  readonly netns: string;
  readonly device: string;
}

const mine: Attachment = { containerId: "c1", ifname: "net1", network: "fast", netns: "/run/netns/a", device: one };
const theirs: Attachment = { ...mine, containerId: "c2", netns: "/run/netns/b" };

/** Ends the process in the midst of a call. */
function killedAt(node: Node, what: "perform" | "revert", position: number): void {
  let count = 0;
  node.before = (found) => {
    if (count > position) throw new Error("killed");
    if (found === what && count++ === position) throw new Error("killed");
  };
}

t.test("DEL restores the device that ADD changed", async (t) => {
  const node = new Node();
  node.state.set(`${one} a`, "before");
  node.add(mine);
  t.strictSame(node.values, [`${one} a=c1-net1`, `${one} b=c1-net1`, `${one} file=c1-net1`]);
  t.strictSame(node.records, [`${one}.json`]);
  t.strictSame(node.allocations.differences(mine, () => []).map(factText), []);
  node.allocations.remove(mine);
  node.allocations.remove(mine);
  t.strictSame([node.values, node.records], [[`${one} a=before`], []]);
});

t.test("ADD refuses a device that a living pod holds, and names the pod", async (t) => {
  const node = new Node();
  node.add(mine);
  const before = node.values;
  t.throws(() => node.add(theirs), {
    message: `${one}: in use by container c1 (net1), whose namespace /run/netns/a still exists; DEL that attachment first`,
  });
  t.throws(() => node.add(mine), { message: "net1: container c1 is attached already; call DEL first" });
  t.throws(() => node.add({ ...mine, ifname: "net2" }), { message: /in use by container c1 \(net1\)/ });
  t.throws(() => node.add({ ...mine, device: other }), {
    message: `net1: container c1 holds ${one} by this name; call DEL first`,
  });
  t.strictSame([node.values, node.records, node.locked.size], [before, [`${one}.json`], 0]);
});

t.test("ADD restores a device whose pod no longer exists before it changes the device", async (t) => {
  for (const path of [undefined, { device: 4, inode: 99 }]) {
    const node = new Node();
    node.state.set(`${one} b`, "before");
    node.add(mine);
    node.pods.delete("/run/netns/a");
    if (path !== undefined) node.pods.set("/run/netns/a", path);
    node.add(theirs);
    node.allocations.remove(mine);
    t.strictSame(node.allocations.differences(theirs, () => []).map(factText), []);
    node.allocations.remove(theirs);
    t.strictSame([node.values, node.records], [[`${one} b=before`], []]);
  }
});

t.test("ADD refuses a device that it cannot restore, and keeps the record", async (t) => {
  const node = new Node();
  node.add(mine);
  node.pods.delete("/run/netns/a");
  node.before = (what) => {
    if (what === "revert") throw new Error("refused");
  };
  t.throws(() => node.add(theirs), {
    errors: [{ message: "refused" }, { message: "refused" }, { message: "refused" }],
  });
  t.strictSame(node.records, [`${one}.json`]);
  node.before = undefined;
  node.add(theirs);
  node.allocations.remove(theirs);
  t.strictSame([node.values, node.records], [[], []]);
});

t.test("ADD that fails at any change undoes all changes, and reports a failure of that too", async (t) => {
  for (const position of [0, 1, 2]) {
    for (const undoing of [false, true]) {
      const node = new Node();
      let count = 0;
      node.before = (what) => {
        if (what === "perform" && count++ === position) throw new Error("refused");
        if (what === "revert" && undoing) throw new Error("stuck");
      };
      let thrown: unknown;
      try {
        node.add(mine);
      } catch (failure) {
        thrown = failure;
      }
      if (undoing) {
        t.match(thrown, {
          relation: "undo",
          errors: [{ message: "refused" }, { message: "stuck" }],
        });
        t.strictSame(node.records, [`${one}.pending`]);
        node.before = undefined;
        node.allocations.remove(mine);
      } else t.match(thrown, { message: "refused" });
      t.strictSame([node.values, node.records, node.locked.size], [[], [], 0]);
    }
  }
});

t.test(
  "a journal that cannot be written stops ADD before it changes anything; one that cannot be ended undoes it",
  async (t) => {
    for (const word of ["create", "rename"]) {
      const node = new Node();
      let performed = 0;
      node.before = () => performed++;
      node.files.before = (deed, path) => {
        if (deed === word && (word === "create" || path.endsWith(".json"))) throw failure("ENOSPC", path);
      };
      t.throws(() => node.add(mine), { code: "ENOSPC" });
      t.equal(performed, word === "create" ? 0 : 6);
      t.strictSame([node.values, node.records], [[], []]);
    }
  },
);

t.test("ADD records nothing if the plan is refused", async (t) => {
  const node = new Node();
  t.throws(
    () =>
      node.allocations.add(mine, () => {
        throw new Error("no");
      }),
    { message: "no" },
  );
  t.strictSame(node.records, []);
});

t.test("CHECK reports a killed ADD, and DEL or another ADD restores the device", async (t) => {
  for (const heal of [() => undefined, (node: Node) => node.add(mine), (node: Node) => node.add(theirs)]) {
    const node = new Node();
    killedAt(node, "perform", 1);
    t.throws(() => node.add(mine));
    node.before = undefined;
    t.strictSame(node.records, [`${one}.pending`]);
    t.strictSame(node.allocations.differences(mine, () => []).map(factText), ["net1: its ADD did not finish"]);
    heal(node);
    for (const attachment of [mine, theirs]) node.allocations.remove(attachment);
    t.strictSame([node.values, node.records], [[], []]);
  }
});

t.test("a killed ADD's device is given back also where the next one has another device", async (t) => {
  const node = new Node();
  killedAt(node, "perform", 1);
  t.throws(() => node.add(mine));
  node.before = undefined;
  node.add({ ...mine, device: other });
  t.strictSame(node.records, [`${other}.json`]);
  node.allocations.remove(mine);
  t.strictSame([node.values, node.records], [[], []]);
});

t.test("DEL forgets a device that was removed or recreated, and deletes its file", async (t) => {
  for (const identity of [undefined, { device: 1, inode: 77 }]) {
    const node = new Node();
    node.add(mine);
    node.identities.delete(one);
    if (identity !== undefined) node.identities.set(one, identity);
    const before = node.values.filter((value) => !value.includes("file"));
    t.strictSame(node.allocations.differences(mine, () => [{ subject: "it", fact: "looks" }]).map(factText), [
      `${one}: was removed or recreated after ADD`,
    ]);
    node.allocations.remove(mine);
    t.strictSame([node.values, node.records], [before, []]);
  }
});

t.test("ADD refuses a recreated device until the living pod's DEL", async (t) => {
  const node = new Node();
  node.add(mine);
  node.identities.set(one, { device: 1, inode: 77 });
  t.throws(() => node.add(theirs), { message: /DEL that attachment first/ });
  node.allocations.remove(mine);
  node.add(theirs);
  t.strictSame(node.records, [`${one}.json`]);
});

t.test(
  "DEL of an old pod never touches what another attachment has since, not even if that ADD overtakes it",
  async (t) => {
    for (const identity of [
      { device: 1, inode: 1 },
      { device: 1, inode: 77 },
    ]) {
      const node = new Node();
      node.add(mine);
      node.pods.delete("/run/netns/a");
      node.identities.set(one, identity);
      // DEL has read the journal, and waits for the lock.
      node.meanwhile = () => {
        node.meanwhile = undefined;
        node.add(theirs);
      };
      node.allocations.remove(mine);
      t.equal(node.meanwhile, undefined, "it was overtaken");
      t.strictSame(node.allocations.differences(theirs, () => []).map(factText), []);
      t.strictSame(node.records, [`${one}.json`]);
    }
  },
);

t.test("DEL of one of a container's attachments leaves the others", async (t) => {
  const node = new Node();
  node.add(mine);
  node.add({ ...mine, ifname: "net2", device: other });
  node.allocations.remove({ containerId: "c1", ifname: "net2" });
  node.allocations.remove({ containerId: "c1", ifname: "net3" });
  t.strictSame(node.records, [`${one}.json`]);
  t.strictSame(node.allocations.differences(mine, () => []).map(factText), []);
});

t.test("CHECK says where the pod's namespace is another one than ADD was given", async (t) => {
  const node = new Node();
  node.add(mine);
  t.strictSame(
    node.allocations
      .differences({ ...mine, netns: "/run/netns/b" }, () => [{ subject: "it", fact: "looks" }])
      .map(factText),
    ["/run/netns/b: is another namespace than the one at /run/netns/a that ADD was given", "it: looks"],
  );
  node.pods.set("/run/netns/elsewhere", node.pods.get("/run/netns/a")!);
  t.strictSame(
    node.allocations.differences({ ...mine, netns: "/run/netns/elsewhere" }, () => []).map(factText),
    [],
    "by another path it is the same one",
  );
  node.pods.set("/run/netns/a", { device: 4, inode: 9 });
  t.match(node.allocations.differences(mine, () => []).map(factText), [/^\/run\/netns\/a: is another namespace/]);
});

t.test("CHECK reports every difference, and those of the inspection", async (t) => {
  const node = new Node();
  t.strictSame(node.allocations.differences(mine, () => []).map(factText), [
    "net1: no ADD of container c1 is recorded",
  ]);
  node.add(mine);
  node.state.set(`${one} a`, "x");
  node.state.delete(`${one} file`);
  t.strictSame(
    node.allocations.differences(mine, (_, address) => [{ subject: address, fact: "inspected" }]).map(factText),
    [`${one} a: is x, not c1-net1`, `${one} file: is undefined, not c1-net1`, `${one}: inspected`],
  );
});

t.test(
  "GC gives back this network's devices whose attachments are not valid, past failures, and no others",
  async (t) => {
    const node = new Node();
    node.add(mine);
    node.add({ ...theirs, device: other, network: "slow" });
    t.strictSame(node.allocations.collect("fast", [{ containerId: "c1", ifname: "net1" }]), []);
    t.equal(node.records.length, 2);
    t.strictSame(node.allocations.collect("fast", [{ containerId: "c1", ifname: "net2" }]), []);
    t.strictSame(node.records, [`${other}.json`]);
    node.before = () => {
      throw new Error("refused");
    };
    t.equal(node.allocations.collect("slow", []).length, 1);
    t.strictSame(node.records, [`${other}.json`]);
  },
);

t.test("an unreadable record affects only its own attachment and device", async (t) => {
  for (const text of ["{", "[]", "null", '{"format":3}', '{"format":2}', '{"format":1}']) {
    const node = new Node();
    node.add(mine);
    const path = `${directory}/c1/net1.json`;
    node.files.files.set(path, text);
    const named = { message: new RegExp(`^${path}: `) };
    t.throws(() => node.allocations.remove(mine), named);
    t.throws(() => node.add(theirs), named, "the state of the device before ADD is unknown");
    t.match(node.allocations.collect("fast", []), [named], "GC reports it");
    t.ok(node.files.files.has(path));
    node.add({ ...theirs, device: other });
    t.strictSame(node.allocations.differences(theirs, () => []).map(factText), []);
    node.allocations.remove(theirs);
    node.allocations.remove(theirs);
    t.ok(node.files.files.has(path));
  }
});

t.test("a record of format 1 is found by its device and by its attachment, and removed", async (t) => {
  for (const state of ["json", "pending"]) {
    const node = new Node();
    node.add(mine);
    const path = `${directory}/c1/net1.json`;
    const { plugin: _, kind: __, version: ___, ...entry } = JSON.parse(node.files.files.get(path)!);
    node.files.files.clear();
    node.files.files.set(`${directory}/${one}.${state}`, JSON.stringify({ ...entry, format: 1 }));
    if (state === "json") t.throws(() => node.add(theirs), { message: /in use by container c1 \(net1\)/ });
    t.strictSame(
      node.allocations.differences(mine, () => []).map(factText),
      state === "json" ? [] : ["net1: its ADD did not finish"],
    );
    node.allocations.remove(mine);
    t.strictSame([node.values, [...node.files.files.keys()]], [[], []]);
  }
});

t.test("version 0.1.0 refuses the record's place: it must not take the device for free", async (t) => {
  const node = new Node();
  node.add(mine);
  t.equal(node.files.files.get(`${directory}/${one}.json`), "-> c1/net1");
  node.allocations.remove(mine);
  t.equal(node.files.files.size, 0);
});

t.test("records of another plugin in the same directory are not taken for a device's", async (t) => {
  const node = new Node();
  node.add(mine);
  const text = JSON.stringify({
    format: 1,
    network: "fast",
    containerId: "c9",
    ifname: "eth0",
    netns: { path: "/run/netns/a", device: 4, inode: 1 },
    time: 1,
    changes: [],
  });
  node.files.files.set(`${directory}/c9:eth0.json`, text);
  node.add({ ...theirs, device: other });
  t.strictSame(node.allocations.collect("fast", []), []);
  t.strictSame([...node.files.files.keys()], [`${directory}/c9:eth0.json`]);
});

/** One call of a pod's life, possibly killed at one of its changes. */
const life = fc.array(
  fc.record({
    attachment: fc.constantFrom(mine, theirs, { ...mine, device: other }, { ...theirs, ifname: "net2", device: other }),
    verb: fc.constantFrom("add", "del", "gc", "end"),
    killed: fc.option(fc.tuple(fc.constantFrom<"perform" | "revert">("perform", "revert"), fc.nat(3))),
  }),
  { maxLength: 12 },
);

t.test("DELs restore every device after any order of events", async () => {
  fc.assert(
    fc.property(life, (calls) => {
      const node = new Node();
      const beginning = [`${one} a`, `${other} c`];
      for (const path of beginning) node.state.set(path, "before");
      for (const { attachment, verb, killed } of calls) {
        if (verb === "end") node.pods.set(attachment.netns, { device: 4, inode: 100 + node.state.size });
        if (killed !== null) killedAt(node, ...killed);
        try {
          if (verb === "add") node.add(attachment);
          if (verb === "del") node.allocations.remove(attachment);
          if (verb === "gc") node.allocations.collect(attachment.network, []);
        } catch {
          // Some are refused, and some killed.
        }
        node.before = undefined;
        if (node.locked.size > 0) throw new Error("a lock stays");
      }
      for (const attachment of [mine, theirs, { ...theirs, ifname: "net2" }]) node.allocations.remove(attachment);
      if (node.values.join() !== beginning.map((path) => `${path}=before`).join()) throw new Error(node.values.join());
      if (node.records.length > 0) throw new Error(node.records.join());
    }),
    { numRuns: 1500 },
  );
});

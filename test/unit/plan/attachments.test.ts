import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { Attachments, type Planned } from "../../../lib/plan/attachments.ts";
import { type Change, changeKinds } from "../../../lib/plan/change.ts";
import type { Identity } from "../../../lib/plan/entry.ts";
import { markOf } from "../../../lib/plan/mark.ts";
import type { Namespaces } from "../../../lib/plan/namespaces.ts";
import { failure, MemoryTree } from "./memory-directory.ts";
import { MemoryKernel } from "./memory-kernel.ts";
import { dummy, link, pod } from "./pods.ts";

/** A node with one pod at /run/netns/pod. */
function node(): {
  attachments: Attachments<MemoryKernel>;
  files: MemoryTree;
  kernels: Map<string, { identity: Identity; kernel: MemoryKernel }>;
  namespaces: Namespaces<MemoryKernel>;
} {
  const files = new MemoryTree();
  let clock = 0;
  const kernels = new Map([
    ["/run/netns/pod", { identity: { device: 4, inode: 1 }, kernel: new MemoryKernel(pod([], { "net.a": "0" })) }],
  ]);
  const namespaces: Namespaces<MemoryKernel> = {
    inTurn: (work) => work(),
    identify: (path) => kernels.get(path)?.identity,
    enter: (path, work) => work(kernels.get(path)!.kernel, kernels.get(path)!.identity),
    time: () => clock++,
  };
  const journal = files.journal("/run/plugin/data", { version: "0", plugin: "test", changes: changeKinds });
  return {
    attachments: new Attachments(journal, namespaces, {
      ...alone,
      others: () => {
        journal.indexFormat1();
        return [];
      },
    }),
    files,
    kernels,
    namespaces,
  };
}

/** A plugin that has no neighbors. */
const alone = { probe: () => undefined, join: () => undefined, leave: () => undefined, others: () => [] };

const here = "/run/netns/pod";
const net1 = { containerId: "c1", ifname: "net1", network: "blue", netns: here };
const net2 = { ...net1, ifname: "net2" };

/** A plan that makes a link, and sets sysctl `net.a`. */
function making(name: string, mark: number, value = "1"): (kernel: MemoryKernel) => Planned {
  return (kernel) => {
    const state = kernel.observe();
    const changes: Change[] = [
      { do: "create", link: dummy({ name, mark: markOf(mark) }) },
      { do: "sysctl", key: "net.a", from: state.sysctls["net.a"]!, to: value },
    ];
    return { changes, state };
  };
}

/** A plan that sets sysctl `net.a`. */
function setting(value: string): (kernel: MemoryKernel) => Planned {
  return (kernel) => {
    const state = kernel.observe();
    return { changes: [{ do: "sysctl", key: "net.a", from: state.sysctls["net.a"]!, to: value }], state };
  };
}

function links(kernel: MemoryKernel): string[] {
  return kernel.state.links.map(({ name }) => name);
}

t.test("DEL reverts ADD and removes the record", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  const before = kernel.state;
  attachments.add(net1, making("one", 7));
  t.same(files.records("/run/plugin/data"), ["c1/net1.json"]);
  t.same(attachments.differences(net1, here).map(factText), []);
  attachments.remove(net1, here);
  t.same(kernel.state, before);
  t.equal(files.files.size, 0);
});

t.test("DEL keeps a link that another program gave the mark of the attachment", async (t) => {
  const { attachments, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, making("one", 7));
  const { mark } = kernel.state.links.find(({ name }) => name === "one")!;
  kernel.state = { ...kernel.state, links: [...kernel.state.links, link({ name: "stranger", index: 99, mark })] };

  attachments.remove(net1, here);

  t.same(links(kernel), ["lo", "stranger"]);
});

t.test("DEL without ADD, and a second DEL, change nothing", async (t) => {
  const { attachments, kernels } = node();
  attachments.remove(net1, here);
  attachments.add(net1, making("one", 7));
  attachments.remove(net1, here);
  attachments.remove(net1, here);
  attachments.remove(net1, undefined);
  t.same(links(kernels.get(here)!.kernel), ["lo"]);
});

t.test("a second ADD of an attachment is refused and changes nothing", async (t) => {
  const { attachments, kernels } = node();
  attachments.add(net1, making("one", 7));
  const { state } = kernels.get(here)!.kernel;
  t.throws(() => attachments.add(net1, making("two", 8)), {
    message: /net1: container c1 is attached already/,
  });
  t.same(kernels.get(here)!.kernel.state, state);
});

t.test("an ADD whose plan is not based on the observed state changes and records nothing", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  const planning = (): Planned => ({
    state: kernel.observe(),
    changes: [
      { do: "create", link: dummy({ name: "one", mark: markOf(7) }) },
      { do: "sysctl", key: "net.a", from: "7", to: "1" },
    ],
  });

  t.throws(() => attachments.add(net1, planning), { message: "net.a: is 0, but the plan's from says 7" });
  t.throws(() => attachments.preview(net1, planning), { message: "net.a: is 0, but the plan's from says 7" });

  t.same([kernel.performed, files.files.size], [0, 0]);
});

t.test("ADD undoes what a killed ADD left", async (t) => {
  const { attachments, files, kernels } = node();
  attachments.add(net1, making("one", 7));
  files.files.set("/run/plugin/data/c1/net1.pending", files.files.get("/run/plugin/data/c1/net1.json")!);
  files.files.delete("/run/plugin/data/c1/net1.json");
  t.same(attachments.differences(net1, here).map(factText), ["net1: its ADD did not finish"]);
  attachments.add(net1, making("two", 8));
  t.same(links(kernels.get(here)!.kernel), ["lo", "two"]);
  attachments.remove(net1, here);
  t.equal(kernels.get(here)!.kernel.state.sysctls["net.a"], "0");
});

t.test(
  "a record of a namespace that is gone is forgotten, and the one that has its path now is not touched",
  async (t) => {
    const { attachments, files, kernels } = node();
    attachments.add(net1, making("one", 7));
    const reused = new MemoryKernel(pod([link({ name: "one", mark: markOf(7), index: 2 })], { "net.a": "1" }));
    kernels.set(here, { identity: { device: 4, inode: 2 }, kernel: reused });
    t.match(attachments.differences(net1, here).map(factText), [/is another namespace/]);
    attachments.remove(net1, here);
    t.equal(reused.performed, 0);
    t.equal(files.files.size, 0);
  },
);

t.test(
  "DEL finds the namespace by the journal where the runtime does not name it, or names it otherwise",
  async (t) => {
    for (const netns of [undefined, "/proc/7/ns/net", "/run/netns/gone"]) {
      const { attachments, kernels } = node();
      const { kernel } = kernels.get(here)!;
      if (netns === "/proc/7/ns/net") kernels.set(netns, kernels.get(here)!);
      attachments.add(net1, making("one", 7));
      attachments.remove(net1, netns);
      t.same(links(kernel), ["lo"]);
    }
  },
);

t.test("the last DEL restores a sysctl that two attachments need", async (t) => {
  for (const [first, last] of [
    [net1, net2],
    [net2, net1],
  ] as const) {
    const { attachments, kernels } = node();
    const { kernel } = kernels.get(here)!;
    attachments.add(net1, making("one", 7));
    attachments.add(net2, making("two", 8));
    attachments.remove(first, here);
    t.equal(kernel.state.sysctls["net.a"], "1");
    attachments.remove(last, here);
    t.equal(kernel.state.sysctls["net.a"], "0");
  }
});

t.test(
  "a sysctl that attachments need differently is the last ADD's, is so for CHECK, and comes back with the last DEL",
  async (t) => {
    for (const [first, last] of [
      [net1, net2],
      [net2, net1],
    ] as const) {
      const { attachments, kernels } = node();
      const { kernel } = kernels.get(here)!;
      attachments.add(net1, setting("1"));
      attachments.add(net2, setting("2"));
      t.same(
        [...attachments.differences(net1, here).map(factText), ...attachments.differences(net2, here).map(factText)],
        [],
      );
      attachments.remove(first, here);
      t.equal(kernel.state.sysctls["net.a"], "2");
      t.same(attachments.differences(last, here).map(factText), []);
      attachments.remove(last, here);
      t.equal(kernel.state.sysctls["net.a"], "0");
    }
  },
);

t.test("the last DEL restores the value that another process set between two ADDs, in either order", async (t) => {
  for (const order of [
    [net1, net2],
    [net2, net1],
  ]) {
    for (const wish of ["5", "2", "1"]) {
      const { attachments, kernels } = node();
      const { kernel } = kernels.get(here)!;
      attachments.add(net1, setting("1"));
      kernel.state = { ...kernel.state, sysctls: { "net.a": "5" } };
      attachments.add(net2, setting(wish));
      t.same(
        [attachments.differences(net1, here).map(factText), attachments.differences(net2, here).map(factText)],
        [[], []],
      );
      for (const one of order) {
        t.equal(kernel.state.sysctls["net.a"], wish);
        attachments.remove(one, here);
      }
      t.equal(kernel.state.sysctls["net.a"], "5");
    }
  }
});

t.test("among records with the same value, the latest one holds the original", async (t) => {
  const { attachments, kernels } = node();
  const { kernel } = kernels.get(here)!;
  const net3 = { ...net1, ifname: "net0" };
  attachments.add(net1, setting("1"));
  kernel.state = { ...kernel.state, sysctls: { "net.a": "5" } };
  attachments.add(net2, setting("1"));
  attachments.add(net3, setting("1"));
  for (const one of [net1, net2, net3]) attachments.remove(one, here);
  t.equal(kernel.state.sysctls["net.a"], "5");
});

t.test("ADD does not write a sysctl that has the right value", async (t) => {
  const { attachments, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, setting("0"));
  attachments.remove(net1, here);
  t.equal(kernel.performed, 0);
});

t.test("a sysctl that a killed ADD changed comes back with the last of the pod's attachments", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, setting("1"));
  attachments.add(net2, setting("2"));
  for (const [name, text] of files.files) {
    if (name.endsWith("c1/net1.json")) files.files.set(name, text.replace('"to":"2"', '"to":"1"'));
    if (!name.endsWith("c1/net2.json")) continue;
    files.files.delete(name);
    files.files.set(name.replace(".json", ".pending"), text);
  }
  attachments.remove(net2, here);
  attachments.remove(net1, here);
  t.equal(kernel.state.sysctls["net.a"], "0");
});

t.test("a failing second attachment leaves the first one's sysctl", async (t) => {
  const { attachments, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, making("one", 7));
  kernel.before = (_, step) => {
    if (step.do === "sysctl") throw new Error("refused");
  };
  t.throws(() => attachments.add(net2, making("two", 8, "2")), { message: "refused" });
  t.same(links(kernel), ["lo", "one"]);
  t.equal(kernel.state.sysctls["net.a"], "1");
});

t.test("a journal that cannot be written stops ADD before it changes anything", async (t) => {
  const { attachments, files, kernels } = node();
  files.before = (deed, path) => {
    if (deed === "create") throw failure("ENOSPC", path);
  };
  t.throws(() => attachments.add(net1, making("one", 7)), { code: "ENOSPC" });
  t.equal(kernels.get(here)!.kernel.performed, 0);
  t.equal(files.files.size, 0);
});

t.test("ADD is undone if its record cannot be committed", async (t) => {
  const { attachments, files, kernels } = node();
  files.before = (deed, path) => {
    if (deed === "rename" && path.endsWith(".json")) throw failure("ENOSPC", path);
  };
  t.throws(() => attachments.add(net1, making("one", 7)), { code: "ENOSPC" });
  t.same(links(kernels.get(here)!.kernel), ["lo"]);
  t.equal(files.files.size, 0);
});

t.test("DEL keeps the record if it fails, and the next DEL completes", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, making("one", 7));
  kernel.before = (_, step) => {
    if (step.do === "delete") throw new Error("busy");
  };
  t.throws(() => attachments.remove(net1, here), { message: "busy" });
  t.equal(kernel.state.sysctls["net.a"], "0", "the rest was done all the same");
  t.equal(files.records("/run/plugin/data").length, 1);
  kernel.before = undefined;
  attachments.remove(net1, here);
  t.same(links(kernel), ["lo"]);
});

t.test("GC takes this network's attachments that are not valid, and only those", async (t) => {
  const { attachments, kernels } = node();
  attachments.add(net1, making("one", 7));
  attachments.add({ ...net2, network: "red" }, making("two", 8));
  attachments.add({ ...net1, ifname: "net3" }, making("three", 9));
  t.same(attachments.collect("blue", [{ containerId: "c1", ifname: "net3" }]), []);
  t.same(links(kernels.get(here)!.kernel), ["lo", "two", "three"]);
});

t.test("GC leaves another plugin's device alone that is on record in the same directory", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  const path = "/run/plugin/data/c1/net2.json";
  const entry = JSON.parse(files.files.get("/run/plugin/data/c1/net1.json")!);
  const device = { address: "0000:01:10.0", device: 1, inode: 2 };
  files.files.set(path, JSON.stringify({ ...entry, kind: "device", ifname: "net2", device, changes: [] }));
  t.same(attachments.collect(entry.network, []), []);
  t.same([...files.files.keys()], [path]);
});

t.test("DEL keeps a record with an unknown kind of change, and undoes nothing of it", async (t) => {
  const { attachments, files, kernels } = node();
  attachments.add(net1, making("one", 7));
  const path = "/run/plugin/data/c1/net1.json";
  const whole = files.files.get(path)!;
  for (const [change, fault] of [
    ['{"do":"futureThing"}', '.do is "futureThing", expected create or set or sysctl'],
    ["null", ".do is missing"],
    ["7", ".do is missing"],
    ["{}", ".do is missing"],
  ] as const) {
    files.files.set(path, whole.replace('"changes":[', `"changes":[${change},`));
    const message = new RegExp(
      `^${path}: is not a record of this version: changes\\[0\\]${fault.replaceAll(".", "\\.")}`,
    );
    t.throws(() => attachments.remove(net1, here), { message });
    t.match(attachments.collect("blue", []), [{ message }]);
    t.same(links(kernels.get(here)!.kernel), ["lo", "one"]);
    t.ok(files.files.has(path));
  }
});

t.test("an error names the record that does not parse", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  for (const text of ["{", "[]", "null", '{"format":3}', '{"format":2}', '{"format":1}']) {
    files.files.set("/run/plugin/data/c1/net1.json", text);
    t.throws(() => attachments.remove(net1, here), { message: /^\/run\/plugin\/data\/c1\/net1.json: / });
  }
});

t.test("a record of format 1 is checked, handed over, and removed", async (t) => {
  for (const order of [
    [net1, net2],
    [net2, net1],
  ]) {
    const { attachments, files, kernels } = node();
    const { kernel } = kernels.get(here)!;
    attachments.add(net1, making("one", 7));
    asFormat1(files, net1);
    // Version 0.1.0 has recorded the first attachment.
    attachments.add(net2, making("two", 8));
    t.same(attachments.differences(net1, here).map(factText), []);
    for (const one of order) {
      t.equal(kernel.state.sysctls["net.a"], "1");
      attachments.remove(one, here);
    }
    t.same([kernel.state.sysctls["net.a"], links(kernel), [...files.files.keys()]], ["0", ["lo"], []]);
  }
});

t.test("DEL removes the draft that a killed ADD of version 0.1.0 left", async (t) => {
  for (const hasRecord of [false, true]) {
    const { attachments, files } = node();
    attachments.probe();
    files.files.set("/run/plugin/data/c1:net1.draft", "{");
    if (hasRecord) attachments.add(net1, making("one", 7));

    attachments.remove(net1, here);

    t.same([...files.files.keys()], []);
  }
});

t.test("version 0.1.0 finds a symbolic link, which it refuses, at the place of its own record", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  t.equal(files.files.get("/run/plugin/data/c1:net1.json"), "-> c1/net1");
});

t.test("DEL succeeds for every container ID that a runtime can call ADD with", async (t) => {
  for (const length of [199, 200, 201, 255, 300, 4096]) {
    const { attachments, files, kernels } = node();
    const long = { ...net1, containerId: "a".repeat(length) };
    attachments.remove(long, here);
    attachments.add(long, making("one", 7));
    t.ok([...files.files.keys()].every((path) => path.split("/").every((part) => part.length <= 255)));
    t.same(attachments.differences(long, here).map(factText), []);
    attachments.remove(long, here);
    t.same([links(kernels.get(here)!.kernel), files.files.size, files.open], [["lo"], 0, 1]);
  }
});

t.test("DEL refuses an impossible record before it undoes anything", async (t) => {
  const { attachments, files, kernels } = node();
  attachments.add(net1, making("one", 7));
  const path = "/run/plugin/data/c1/net1.json";
  const whole = files.files.get(path)!;
  for (const [from, to, fault] of [
    ['"plugin":"test"', '"plugin":"other"', 'is a record of "other", expected one of test'],
    ['"key":"net.a"', '"key":"kernel.core_pattern"', "expected a sysctl of a network namespace"],
    ['"key":"net.a"', '"key":"net./../kernel"', "expected a sysctl of a network namespace"],
    ['"name":"one"', '"name":"../../one"', "expected a link's name"],
    ['"name":"one"', '"name":".."', "expected a link's name"],
    ['"name":"one"', '"name":"one4567890123456"', "expected a link's name"],
    ['"mtu":', '"owner":0,"mtu":', "is a field that this version does not know"],
    ['"containerId":"c1"', '"containerId":"c2"', "holds a record of container c2"],
    ['"do":"sysctl"', '"do":"file","path":"/etc/passwd"', "expected a file of device information"],
  ] as const) {
    t.ok(whole.includes(from), from);
    files.files.set(path, whole.replace(from, to));
    t.throws(() => attachments.remove(net1, here), { message: new RegExp(fault) }, fault);
    t.same(links(kernels.get(here)!.kernel), ["lo", "one"]);
  }
});

t.test("DEL forgets a record of another boot", async (t) => {
  const { attachments, files, kernels } = node();
  kernels.set(here, { ...kernels.get(here)!, identity: { device: 4, inode: 1, cookie: "7", boot: "first" } });
  attachments.add(net1, making("one", 7));
  kernels.set(here, { ...kernels.get(here)!, identity: { device: 4, inode: 1, cookie: "7", boot: "second" } });
  const before = kernels.get(here)!.kernel.performed;
  attachments.remove(net1, here);
  t.same([kernels.get(here)!.kernel.performed, files.files.size], [before, 0]);
});

t.test("plugins hand a shared sysctl over to each other, with DEL in any order", async (t) => {
  const net3 = { ...net1, ifname: "net3" };
  const orders = [
    ["a", "b", "c"],
    ["a", "c", "b"],
    ["b", "a", "c"],
    ["b", "c", "a"],
    ["c", "a", "b"],
    ["c", "b", "a"],
  ] as const;
  for (const order of orders) {
    const { files, kernels, namespaces } = node();
    const { kernel } = kernels.get(here)!;
    const paths = { a: "/run/a", b: "/run/b", c: "/run/c" };
    const opened = (own: keyof typeof paths): Attachments<MemoryKernel> => {
      const others = Object.values(paths).filter((path) => path !== paths[own]);
      return new Attachments(files.journal(paths[own], { version: "0", plugin: own }), namespaces, {
        ...alone,
        others: () => others.map((path) => files.journal(path, { version: "0" })),
      });
    };
    const plugins = { a: opened("a"), b: opened("b"), c: opened("c") };
    // Two of them have the same interface, as in a chain.
    const attached = { a: net1, b: net1, c: net3 };
    plugins.a.add(attached.a, setting("1"));
    plugins.b.add(attached.b, setting("1"));
    plugins.c.add(attached.c, setting("2"));
    for (const name of order) {
      t.equal(kernel.state.sysctls["net.a"], "2");
      plugins[name].remove(attached[name], here);
    }
    t.same([kernel.state.sysctls["net.a"], files.files.size], ["0", 0], order.join(" "));
  }
});

/** Replaces a record by what version 0.1.0 writes. */
function asFormat1(files: MemoryTree, { containerId, ifname }: typeof net1): void {
  const path = `/run/plugin/data/${containerId}/${ifname}.json`;
  const { plugin: _, kind: __, version: ___, ...entry } = JSON.parse(files.files.get(path)!);
  files.files.delete(path);
  files.files.set(`/run/plugin/data/${containerId}:${ifname}.json`, JSON.stringify({ ...entry, format: 1 }));
}

import type { Stat } from "host";
import t from "tap";
import { factText } from "../../../lib/fact.ts";
import { Attachments, type Namespaces, type Planned } from "../../../lib/plan/attachments.ts";
import type { Change } from "../../../lib/plan/change.ts";
import { type Files, type Identity, Journal } from "../../../lib/plan/journal.ts";
import { MemoryKernel } from "./memory-kernel.ts";
import { dummy, link, pod } from "./pods.ts";

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${path} (${code})`), { code });
}

/** A directory tree in memory, and a way to make its calls fail. */
class MemoryFiles implements Files {
  readonly contents = new Map<string, string>();
  readonly directories = new Map<string, Pick<Stat, "kind" | "uid" | "mode">>([
    ["/run", { kind: "directory", uid: 0, mode: 0o755 }],
  ]);
  failing: string | undefined;

  #call(name: string): void {
    if (this.failing === name) throw failure("ENOSPC", name);
  }
  createFile(path: string, text: string): void {
    this.#call("createFile");
    if (this.contents.has(path)) throw failure("EEXIST", path);
    this.contents.set(path, text);
  }
  makeDirectory(path: string): void {
    if (!this.directories.has(path.slice(0, path.lastIndexOf("/")))) throw failure("ENOENT", path);
    this.directories.set(path, { kind: "directory", uid: 0, mode: 0o700 });
  }
  readDirectory(path: string): string[] {
    if (!this.directories.has(path)) throw failure("ENOENT", path);
    return [...this.contents.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1))
      .sort();
  }
  readFile(path: string): string {
    const text = this.contents.get(path);
    if (text === undefined) throw failure("ENOENT", path);
    return text;
  }
  rename(from: string, to: string): void {
    if (to.endsWith(".json")) this.#call("commit");
    this.contents.set(to, this.readFile(from));
    this.contents.delete(from);
  }
  stat(path: string): Stat {
    const found = this.directories.get(path);
    if (found === undefined) throw failure("ENOENT", path);
    return { device: 1, inode: 1, ...found };
  }
  unlink(path: string): void {
    if (!this.contents.delete(path)) throw failure("ENOENT", path);
  }
}

/** A node with one pod at /run/netns/pod. */
function node(): {
  attachments: Attachments<MemoryKernel>;
  files: MemoryFiles;
  kernels: Map<string, { identity: Identity; kernel: MemoryKernel }>;
} {
  const files = new MemoryFiles();
  let clock = 0;
  const kernels = new Map([
    ["/run/netns/pod", { identity: { device: 4, inode: 1 }, kernel: new MemoryKernel(pod([], { a: "0" })) }],
  ]);
  const namespaces: Namespaces<MemoryKernel> = {
    inTurn: (_, work) => work(),
    identify: (path) => kernels.get(path)?.identity,
    enter: (path, work) => work(kernels.get(path)!.kernel, kernels.get(path)!.identity),
    time: () => clock++,
  };
  return {
    attachments: new Attachments(new Journal("/run/plugin/data", files), namespaces),
    files,
    kernels,
  };
}

const here = "/run/netns/pod";
const net1 = { containerId: "c1", ifname: "net1", network: "blue", netns: here };
const net2 = { ...net1, ifname: "net2" };

/** A plan that makes a link, and sets sysctl `a`. */
function making(name: string, mark: number, value = "1"): (kernel: MemoryKernel) => Planned {
  return (kernel) => {
    const state = kernel.observe();
    const changes: Change[] = [
      { do: "create", link: dummy({ name, mark }) },
      { do: "sysctl", key: "a", from: state.sysctls["a"]!, to: value },
    ];
    return { changes, state };
  };
}

/** A plan that sets sysctl `a`. */
function setting(value: string): (kernel: MemoryKernel) => Planned {
  return (kernel) => {
    const state = kernel.observe();
    return { changes: [{ do: "sysctl", key: "a", from: state.sysctls.a!, to: value }], state };
  };
}

function links(kernel: MemoryKernel): string[] {
  return kernel.state.links.map(({ name }) => name);
}

t.test("what ADD made, DEL takes away, and the journal with it", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  const before = kernel.state;
  attachments.add(net1, making("one", 7));
  t.same([...files.contents.keys()], ["/run/plugin/data/c1:net1.json"]);
  t.same(attachments.differences(net1, here).map(factText), []);
  attachments.remove(net1, here);
  t.same(kernel.state, before);
  t.equal(files.contents.size, 0);
});

t.test("DEL without ADD, and DEL twice, do nothing", async (t) => {
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

t.test("an ADD heals what a killed ADD left", async (t) => {
  const { attachments, files, kernels } = node();
  attachments.add(net1, making("one", 7));
  files.contents.set("/run/plugin/data/c1:net1.pending", files.contents.get("/run/plugin/data/c1:net1.json")!);
  files.contents.delete("/run/plugin/data/c1:net1.json");
  t.same(attachments.differences(net1, here).map(factText), ["net1: its ADD did not finish"]);
  attachments.add(net1, making("two", 8));
  t.same(links(kernels.get(here)!.kernel), ["lo", "two"]);
  attachments.remove(net1, here);
  t.equal(kernels.get(here)!.kernel.state.sysctls["a"], "0");
});

t.test(
  "a record of a namespace that is gone is forgotten, and the one that has its path now is not touched",
  async (t) => {
    const { attachments, files, kernels } = node();
    attachments.add(net1, making("one", 7));
    const reused = new MemoryKernel(pod([link({ name: "one", mark: 7, index: 2 })], { a: "1" }));
    kernels.set(here, { identity: { device: 4, inode: 2 }, kernel: reused });
    t.match(attachments.differences(net1, here).map(factText), [/is another namespace/]);
    attachments.remove(net1, here);
    t.equal(reused.performed, 0);
    t.equal(files.contents.size, 0);
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

t.test("a sysctl that two attachments need comes back with the last of them", async (t) => {
  for (const [first, last] of [
    [net1, net2],
    [net2, net1],
  ] as const) {
    const { attachments, kernels } = node();
    const { kernel } = kernels.get(here)!;
    attachments.add(net1, making("one", 7));
    attachments.add(net2, making("two", 8));
    attachments.remove(first, here);
    t.equal(kernel.state.sysctls["a"], "1");
    attachments.remove(last, here);
    t.equal(kernel.state.sysctls["a"], "0");
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
      t.equal(kernel.state.sysctls.a, "2");
      t.same(attachments.differences(last, here).map(factText), []);
      attachments.remove(last, here);
      t.equal(kernel.state.sysctls.a, "0");
    }
  },
);

t.test("what somebody else sets between two ADDs is there after the last DEL, in either order", async (t) => {
  for (const order of [
    [net1, net2],
    [net2, net1],
  ]) {
    for (const wish of ["5", "2", "1"]) {
      const { attachments, kernels } = node();
      const { kernel } = kernels.get(here)!;
      attachments.add(net1, setting("1"));
      kernel.state = { ...kernel.state, sysctls: { a: "5" } };
      attachments.add(net2, setting(wish));
      t.same(
        [attachments.differences(net1, here).map(factText), attachments.differences(net2, here).map(factText)],
        [[], []],
      );
      for (const one of order) {
        t.equal(kernel.state.sysctls.a, wish);
        attachments.remove(one, here);
      }
      t.equal(kernel.state.sysctls.a, "5");
    }
  }
});

t.test("of what several ADDs left alike, the last one knows what was there before", async (t) => {
  const { attachments, kernels } = node();
  const { kernel } = kernels.get(here)!;
  const net3 = { ...net1, ifname: "net0" };
  attachments.add(net1, setting("1"));
  kernel.state = { ...kernel.state, sysctls: { a: "5" } };
  attachments.add(net2, setting("1"));
  attachments.add(net3, setting("1"));
  for (const one of [net1, net2, net3]) attachments.remove(one, here);
  t.equal(kernel.state.sysctls.a, "5");
});

t.test("a sysctl that is as it is to be is not written", async (t) => {
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
  for (const [name, text] of files.contents) {
    if (name.endsWith("c1:net1.json")) files.contents.set(name, text.replace('"to":"2"', '"to":"1"'));
    if (!name.endsWith("c1:net2.json")) continue;
    files.contents.delete(name);
    files.contents.set(name.replace(".json", ".pending"), text);
  }
  attachments.remove(net2, here);
  attachments.remove(net1, here);
  t.equal(kernel.state.sysctls.a, "0");
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
  t.equal(kernel.state.sysctls["a"], "1");
});

t.test("a journal that cannot be written stops ADD before it changes anything", async (t) => {
  const { attachments, files, kernels } = node();
  files.failing = "createFile";
  t.throws(() => attachments.add(net1, making("one", 7)), { code: "ENOSPC" });
  t.equal(kernels.get(here)!.kernel.performed, 0);
  t.equal(files.contents.size, 0);
});

t.test("a directory that another ADD makes at the same time is as good as one's own", async (t) => {
  const { attachments, files } = node();
  const make = files.makeDirectory.bind(files);
  files.makeDirectory = (path) => {
    if (files.directories.has(path)) throw failure("EEXIST", path);
    make(path);
    // The other one is always faster with what comes next.
    if (path === "/run/plugin") make("/run/plugin/data");
  };
  attachments.add(net1, making("one", 7));
  t.same([...files.contents.keys()], ["/run/plugin/data/c1:net1.json"]);
});

t.test("a directory that can never be made is an error, and no endless attempt", async (t) => {
  const { attachments, files } = node();
  files.makeDirectory = (path) => {
    throw failure(path === "/run/plugin" ? "EEXIST" : "ENOENT", path);
  };
  t.throws(() => attachments.add(net1, making("one", 7)), { code: "ENOENT" });
});

t.test("an ADD that cannot be marked as done is undone", async (t) => {
  const { attachments, files, kernels } = node();
  files.failing = "commit";
  t.throws(() => attachments.add(net1, making("one", 7)), { code: "ENOSPC" });
  t.same(links(kernels.get(here)!.kernel), ["lo"]);
  t.equal(files.contents.size, 0);
});

t.test("a DEL that fails keeps the journal, and the next one ends the work", async (t) => {
  const { attachments, files, kernels } = node();
  const { kernel } = kernels.get(here)!;
  attachments.add(net1, making("one", 7));
  kernel.before = (_, step) => {
    if (step.do === "delete") throw new Error("busy");
  };
  t.throws(() => attachments.remove(net1, here), { message: "busy" });
  t.equal(kernel.state.sysctls["a"], "0", "the rest was done all the same");
  t.equal(files.contents.size, 1);
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

t.test("a journal that others could have written is not believed", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  const directory = "/run/plugin/data";
  for (const [found, message] of [
    [{ kind: "directory", uid: 0, mode: 0o777 }, /mode 777/],
    [{ kind: "directory", uid: 1000, mode: 0o700 }, /belongs to user 1000/],
    [{ kind: "symlink", uid: 0, mode: 0o777 }, /is a symlink/],
  ] as const) {
    files.directories.set(directory, found);
    t.throws(() => attachments.remove(net1, here), { message });
    t.throws(() => attachments.add(net2, making("two", 8)), { message });
  }
});

t.test("GC leaves another plugin's device alone that is on record in the same directory", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  const path = "/run/plugin/data/0000:01:10.0.json";
  const entry = JSON.parse(files.contents.get("/run/plugin/data/c1:net1.json")!);
  files.contents.set(
    path,
    JSON.stringify({ ...entry, device: { address: "0000:01:10.0" }, changes: [{ do: "file" }] }),
  );
  t.same(attachments.collect(entry.network, []), []);
  t.same([...files.contents.keys()], [path]);
});

t.test("a record with a kind of change that a newer version may know is kept, and nothing of it undone", async (t) => {
  const { attachments, files, kernels } = node();
  attachments.add(net1, making("one", 7));
  const path = "/run/plugin/data/c1:net1.json";
  const whole = files.contents.get(path)!;
  for (const change of ['{"do":"futureThing"}', "null", "7", "{}"]) {
    files.contents.set(path, whole.replace('"changes":[', `"changes":[${change},`));
    const message = `${path}: changes[0] is a kind of change that this version does not know; DEL the attachment with the version that wrote it`;
    t.throws(() => attachments.remove(net1, here), { message });
    t.match(attachments.collect("blue", []), [{ message }]);
    t.same(links(kernels.get(here)!.kernel), ["lo", "one"]);
    t.ok(files.contents.has(path));
  }
});

t.test("a journal that does not parse is an error that names the file", async (t) => {
  const { attachments, files } = node();
  attachments.add(net1, making("one", 7));
  for (const text of ["{", "[]", "null", '{"format":2}', '{"format":1}']) {
    files.contents.set("/run/plugin/data/c1:net1.json", text);
    t.throws(() => attachments.remove(net1, here), { message: /^\/run\/plugin\/data\/c1:net1.json: / });
  }
});

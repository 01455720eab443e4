// What a journal believes, and in which order it writes and removes.
import t from "tap";
import { Attachments } from "../../../lib/plan/attachments.ts";
import { type Entry, type Identity, isSameIdentity } from "../../../lib/plan/entry.ts";
import type { Namespaces } from "../../../lib/plan/namespaces.ts";
import { decodeRecord } from "../../../lib/plan/record.ts";
import { MemoryTree } from "./memory-directory.ts";
import { MemoryKernel } from "./memory-kernel.ts";
import { dummy, pod } from "./pods.ts";

const top = "/run/plugin/data";
const one = "0000:01:10.0";
const other = "0000:01:10.2";

function entryOf(containerId: string, more: Partial<Entry> = {}): Entry {
  const netns = { path: "/run/netns/pod", device: 4, inode: 1 };
  return { network: "blue", containerId, ifname: "net1", netns, time: 1, changes: [], ...more };
}

function holding(containerId: string, address: string): Entry {
  return entryOf(containerId, { device: { address, device: 1, inode: 1 } });
}

t.test("the guard is created before the record and removed after it", async (t) => {
  const files = new MemoryTree();
  const journal = files.journal(top);
  const entry = holding("c1", one);
  const order: string[] = [];
  files.before = (deed, path) => {
    if (deed !== "mkdir" && deed !== "rmdir") order.push(`${deed} ${path.slice(top.length + 1)}`);
  };

  journal.begin(entry);
  journal.commit(entry);
  t.same(order, [`create ${one}.json`, "create c1/net1.draft", "rename c1/net1.pending", "rename c1/net1.json"]);
  order.length = 0;
  journal.remove(entry);

  // In between, DEL of 0.1.0 would find nothing, and succeed.
  t.same(order, ["unlink c1/net1.json", `unlink ${one}.json`]);
});

t.test("a guard that outlived its record leads to the next holder of the device", async (t) => {
  const files = new MemoryTree();
  const journal = files.journal(top);
  journal.begin(holding("c1", one));
  files.files.delete(`${top}/c1/net1.pending`);

  t.equal(journal.findHolder(one), undefined);
  journal.begin(holding("c2", one));

  t.equal(journal.findHolder(one)?.entry.containerId, "c2");
});

t.test("a guard that outlived its record does not make another device's attachment its holder", async (t) => {
  const files = new MemoryTree();
  const journal = files.journal(top);
  journal.begin(holding("c1", one));
  files.files.delete(`${top}/c1/net1.pending`);
  journal.begin(holding("c1", other));

  t.equal(journal.findHolder(one), undefined);
  t.equal(journal.findHolder(other)?.entry.containerId, "c1");
});

t.test("a record holds only the kinds of change and the sysctls of its plugin", async (t) => {
  const files = new MemoryTree();
  const text = (changes: Entry["changes"]): string => {
    files.journal(top).begin(entryOf("c1", { changes }));
    return files.files.get(`${top}/c1/net1.pending`)!;
  };
  const rules = { plugin: "test", changes: ["sysctl"], sysctls: /^net\.a$/ };
  const sysctl = (key: string) => text([{ do: "sysctl", key, from: "0", to: "1" }]);

  t.match(decodeRecord("x", sysctl("net.a"), rules), { containerId: "c1" });
  t.throws(() => decodeRecord("x", sysctl("net.b"), rules), { message: /"net\.b", which test never changes/ });
  t.match(decodeRecord("x", sysctl("net.b"), { plugin: "test" }), { containerId: "c1" });
  const link = dummy({ name: "one", mark: 7 });
  t.throws(() => decodeRecord("x", text([{ do: "create", link }]), rules), {
    message: /create, which test never makes/,
  });
});

t.test("a record of a device names drivers and devices, never paths", async (t) => {
  const binding = { do: "bindDriver", device: one, from: { driver: "igbvf" }, to: { driver: "vfio-pci" }, links: [] };
  const text = (more: object): string => {
    const entry = { ...holding("c1", one), changes: [{ ...binding, ...more }] };
    return JSON.stringify({ format: 2, plugin: "test", kind: "device", version: "0", ...entry });
  };

  t.match(decodeRecord("x", text({}), {}), { containerId: "c1" });
  for (const more of [
    { to: { driver: "../../x" } },
    { from: { driver: "a/b" } },
    { from: { driver: "" } },
    { device: `${one}/../x` },
    { device: `../${one}` },
    { device: `${one}\n` },
    { links: ["../x"] },
  ])
    t.throws(
      () => decodeRecord("x", text(more), {}),
      { message: /is not a record of this version/ },
      JSON.stringify(more),
    );
});

t.test("two identities are the same only in the same boot, by cookie, or by device and inode", async (t) => {
  const plain = { device: 4, inode: 1 };
  const full: Identity = { ...plain, cookie: "7", boot: "b" };
  for (const [one, other, isSame] of [
    [plain, plain, true],
    [plain, { ...plain, inode: 2 }, false],
    [plain, { ...plain, device: 5 }, false],
    [plain, full, true],
    [full, { ...full, cookie: "8" }, false],
    [full, { ...full, boot: "c" }, false],
    // The kernel may show another inode after a checkpoint, but a cookie is unique.
    [full, { ...full, inode: 2 }, true],
  ] as const)
    t.equal(isSameIdentity(one, other), isSame, JSON.stringify([one, other]));
});

/** A plugin whose namespace can be replaced, and that reports what it tells its neighbors. */
function attachments() {
  const files = new MemoryTree();
  const kernel = new MemoryKernel(pod([], { "net.a": "0" }));
  const told: string[] = [];
  const pods = new Map([["/run/netns/pod", { device: 4, inode: 1 }]]);
  let clock = 1;
  const namespaces: Namespaces<MemoryKernel> = {
    inTurn: (work) => work(),
    identify: (path) => pods.get(path),
    enter: (path, work) => work(kernel, pods.get(path)!),
    time: () => clock++,
  };
  const neighbors = {
    probe: () => undefined,
    join: (id: string) => told.push(`join ${id} ${files.records(top).length}`),
    leave: (id: string) => told.push(`leave ${id} ${files.records(top).length}`),
    others: () => [],
  };
  return { files, kernel, told, pods, attachments: new Attachments(files.journal(top), namespaces, neighbors) };
}

const net1 = { containerId: "c1", ifname: "net1", network: "blue", netns: "/run/netns/pod" };
const net2 = { ...net1, ifname: "net2" };

/** Sets `net.a`, or changes nothing. */
function setting(to: string | undefined) {
  return (kernel: MemoryKernel) => {
    const state = kernel.observe();
    const change = { do: "sysctl", key: "net.a", from: state.sysctls["net.a"]!, to: to! } as const;
    return { state, changes: to === undefined ? [] : [change] };
  };
}

t.test("a plugin joins the container before its first record of a sysctl, and leaves after its last one", async (t) => {
  const { attachments: own, told } = attachments();

  own.add(net1, setting(undefined));
  t.same(told, []);
  own.add(net2, setting("1"));
  t.same(told, ["join c1 1"]);
  own.remove(net2, net2.netns);
  own.remove(net1, net1.netns);

  t.same(told, ["join c1 1", "leave c1 0"]);
});

t.test("an attachment in another namespace of the container shares no sysctl", async (t) => {
  const { attachments: own, pods, kernel } = attachments();
  own.add(net1, setting("1"));
  pods.set("/run/netns/new", { device: 4, inode: 2 });
  kernel.state = pod([], { "net.a": "0" });
  const second = { ...net2, netns: "/run/netns/new" };
  own.add(second, setting("1"));

  own.remove(second, second.netns);

  t.equal(kernel.state.sysctls["net.a"], "0");
});

t.test("forgetting an attachment spares a record that a later ADD wrote", async (t) => {
  const { attachments: own, files } = attachments();
  own.add(net1, setting("1"));
  const { entry: earlier } = own.records().entries[0]!;
  own.remove(net1, net1.netns);
  own.add(net1, setting("1"));

  t.equal(own.forget(earlier), false);
  t.same(files.records(top), ["c1/net1.json"]);
  const { entry: later } = own.records().entries[0]!;
  t.equal(own.forget(later), true);
  t.same(files.records(top), []);
});

// The node in memory that other tests use answers as the captured kernel did.
import t from "tap";
import { type Capture, capture } from "./captures.ts";
import { igbNode, type MemoryNode } from "./memory-node.ts";
import { noMac } from "./memory-pci.ts";

type Deed = Capture["deeds"][number];

t.test("the node in memory answers each write as the kernel did", async (t) => {
  const node = igbNode();
  const inodes = new Map<string, number>();
  const held: number[] = [];
  for (const [position, [what, ...rest]] of capture.deeds.entries()) {
    const expected = rest.pop();
    const found = outcome(() => done(node, { what, path: rest[0] as string, text: rest[1] as string, inodes, held }));
    t.strictSame(found, expected, `${position}: ${what} ${rest.join(" ")}`);
  }
});

function outcome(call: () => unknown): unknown {
  try {
    return call() ?? null;
  } catch (failure) {
    return { code: (failure as { code: string }).code };
  }
}

function done(
  node: MemoryNode,
  deed: { what: Deed[0]; path: string; text: string; inodes: Map<string, number>; held: number[] },
): unknown {
  const { what, path, text, inodes, held } = deed;
  switch (what) {
    case "read":
      return node.readFile(path);
    case "write":
      return node.writeFile(path, text);
    case "link":
      return node.readLink(path).split("/").at(-1);
    case "names":
      return node.readDirectory(path);
    case "there":
      return node.pci.files.has(path);
    case "same": {
      const { inode } = node.stat(path);
      const before = inodes.get(path) ?? inode;
      inodes.set(path, inode);
      return before === inode;
    }
    case "hold":
      held.push(node.lock(path, 0));
      return undefined;
    case "release":
      return node.close(held.pop()!);
    case "ip":
      return configure(node, path.split(" "));
    case "vf": {
      const { mac, vlan } = node.pci.vfs.get(capture.pf)![1]!;
      return { mac: mac.startsWith("02:") || mac === noMac ? mac : "chance", vlan };
    }
    default:
      throw new Error(`${what}: is no deed`);
  }
}

/** As `ip` of iproute2. */
function configure(node: MemoryNode, [, ...words]: readonly string[]): void {
  const row = node.pci.vfs.get(capture.pf)![1]!;
  const [key, value] = words.slice(-2) as [string, string];
  if (key === "vlan") row.vlan = Number(value);
  else if (key === "mac") Object.assign(row, { mac: value, isAdministrative: value !== noMac });
  else if (key === "netns") node.pci.moveAway(words[1]!, value);
}

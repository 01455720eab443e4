// The node of the storm: pods with attachments of every plugin, and all state that the plugins
// could leave behind.
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Attachment, attachmentOf, newDataDir } from "../../harness/attachment.ts";
import { each } from "../../harness/each.ts";
import type { Namespace } from "../../harness/namespaces.ts";
import { dist } from "../../harness/plugin.ts";
import { createPods, furnish, type Pod } from "../../harness/pod.ts";
import type { Scope } from "../../harness/scope.ts";
import { type Snapshot, settledDifferences, snapshot } from "../../harness/snapshot.ts";
import { subjects } from "../resilience/subjects.ts";

const shared = "/run/kubevirt-cni-bindings";

export interface Node {
  readonly pods: readonly Pod[];
  /** The attachments of each pod. None is added. */
  readonly attachments: readonly (readonly Attachment[])[];
}

/**
 * Creates a node. Each pod has a network with every kind of state, four networks more, and nine
 * attachments: five of bridge-binding and four of passt-binding.
 */
export async function createNode(scope: Scope, size: number): Promise<Node> {
  const pods = await createPods(scope, size);
  const dataDirs = await Promise.all(subjects.map(({ name }) => newDataDir(scope, name)));
  const attachments = await each(pods, async (pod) => {
    await furnish(pod);
    const four = await Promise.all(subjects.map((subject, position) => subject.four(scope, pod, dataDirs[position]!)));
    const primary = await attachmentOf(scope, "bridge-binding", pod, { ifname: "net5", dataDir: dataDirs[0]! });
    return [...four.flat(), primary];
  });
  // The first calls create directories that stay, and give the links of a pod their age.
  await each(attachments.flat(), (attachment) => attachment.add());
  await each(attachments.flat(), (attachment) => attachment.del());
  return { pods, attachments };
}

/** What {@link differencesFrom} compares. */
export interface NodeState {
  readonly namespaces: ReadonlyMap<Namespace, Snapshot>;
  readonly things: readonly string[];
}

/** Reads the links, addresses, routes, sysctls … of all namespaces, files, leases and locks. */
export async function stateOf(node: Node): Promise<NodeState> {
  const all = namespacesOf(node);
  const snapshots = await each(all, snapshot);
  return {
    namespaces: new Map(all.map((namespace, position) => [namespace, snapshots[position]!])),
    things: things(node),
  };
}

/** What stays when nothing is attached: the locks, which journals are known, empty directories. */
const permanent =
  /^file \/run\/(?:kubevirt-cni-bindings\/(?:locks|pods|journals\/[^/]+)|[a-z]+-binding\/test-[^/]+\/run\/journal)$/;

/** Returns what the first calls left, apart from {@link permanent} files. */
export function leftovers({ things }: NodeState): string[] {
  return things.filter((line) => !line.startsWith("lease ") && !permanent.test(line));
}

/** Returns the differences of the node from its earlier state, after it has settled. */
export async function differencesFrom(node: Node, before: NodeState): Promise<string[]> {
  const found = await each(namespacesOf(node), async (namespace) =>
    (await settledDifferences(namespace, before.namespaces.get(namespace)!)).map((line) => `${namespace.name} ${line}`),
  );
  const now = things(node);
  return [
    ...found.flat(),
    ...before.things.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !before.things.includes(line)).map((line) => `+ ${line}`),
  ];
}

function namespacesOf({ pods }: Node): Namespace[] {
  return pods.flatMap(({ namespace, node }) => [namespace, node]);
}

function things({ pods }: Node): string[] {
  return [
    ...filesBelow("/run")
      // A namespace's file is compared by its content.
      .filter((path) => !path.startsWith("/run/netns/") && !path.startsWith("/run/lock/"))
      .map((path) => `file ${path}`),
    ...filesBelow("/var/log/kubevirt-cni-bindings").map((path) => `file ${path}`),
    ...pods.flatMap(({ leases }) => filesBelow(leases).map((path) => `lease ${path} ${readFileSync(path, "utf8")}`)),
    ...locks(),
    ...processes(),
  ].sort();
}

function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory() || readdirSync(join(entry.parentPath, entry.name)).length === 0)
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The locks that are held: proc_locks(5). */
function locks(): string[] {
  if (!existsSync(`${shared}/locks`)) return [];
  const { ino } = statSync(`${shared}/locks`);
  return readFileSync("/proc/locks", "utf8")
    .split("\n")
    .filter((line) => line.includes(`:${ino} `) && line.includes("OFDLCK"))
    .map((line) => `lock ${line}`);
}

/** Our executables that still run. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const path = readlinkSync(`/proc/${pid}/exe`);
        return path.startsWith(`${dist}/`) ? [`process ${path}`] : [];
      } catch {
        // It has ended, or is the kernel's.
        return [];
      }
    });
}

// The module "host" as tests have it: the calls of whichever node in memory is the current one.
import type { MemoryNode } from "./memory-node.ts";

type Calls = Pick<typeof import("host"), keyof typeof import("host") & keyof MemoryNode>;

const current: { node?: MemoryNode } = {};

/** From here on this node is the one that the plugin runs on. */
export function runsOn(node: MemoryNode): void {
  current.node = node;
}

function call<K extends keyof Calls>(name: K): Calls[K] {
  return ((...words: readonly unknown[]) =>
    (current.node![name] as (...words: unknown[]) => unknown)(...words)) as Calls[K];
}

export const checkWritable = call("checkWritable");
export const close = call("close");
export const createFile = call("createFile");
export const createLink = call("createLink");
export const inNetns = call("inNetns");
export const lock = call("lock");
export const makeDirectory = call("makeDirectory");
export const monotonic = call("monotonic");
export const netlinkSocket = call("netlinkSocket");
export const netnsCookie = call("netnsCookie");
export const openDirectory = call("openDirectory");
export const openDirectoryIfThere = call("openDirectoryIfThere");
export const openNetns = call("openNetns");
export const random = call("random");
export const readDirectory = call("readDirectory");
export const readFile = call("readFile");
export const readFileIfThere = call("readFileIfThere");
export const readLink = call("readLink");
export const readLinkIfThere = call("readLinkIfThere");
export const readOpenDirectory = call("readOpenDirectory");
export const receive = call("receive");
export const removeDirectory = call("removeDirectory");
export const rename = call("rename");
export const run = call("run");
export const send = call("send");
export const sha256 = call("sha256");
export const sleep = call("sleep");
export const stat = call("stat");
export const statIfThere = call("statIfThere");
export const unlink = call("unlink");
export const unlinkIfThere = call("unlinkIfThere");
export const writeFile = call("writeFile");

// Throwaway network namespaces, gone when their test ends, when the process does, and, if it was
// killed, before the next one's first.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { execa } from "execa";
import type { Scope } from "./scope.ts";

/** A named network namespace, as `ip netns` knows it. */
export interface Namespace {
  readonly name: string;
  /** What CNI_NETNS takes. */
  readonly path: string;
}

const directory = "/run/netns";
const pattern = /^kcb-(?<pid>\d+)-\d+$/;
const alive = new Set<string>();
let count = 0;

/** Makes one: `ip netns add kcb-<pid>-<n>`. Its loopback is down. */
export async function createNamespace(scope: Scope): Promise<Namespace> {
  const [namespace] = await createNamespaces(scope, 1);
  return namespace!;
}

/** Makes many with one process. */
export async function createNamespaces(scope: Scope, length: number): Promise<Namespace[]> {
  if (count === 0) prepare();
  const namespaces = Array.from({ length }, () => {
    const name = `kcb-${process.pid}-${count++}`;
    return { name, path: `${directory}/${name}` };
  });
  for (const { name } of namespaces) alive.add(name);
  scope.teardown(() => removeNamespaces(namespaces));
  await execa("ip", ["-batch", "-"], { input: batch("add", namespaces) });
  return namespaces;
}

/** Removes them, with all that is in them; those that are gone already are no error. */
export async function removeNamespaces(namespaces: readonly Namespace[]): Promise<void> {
  const left = namespaces.filter(({ name }) => alive.delete(name));
  if (left.length > 0) await execa("ip", ["-force", "-batch", "-"], { input: batch("del", left), reject: false });
}

/** A namespace that somebody else made, such as `{ name: "blue", path: "/run/netns/blue" }`. */
export function namespaceNamed(name: string): Namespace {
  return { name, path: `${directory}/${name}` };
}

/** The names of all there are. */
export function namespaceNames(): string[] {
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}

/**
 * What became of the process that made a namespace of that name with this module: undefined where
 * it is another's.
 */
export function ownerOf(name: string): "running" | "gone" | undefined {
  const pid = pattern.exec(name)?.groups?.["pid"];
  if (pid === undefined) return undefined;
  return existsSync(`/proc/${pid}`) ? "running" : "gone";
}

/**
 * The command line that runs another one in a namespace, without the mounts that `ip netns exec`
 * would make.
 */
export function within(namespace: Namespace, ...command: readonly string[]): [file: string, ...args: string[]] {
  return ["nsenter", `--net=${namespace.path}`, "--", ...command];
}

function prepare(): void {
  removeNow(namespaceNames().filter((name) => ownerOf(name) === "gone"));
  process.once("exit", () => removeNow([...alive]));
  // Without a listener these would end the process without its exit event.
  for (const [signal, number] of [
    ["SIGHUP", 1],
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}

function removeNow(names: readonly string[]): void {
  if (names.length === 0) return;
  spawnSync("ip", ["-force", "-batch", "-"], { input: batch("del", names.map(namespaceNamed)) });
}

function batch(verb: "add" | "del", namespaces: readonly Namespace[]): string {
  return namespaces.map(({ name }) => `netns ${verb} ${name}\n`).join("");
}

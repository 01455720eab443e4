// Creates network namespaces for one test.
//
// They are removed when the test ends or when the process exits. If the process was killed, the
// next test process removes them before it creates its first one.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { execa } from "execa";
import type { Scope } from "./scope.ts";

/** A network namespace with a name for `ip netns`. */
export interface Namespace {
  readonly name: string;
  /** The value for CNI_NETNS. */
  readonly path: string;
}

const directory = "/run/netns";
const pattern = /^kcb-(?<pid>\d+)-\d+$/;
const alive = new Set<string>();
let count = 0;

/** Creates a namespace with `ip netns add kcb-<pid>-<n>`. Its loopback is down. */
export async function createNamespace(scope: Scope): Promise<Namespace> {
  const [namespace] = await createNamespaces(scope, 1);
  return namespace!;
}

/** Creates `length` namespaces with a single `ip` process. */
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

/** Removes namespaces with all their links. Ignores namespaces that no longer exist. */
export async function removeNamespaces(namespaces: readonly Namespace[]): Promise<void> {
  const left = namespaces.filter(({ name }) => alive.delete(name));
  if (left.length > 0) await execa("ip", ["-force", "-batch", "-"], { input: batch("del", left), reject: false });
}

/**
 * Returns the namespace of that name, such as `{ name: "blue", path: "/run/netns/blue" }`. Creates
 * nothing.
 */
export function namespaceNamed(name: string): Namespace {
  return { name, path: `${directory}/${name}` };
}

/** Returns the sorted names of all named namespaces of the machine. */
export function namespaceNames(): string[] {
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}

/**
 * Returns the state of the process that created the namespace of that name. Undefined if this
 * module did not create the namespace.
 */
export function ownerOf(name: string): "running" | "gone" | undefined {
  const pid = pattern.exec(name)?.groups?.["pid"];
  if (pid === undefined) return undefined;
  return existsSync(`/proc/${pid}`) ? "running" : "gone";
}

/**
 * Returns a command line that runs `command` in a network namespace, without the mounts that `ip
 * netns exec` makes.
 */
export function within(namespace: Namespace, ...command: readonly string[]): [file: string, ...args: string[]] {
  return ["nsenter", `--net=${namespace.path}`, "--", ...command];
}

function prepare(): void {
  removeNow(namespaceNames().filter((name) => ownerOf(name) === "gone"));
  process.once("exit", () => removeNow([...alive]));
  // Without a listener, these signals would end the process without its exit event.
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

// `install` on a node in memory: what time and kernels would be needed for otherwise.
import type { Stat } from "host";
import t from "tap";
import { read, UsageError } from "../../../lib/command/arguments.ts";
import type { Terminal } from "../../../lib/command/command.ts";
import { install } from "../../../lib/command/install.ts";
import type { NodeFiles } from "../../../lib/command/installation.ts";
import { plain } from "../../../lib/command/paint.ts";

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code} ${path}`), { code, path });

/**
 * A node with a CNI directory, and an image with one plugin: a file is its label. `rounds` is how
 * often it is looked after, by one that stays.
 */
class Node implements NodeFiles {
  readonly files = new Map([["/bin/a", "a 2.0"]]);
  readonly waits: number[] = [];
  readonly printed: string[] = [];
  arch: string | undefined = "x86_64\n";
  rounds: (() => void)[] = [];
  busy = false;

  awaitEnd(timeout: number): boolean {
    this.waits.push(timeout);
    if (timeout === 0) return false;
    const round = this.rounds.shift();
    round?.();
    return round === undefined;
  }
  close(): void {
    this.busy = false;
  }
  copyFile(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
  }
  identify(path: string): { machine: number; label: string } | undefined {
    const label = this.files.get(path);
    if (label === undefined) throw failure("ENOENT", path);
    return { machine: 62, label };
  }
  lock(path: string): number {
    if (this.busy) throw failure("ETIMEDOUT", path);
    this.busy = true;
    return 3;
  }
  machine(): string {
    return "aarch64";
  }
  readDirectory(path: string): string[] {
    return [...this.files.keys()].filter((file) => file.startsWith(`${path}/`)).map((file) => file.split("/").at(-1)!);
  }
  readFile(path: string): string {
    if (this.arch === undefined) throw failure("ENOENT", path);
    return this.arch;
  }
  readLink(): string {
    return "/bin/a";
  }
  rename(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }
  sameContent(one: string, other: string): boolean {
    return this.files.get(one) === this.files.get(other);
  }
  stat(path: string): Stat {
    return { device: 1, inode: 1, changed: 0, uid: 0, mode: 0o755, kind: path === "/cni" ? "directory" : "file" };
  }
  sync(): void {
    t.equal(this.busy, true, "within the lock");
  }
  unlink(path: string): void {
    this.files.delete(path);
  }

  run(...args: string[]): number {
    const print = (text: string): unknown => this.printed.push(text);
    const terminal = this as NodeFiles as Terminal;
    return install.run({
      program: { name: "a-binding", about: "binds" },
      given: read(args, install.options),
      print,
      paint: plain,
      terminal,
    });
  }
}

t.test("install --stay restores executables that were removed or replaced, and reports it", async (t) => {
  const node = new Node();
  node.rounds = [
    () => t.equal(node.files.get("/cni/a"), "a 2.0"),
    () => node.files.delete("/cni/a"),
    () => {
      t.equal(node.files.get("/cni/a"), "a 2.0");
      node.files.set("/cni/a", "a 1.0");
    },
  ];
  t.equal(node.run("--to", "/cni", "--stay"), 0);
  t.equal(node.files.get("/cni/a"), "a 2.0");
  t.same(node.printed, ["a: 2.0 installed", "a: 2.0 installed", "a: 2.0 installed, in place of 1.0"]);
  t.same(node.waits, [0, 60_000, 60_000, 60_000, 60_000], "signals are asked for before anything is copied");
});

t.test("install --stay --uninstall keeps the executables away", async (t) => {
  const node = new Node();
  node.files.set("/cni/a", "a 1.0");
  node.rounds = [() => node.files.set("/cni/a", "a 2.0"), () => undefined];
  t.equal(node.run("--to", "/cni", "--stay", "--uninstall"), 0);
  t.same([...node.files.keys()], ["/bin/a"]);
  t.same(node.printed, ["a: 1.0 removed", "a: 2.0 removed"]);
});

t.test("install without --stay handles no signals", async (t) => {
  const node = new Node();
  node.run("--to=/cni");
  t.same(node.waits, []);
});

t.test("where the kernel does not tell its own machine, uname's counts", async (t) => {
  const node = new Node();
  node.arch = undefined;
  t.throws(() => node.run("--to", "/cni"), {
    message: "a: is for x86_64, and this node is aarch64; use the image for aarch64",
  });
  t.same([...node.files.keys()], ["/bin/a"]);
});

t.test("install names a directory that another install has locked", async (t) => {
  const node = new Node();
  node.busy = true;
  t.throws(() => node.run("--to", "/cni"), {
    message: /^\/cni: is locked by another install that does not end; look for it/,
  });
});

t.test("install replaces a release without a label", async (t) => {
  const node = new Node();
  node.files.set("/cni/a", "");
  node.run("--to", "/cni");
  t.same(node.printed, ["a: 2.0 installed, in place of another release"]);
});

t.test("install refuses a wrong command line and names the fault", async (t) => {
  for (const [words, ...args] of [
    ["--to: is missing, expected the node's CNI directory, such as /opt/cni/bin"],
    ["--to: is given more than once", "--to", "/a", "--to=/b"],
    ["--to cni/bin: is not absolute, expected a path such as /opt/cni/bin", "--to", "cni/bin"],
    ["--to: needs a value, DIR", "--to"],
    ["--unistall: unknown option of this command; did you mean --uninstall?", "--to", "/cni", "--unistall"],
    ["unexpected argument: /cni", "/cni"],
  ] as const) {
    const node = new Node();
    t.throws(() => node.run(...args), new UsageError(words));
    t.same([...node.files.keys()], ["/bin/a"]);
  }
});

// Installs executables in a node's CNI directory. At every moment and after every crash, each is
// complete or absent. Files of other programs stay.
import { codeOf, ignoring, isErrno } from "../errno.ts";

/** What installing needs from the host. Tests pass a node of their own. */
export type NodeFiles = Pick<
  typeof import("host"),
  | "close"
  | "copyFile"
  | "identify"
  | "lock"
  | "machine"
  | "readDirectory"
  | "readFile"
  | "readLink"
  | "rename"
  | "sameContent"
  | "stat"
  | "sync"
  | "unlink"
>;

/** What happened to one plugin. */
export interface InstallOutcome {
  readonly name: string;
  /** Such as `0.1.0 installed`. */
  readonly what: string;
  readonly changed: boolean;
}

/** An executable that the build labelled `NAME VERSION`. */
interface Release {
  readonly name: string;
  readonly version: string;
  readonly machine: number;
}

/** What a name in the directory belongs to. Absent if the name is free. */
type Present = { readonly ours: true; readonly version: string } | { readonly ours: false; readonly what: string };

/** `e_machine` (elf(5)), and the kernel's name for it. */
const machines = new Map([
  [62, "x86_64"],
  [183, "aarch64"],
]);

/** How long to wait for another install, in milliseconds. */
const lockTimeoutMs = 30_000;

/** The name of an incomplete copy. No runtime asks for such a name. */
const unfinished = (name: string): string => `.${name}.kubevirt-cni-bindings-unfinished`;
const isUnfinished = (name: string): boolean => /^\..+\.kubevirt-cni-bindings-unfinished$/.test(name);

/** The executable of this process, those next to it, and a directory. All paths are absolute. */
export class Installation {
  readonly #files: NodeFiles;
  readonly #to: string;

  constructor(files: NodeFiles, to: string) {
    this.#files = files;
    this.#to = to.replace(/(?<=.)\/+$/, "");
  }

  /**
   * Installs the plugins that are missing. If one cannot be installed, none is, and the directory
   * is as it was before.
   */
  put(): InstallOutcome[] {
    const { from, releases } = this.#carried();
    const node = this.#nodeMachine();
    for (const { name, machine } of releases) {
      const wanted = machines.get(machine) ?? `of ELF machine ${machine}`;
      if (wanted !== node)
        throw new Error(`${name}: is for ${wanted}, and this node is ${node}; use the image for ${node}`);
    }
    return this.#alone(() => {
      const all = releases.map((release) => ({ ...release, present: this.#look(release.name) }));
      const obstacles = all.flatMap(({ name, present }) =>
        present?.ours === false ? [`${this.#to}/${name}: ${present.what}, and is not replaced; move it away`] : [],
      );
      if (obstacles.length > 0) throw new Error(`${obstacles.join("; ")}; nothing was installed`);
      const missing = all.filter(({ name, present }) => !(present && this.#isSame(`${from}/${name}`, name)));
      // All copies are on the disk before the first one becomes visible.
      const copied: string[] = [];
      try {
        for (const { name } of missing) {
          this.#files.copyFile(`${from}/${name}`, this.#path(unfinished(name)), 0o755);
          copied.push(name);
        }
        for (const { name } of missing) {
          this.#files.rename(this.#path(unfinished(name)), this.#path(name));
          copied.shift();
        }
      } finally {
        for (const name of copied) this.#files.unlink(this.#path(unfinished(name)));
      }
      if (missing.length > 0) this.#files.sync(this.#to);
      return all.map((release) => {
        const { name, version, present } = release;
        if (!missing.includes(release)) return { name, what: `${version} already there`, changed: false };
        const before = present?.ours ? present.version : undefined;
        const instead = before === undefined ? "" : `, in place of ${before === version ? "another " : ""}${before}`;
        return { name, what: `${version} installed${instead}`, changed: true };
      });
    });
  }

  /** Removes the installed plugins, of any release. */
  remove(): InstallOutcome[] {
    const { releases } = this.#carried();
    return this.#alone(() => {
      const outcomes = releases.map(({ name }): InstallOutcome => {
        const present = this.#look(name);
        if (present === undefined) return { name, what: "not there", changed: false };
        if (!present.ours) return { name, what: `${present.what}, and is left as it is`, changed: false };
        this.#files.unlink(this.#path(name));
        return { name, what: `${present.version} removed`, changed: true };
      });
      if (outcomes.some(({ changed }) => changed)) this.#files.sync(this.#to);
      return outcomes;
    });
  }

  #path(name: string): string {
    return `${this.#to}/${name}`;
  }

  /** What this process's executable is. */
  #carried(): { from: string; releases: readonly Release[] } {
    const executable = this.#files.readLink("/proc/self/exe");
    const from = executable.slice(0, executable.lastIndexOf("/"));
    const releases = this.#files.readDirectory(from === "" ? "/" : from).flatMap((name) => {
      const release = this.#release(`${from}/${name}`);
      // Not a copy that an operator keeps under another name.
      return release?.name === name ? [release] : [];
    });
    if (releases.length === 0)
      throw new Error(`${executable}: has another name than it was built with; nothing is there to be installed`);
    return { from, releases };
  }

  /** Undefined if the file is missing, or is not one of our executables. */
  #release(path: string): Release | undefined {
    const executable = ignoring(["ENOENT", "ELOOP", "EACCES", "ENXIO"], () => this.#files.identify(path));
    if (executable === undefined) return undefined;
    const [name = "", version = "of another format"] = executable.label.split(" ");
    return { name, version, machine: executable.machine };
  }

  #look(name: string): Present | undefined {
    const path = this.#path(name);
    try {
      const executable = this.#files.identify(path);
      if (executable === undefined) return { ours: false, what: "is none of these plugins" };
      // A release that wrote its label in another way counts.
      if (executable.label === "") return { ours: true, version: "another release" };
      const [itself, version = ""] = executable.label.split(" ");
      return itself === name ? { ours: true, version } : { ours: false, what: `is ${executable.label}` };
    } catch (failure) {
      if (isErrno(failure, "ENOENT")) return undefined;
      if (isErrno(failure, "ELOOP")) return { ours: false, what: "is a symbolic link" };
      throw failure;
    }
  }

  #isSame(source: string, name: string): boolean {
    return this.#files.stat(this.#path(name)).mode === 0o755 && this.#files.sameContent(source, this.#path(name));
  }

  /**
   * Returns the machine. Under emulation (binfmt_misc and QEMU) uname(2) reports the emulated one,
   * so a better source comes first.
   */
  #nodeMachine(): string {
    const arch = ignoring(["ENOENT"], () => this.#files.readFile("/proc/sys/kernel/arch"));
    // This file exists from Linux 6.1 on.
    return arch?.trim() ?? this.#files.machine();
  }

  /**
   * Works while no other install changes the directory, after the removal of what a killed one
   * left.
   */
  #alone<T>(work: () => T): T {
    try {
      const { kind } = this.#files.stat(this.#to);
      if (kind !== "directory") throw new Error(`${this.#to}: is a ${kind}, expected a directory`);
      const lock = this.#files.lock(this.#to, lockTimeoutMs);
      try {
        for (const name of this.#files.readDirectory(this.#to).filter(isUnfinished))
          this.#files.unlink(this.#path(name));
        return work();
      } finally {
        this.#files.close(lock);
      }
    } catch (failure) {
      const { path } = failure as { readonly path?: string };
      const advice = path?.startsWith(this.#to) ? advices.get(codeOf(failure) ?? "") : undefined;
      throw advice === undefined ? failure : new Error(`${this.#to}: ${advice} (${(failure as Error).message})`);
    }
  }
}

/** What an operator can do about it. */
const advices = new Map([
  ["ENOENT", "is missing; make it, or mount the node's CNI directory there"],
  ["ENOTDIR", "is below something that is no directory; give the node's CNI directory"],
  ["EROFS", "is read-only; mount it writable, or give the directory that this node's runtime is configured with"],
  ["ENOSPC", "is full, and is as it was; free space on the node"],
  ["EDQUOT", "is full, and is as it was; free space on the node"],
  ["EACCES", "may not be written; run as the user it belongs to (root), under SELinux as spc_t"],
  ["EPERM", "may not be changed; run as the user it belongs to (root), and look for an immutable attribute (lsattr)"],
  ["ETIMEDOUT", "is locked by another install that does not end; look for it"],
]);

// Directories in memory, in which a journal keeps its records. A call can be made to fail.
import { createHash } from "node:crypto";
import type { Directory, OpenDirectory } from "../../../lib/plan/directory.ts";
import type { Entry } from "../../../lib/plan/entry.ts";
import { Journal } from "../../../lib/plan/journal.ts";
import type { Author } from "../../../lib/plan/record-file.ts";

/** The error of a system call. */
export function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${path} (${code})`), { code });
}

/** The calls that change something. */
export type Deed = "create" | "mkdir" | "rename" | "rmdir" | "unlink";

export class MemoryTree {
  /** The text of each file, by its path. */
  readonly files = new Map<string, string>();
  readonly directories = new Set<string>(["/run"]);
  /** Called before each change. What it throws is the call's failure. */
  before: ((deed: Deed, path: string) => void) | undefined;
  /** How many directories are open. */
  open = 0;

  readonly opener: OpenDirectory = (path, { create }) => {
    if (!this.directories.has(path)) {
      if (!create) return;
      this.before?.("mkdir", path);
      for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1))
        this.directories.add(path.slice(0, end));
      this.directories.add(path);
    }
    this.open++;
    return this.#directory(path);
  };

  /** A journal in a directory. */
  journal<E extends Entry<unknown> = Entry>(
    path: string,
    author: Author = { version: "0", plugin: "test" },
  ): Journal<E> {
    const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
    return new Journal<E>(path, this.opener, author, sha256);
  }

  /** The records below a directory, as `c1/net1.json`, without guards and other files. */
  records(directory: string): string[] {
    return [...this.files.keys()]
      .map((path) => path.slice(directory.length + 1))
      .filter((name) => /^[^:/]+\/[^/]+\.(?:json|pending)$/.test(name))
      .sort();
  }

  #directory(path: string): Directory {
    const at = (name: string): string => `${path}/${name}`;
    const text = (name: string): string => {
      const found = this.files.get(at(name));
      if (found === undefined) throw failure("ENOENT", at(name));
      return found;
    };
    const inside = (one: string): boolean => one.startsWith(`${path}/`) && !one.slice(path.length + 1).includes("/");
    const names = (): string[] =>
      [...this.files.keys(), ...this.directories]
        .filter(inside)
        .map((one) => one.slice(path.length + 1))
        .sort();
    return {
      path,
      names,
      read: (name) => {
        const found = this.files.get(at(name));
        if (found?.startsWith("-> ")) throw failure("ELOOP", at(name));
        return found;
      },
      create: (name, content) => {
        this.before?.("create", at(name));
        if (!this.directories.has(path)) throw failure("ENOENT", at(name));
        if (this.files.has(at(name))) throw failure("EEXIST", at(name));
        this.files.set(at(name), content);
      },
      link: (name, target) => {
        this.before?.("create", at(name));
        if (this.files.has(at(name))) throw failure("EEXIST", at(name));
        this.files.set(at(name), `-> ${target}`);
      },
      target: (name) => /^-> (.*)$/.exec(this.files.get(at(name)) ?? "")?.[1],
      rename: (from, to) => {
        this.before?.("rename", at(to));
        this.files.set(at(to), text(from));
        this.files.delete(at(from));
      },
      unlink: (name) => {
        if (!this.files.has(at(name))) return;
        this.before?.("unlink", at(name));
        this.files.delete(at(name));
      },
      has: (name) => this.files.has(at(name)) || this.directories.has(at(name)),
      open: (name, options) => {
        if (this.files.has(at(name))) throw failure("ENOTDIR", at(name));
        return this.opener(at(name), options);
      },
      removeDirectory: (name) => {
        if ([...this.files.keys()].some((one) => one.startsWith(`${at(name)}/`))) throw failure("ENOTEMPTY", at(name));
        this.before?.("rmdir", at(name));
        this.directories.delete(at(name));
      },
      close: () => {
        this.open--;
      },
    };
  }
}

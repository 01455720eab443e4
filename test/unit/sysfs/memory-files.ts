// A tree of files in memory, with symbolic links that are followed, and the errors that system
// calls give.

interface Directory {
  readonly kind: "directory";
  readonly inode: number;
}

interface Link {
  readonly kind: "symlink";
  readonly inode: number;
  readonly to: string;
}

interface File {
  readonly kind: "file";
  readonly inode: number;
  readonly mode: number;
  readonly text: string;
  /** What reading it ends in, where it cannot be read. */
  readonly code?: string;
}

export type Entry = Directory | Link | File;

/** A HostError, as the host throws it. */
export function hostError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${syscall} ${path}: failed (${code})`), { code, syscall, path });
}

/** See above. Paths are absolute. */
export class MemoryFiles {
  readonly #entries = new Map<string, Entry>([["", { kind: "directory", inode: 1 }]]);
  #inode = 1;

  /** Puts a directory where none is, and those above it. */
  directory(path: string): void {
    if (this.#entries.has(path)) return;
    this.directory(parentOf(path));
    this.#entries.set(path, { kind: "directory", inode: ++this.#inode });
  }

  link(path: string, to: string): void {
    this.directory(parentOf(path));
    this.#entries.set(path, { kind: "symlink", to, inode: ++this.#inode });
  }

  /** Puts a file, or another text into the one that is there. */
  file(path: string, text: string, { mode = 0o644, code }: { mode?: number; code?: string } = {}): void {
    this.directory(parentOf(path));
    const before = this.#entries.get(path);
    const inode = before?.kind === "file" ? before.inode : ++this.#inode;
    this.#entries.set(path, { kind: "file", mode, text, inode, ...(code !== undefined && { code }) });
  }

  /** Takes away what is at the path and below it. */
  remove(path: string): void {
    for (const one of [...this.#entries.keys()])
      if (one === path || one.startsWith(`${path}/`)) this.#entries.delete(one);
  }

  /** Moves an entry, which takes the place of another. */
  move(from: string, to: string): void {
    const entry = this.#entries.get(from)!;
    this.#entries.delete(from);
    this.#entries.set(to, entry);
  }

  /** The path without symbolic links, and what is there. Throws ENOENT, ENOTDIR and ELOOP. */
  find(path: string, { follow = true, syscall = "open" } = {}): { readonly path: string; readonly entry: Entry } {
    const found = this.#resolve(path, follow, 0);
    if (typeof found !== "string") throw hostError(found.code, syscall, path);
    return { path: found, entry: this.#entries.get(found)! };
  }

  has(path: string): boolean {
    return typeof this.#resolve(path, true, 0) === "string";
  }

  /** Where the file is to be that is made by this path. */
  placeOf(path: string): string {
    const { path: parent } = this.find(parentOf(path));
    return parent + path.slice(path.lastIndexOf("/"));
  }

  /** Throws what reading the file ends in. */
  read(path: string, { follow = true } = {}): string {
    const { entry } = this.find(path, { follow });
    if (entry.kind === "symlink") throw hostError("ELOOP", "open", path);
    if (entry.kind === "directory") throw hostError("EISDIR", "read", path);
    if (entry.code !== undefined) throw hostError(entry.code, "read", path);
    return entry.text;
  }

  /** The names in a directory, sorted. */
  names(path: string): string[] {
    const { path: directory, entry } = this.find(path);
    if (entry.kind !== "directory") throw hostError("ENOTDIR", "open", path);
    return [...this.#entries.keys()]
      .filter((one) => one !== "" && parentOf(one) === directory)
      .map((one) => one.slice(directory.length + 1))
      .sort();
  }

  target(path: string): string {
    const { entry } = this.find(path, { follow: false, syscall: "readlink" });
    if (entry.kind !== "symlink") throw hostError("EINVAL", "readlink", path);
    return entry.to;
  }

  /** Everything below a directory, by path. */
  below(directory: string): [path: string, entry: Entry][] {
    return [...this.#entries].filter(([path]) => path.startsWith(`${directory}/`)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #resolve(path: string, follow: boolean, depth: number): string | { code: string } {
    if (depth > 40) return { code: "ELOOP" };
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    let at = "";
    for (const [position, part] of parts.entries()) {
      if (part === "..") {
        at = parentOf(at);
        continue;
      }
      if (this.#entries.get(at)!.kind !== "directory") return { code: "ENOTDIR" };
      const parent = at;
      at += `/${part}`;
      const entry = this.#entries.get(at);
      if (entry === undefined) return { code: "ENOENT" };
      const isLast = position === parts.length - 1 && !path.endsWith("/");
      if (entry.kind !== "symlink" || (isLast && !follow)) continue;
      const start = entry.to.startsWith("/") ? entry.to : `${parent}/${entry.to}`;
      return this.#resolve([start, ...parts.slice(position + 1)].join("/"), follow, depth + 1);
    }
    return at;
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

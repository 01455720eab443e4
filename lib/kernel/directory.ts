// Directories of the node that only root can change.
import * as host from "host";
import { roots } from "../cni/roots.ts";
import { ignoring, isErrno } from "../errno.ts";
import type { Directory, OpenDirectory } from "../plan/directory.ts";
import { located, openTrusted } from "../trusted-directory.ts";

/** The longest record, in bytes. */
const maxFileSize = 4 << 20;

/**
 * Opens a directory by its absolute path. Undefined if it is missing, unless `create`.
 *
 * @throws ForeignDirectory that names the first directory on the way that others than root can
 *   change
 */
export function openDirectory(path: string, { create }: { readonly create: boolean }): HostDirectory | undefined {
  const fd = openTrusted(host, path, { create });
  return fd === undefined ? undefined : new HostDirectory(path, fd);
}

/**
 * Opens the directory of a journal: the plugin's own one in the root of the state, following
 * symbolic links, and what is below that without.
 */
export const openJournal: OpenDirectory = (path, options) => {
  const { state } = roots();
  const [, own, below] = path.startsWith(`${state}/`)
    ? (/^([^/]+)(?:\/(.*))?$/.exec(path.slice(state.length + 1)) ?? [])
    : [];
  if (own === undefined || below === undefined) return openDirectory(path, options);
  const top = openDirectory(`${state}/${own}`, options);
  try {
    return top?.open(below, options);
  } finally {
    top?.close();
  }
};

export class HostDirectory implements Directory {
  readonly path: string;
  readonly fd: number;
  readonly #in: { readonly in: number };

  constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
    this.#in = { in: fd };
  }

  names(): string[] {
    return this.#locating(".", () => host.readOpenDirectory(this.fd));
  }

  read(name: string): string | undefined {
    return this.#locating(name, () => host.readFileIfThere(name, { ...this.#in, limit: maxFileSize }));
  }

  create(name: string, text: string): void {
    this.#locating(name, () => host.createFile(name, text, this.#in));
  }

  link(name: string, target: string): void {
    this.#locating(name, () => host.createLink(name, target, this.#in));
  }

  target(name: string): string | undefined {
    return ignoring(["EINVAL"], () => host.readLinkIfThere(name, this.#in));
  }

  rename(from: string, to: string): void {
    this.#locating(from, () => host.rename(from, to, this.#in));
  }

  unlink(name: string): void {
    this.#locating(name, () => host.unlinkIfThere(name, this.#in));
  }

  has(name: string): boolean {
    return host.statIfThere(name, this.#in) !== undefined;
  }

  open(name: string, { create }: { readonly create: boolean }): Directory | undefined {
    const below = { ...this.#in, path: this.path };
    const fd = openTrusted(host, name, { create, below });
    return fd === undefined ? undefined : new HostDirectory(`${this.path}/${name}`, fd);
  }

  removeDirectory(name: string): void {
    this.#locating(name, () => host.removeDirectory(name, this.#in));
  }

  close(): void {
    host.close(this.fd);
  }

  /** An error names the whole path, unless the caller expects it. */
  #locating<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (failure) {
      throw isErrno(failure, "ENOENT", "EEXIST") ? failure : located(`${this.path}/${name}`, failure);
    }
  }
}

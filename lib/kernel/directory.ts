// Directories of the node that only root can change.
import * as host from "host";
import { codeOf, isErrno } from "../errno.ts";
import { FactError } from "../fact.ts";
import type { Directory } from "../plan/directory.ts";

/** The longest record, in bytes. */
const maxFileSize = 4 << 20;

/**
 * Opens a directory by its absolute path. Undefined if it is missing, unless `create`.
 *
 * @throws FactError that names the first directory on the way that others than root can change
 */
export function openDirectory(path: string, { create }: { readonly create: boolean }): HostDirectory | undefined {
  const fd = opened(() => host.openDirectory(path, { create }));
  return fd === undefined ? undefined : new HostDirectory(path, fd);
}

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
    return host.readOpenDirectory(this.fd);
  }

  read(name: string): string {
    return host.readFile(name, { ...this.#in, limit: maxFileSize });
  }

  create(name: string, text: string): void {
    host.createFile(name, text, this.#in);
  }

  append(name: string, text: string): void {
    host.appendFile(name, text, this.#in);
  }

  rename(from: string, to: string): void {
    host.rename(from, to, this.#in);
  }

  unlink(name: string): void {
    host.unlink(name, this.#in);
  }

  has(name: string): boolean {
    try {
      host.stat(name, this.#in);
      return true;
    } catch (failure) {
      if (isErrno(failure, "ENOENT")) return false;
      throw failure;
    }
  }

  open(name: string, { create }: { readonly create: boolean }): Directory | undefined {
    const fd = opened(() => host.openDirectory(name, { ...this.#in, create }), this.path);
    return fd === undefined ? undefined : new HostDirectory(`${this.path}/${name}`, fd);
  }

  removeDirectory(name: string): void {
    host.removeDirectory(name, this.#in);
  }

  close(): void {
    host.close(this.fd);
  }
}

/** @param above the path of the directory that the opened one is in */
function opened(open: () => number, above?: string): number | undefined {
  try {
    return open();
  } catch (failure) {
    const code = codeOf(failure);
    if (code === "ENOENT") return undefined;
    const { path } = failure as { readonly path?: string };
    if (code !== "EPERM" || path === undefined) throw failure;
    const found = above === undefined ? path : `${above}/${path}`;
    throw new ForeignDirectory(found, permissionFault(found));
  }
}

/** Others than root can change a directory: nothing in it is believed, and nothing written to it. */
export class ForeignDirectory extends FactError {}

function permissionFault(path: string): string {
  const { kind, uid, mode } = host.stat(path, { follow: false });
  if (uid !== 0) return `belongs to user ${uid}, not to root`;
  return kind === "directory"
    ? `mode ${mode.toString(8)} lets other users write; expected 755 or less`
    : `is a ${kind}, not a directory`;
}

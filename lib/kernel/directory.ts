// Directories of the node that only root can change.
import * as host from "host";
import { ignoring, isErrno } from "../errno.ts";
import type { Directory } from "../plan/directory.ts";
import { openTrusted } from "../trusted-directory.ts";

/** The longest record, in bytes. */
const maxFileSize = 4 << 20;

/**
 * Opens a directory by its absolute path. Undefined if it is missing, unless `create`.
 *
 * @throws ForeignDirectory that names the first directory on the way that others than root can
 *   change
 */
export function openDirectory(path: string, { create }: { readonly create: boolean }): HostDirectory | undefined {
  const fd = ignoring(["ENOENT"], () => openTrusted(host, path, { create }));
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

  link(name: string, target: string): void {
    host.createLink(name, target, this.#in);
  }

  target(name: string): string | undefined {
    return ignoring(["ENOENT", "EINVAL"], () => host.readLink(name, this.#in));
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
    const below = { ...this.#in, path: this.path };
    const fd = ignoring(["ENOENT"], () => openTrusted(host, name, { create, below }));
    return fd === undefined ? undefined : new HostDirectory(`${this.path}/${name}`, fd);
  }

  removeDirectory(name: string): void {
    host.removeDirectory(name, this.#in);
  }

  close(): void {
    host.close(this.fd);
  }
}

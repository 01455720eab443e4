// Opens directories that only root can change, and says who else can change one that is refused.
import { codeOf } from "./errno.ts";
import { FactError } from "./fact.ts";

/** The calls of the host that this needs. */
export type Opener = Pick<typeof import("host"), "openDirectory" | "openDirectoryIfThere" | "stat">;

/** Other users than root can change a directory: its content is not believed. */
export class ForeignDirectory extends FactError {}

/**
 * Opens a directory as the host does: by its path, or below an open one whose path is `path`.
 * Undefined if it is missing, unless `create`.
 *
 * @throws ForeignDirectory that names the first directory that others than root can change
 */
export function openTrusted(
  host: Opener,
  name: string,
  options: { readonly create: boolean; readonly below?: { readonly in: number; readonly path: string } },
): number | undefined {
  const { create, below } = options;
  try {
    const place = below === undefined ? {} : { in: below.in };
    return create ? host.openDirectory(name, { create, ...place }) : host.openDirectoryIfThere(name, place);
  } catch (failure) {
    const { path, syscall } = failure as { readonly path?: string; readonly syscall?: string };
    const code = codeOf(failure);
    if (code !== "EPERM" || syscall !== "fstat" || path === undefined) {
      const wanted = below === undefined ? name : `${below.path}/${name}`;
      throw path === wanted || code === "ENOENT" ? failure : located(wanted, failure);
    }
    const found = below === undefined ? path : `${below.path}/${path}`;
    throw new ForeignDirectory(found, permissionFault(host, found));
  }
}

/** Returns the host's error with the whole path: the error itself names a part of it. */
export function located(path: string, failure: unknown): Error {
  const { message, code, syscall } = failure as Error & { readonly code?: string; readonly syscall?: string };
  return Object.assign(new Error(`${path}: ${message}`), { code, syscall, path });
}

function permissionFault(host: Opener, path: string): string {
  const { kind, uid, mode } = host.stat(path, { follow: false });
  if (uid !== 0) return `belongs to user ${uid}, not to root`;
  return kind === "directory"
    ? `mode ${mode.toString(8)} lets other users write; expected 755 or less`
    : `is a ${kind}, not a directory`;
}

// Reads the root directories from the node's file.
import * as host from "host";
import { CniError, code } from "../cni/errors.ts";
import { roots, rootsFile, setRoots } from "../cni/roots.ts";
import { type HostDirectory, openDirectory } from "./directory.ts";

/**
 * Takes the roots from the node's file. Without the file, they stay as they are compiled in.
 *
 * @throws CniError if the file or a directory on the way does not belong to root alone, or if its
 *   content is wrong
 */
export function loadRoots(): void {
  const { directory, name } = rootsFile;
  const path = `${directory}/${name}`;
  if (host.statIfThere(path, { follow: false }) === undefined) return;
  const opened = openDirectory(directory, { create: false })!;
  const { kind, uid, mode } = host.stat(path, { follow: false });
  const fault =
    kind !== "file"
      ? `is a ${kind}, not a file`
      : uid !== 0
        ? `belongs to user ${uid}, not to root`
        : (mode & 0o022) === 0
          ? undefined
          : `mode ${mode.toString(8)} lets other users write; expected 644 or less`;
  if (fault !== undefined) throw new CniError(code.badConfiguration, `${path}: ${fault}`);
  setRoots(opened.read(name)!);
  opened.close();
}

/** The directory that all plugins of the project share, below the root of the state. */
const sharedName = "kubevirt-cni-bindings";

/**
 * Returns the directory that all plugins share. Undefined if it is missing, unless `create`. It
 * stays open.
 */
export type SharedDirectory = (options: { readonly create: boolean }) => HostDirectory | undefined;

/** Opens the directory when it is first needed, and only once. */
export function sharedDirectory(): SharedDirectory {
  let opened: HostDirectory | undefined;
  return (options) => {
    opened ??= openDirectory(`${roots().state}/${sharedName}`, options);
    return opened;
  };
}

// Where a journal cannot be.
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** A place of the journal, and what is said of it. */
export interface BadDataDir {
  /** What is done to it before. */
  readonly prepare: (dataDir: string, containerId: string) => Promise<void>;
  readonly code: number;
  readonly msg: RegExp;
}

/**
 * Those in which nothing can be recorded, for the attachment `net1`. A name completes "a dataDir
 * …".
 */
export const badDataDirs: Readonly<Record<string, BadDataDir>> = {
  "that others can write to": {
    prepare: async (dataDir) => {
      await mkdir(dataDir, { recursive: true });
      await chmod(dataDir, 0o777);
    },
    code: 102,
    msg: /^dataDir: .* mode 777 lets other users write/,
  },
  "that is a symbolic link": {
    prepare: async (dataDir) => {
      await mkdir(dirname(dataDir), { recursive: true });
      await symlink("/tmp", dataDir);
    },
    code: 102,
    msg: /^dataDir: .* is a symlink, not a directory/,
  },
  "that is a file": {
    prepare: async (dataDir) => {
      await mkdir(dirname(dataDir), { recursive: true });
      await writeFile(dataDir, "");
    },
    code: 102,
    msg: /^dataDir: .* is a file, not a directory/,
  },
  "below a file": {
    prepare: (dataDir) => writeFile(dirname(dataDir), ""),
    code: 5,
    msg: /run\/journal: .*ENOTDIR/,
  },
  "in which the record is a symbolic link": {
    prepare: async (dataDir, containerId) => {
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      await symlink("/etc/passwd", `${dataDir}/${containerId}:net1.json`);
    },
    code: 5,
    msg: /net1\.json: .*ELOOP/,
  },
  "in which the record is not one of ours": {
    prepare: async (dataDir, containerId) => {
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      await writeFile(`${dataDir}/${containerId}:net1.json`, '{"format":99}');
    },
    code: 102,
    msg: /net1\.json: has format 99, not \d+/,
  },
};

// Values of `dataDir` that ADD refuses.
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

export interface BadDataDir {
  /** Runs before ADD. */
  readonly prepare: (dataDir: string, containerId: string) => Promise<void>;
  readonly code: number;
  readonly msg: RegExp;
}

/**
 * In none of them can ADD write a record for the attachment `net1`. The keys are names of tests.
 */
export const badDataDirs: Readonly<Record<string, BadDataDir>> = {
  "ADD refuses a dataDir that other users can write to": {
    prepare: async (dataDir) => {
      await mkdir(dataDir, { recursive: true });
      await chmod(dataDir, 0o777);
    },
    code: 102,
    msg: /^\/run\/.*: mode 777 lets other users write/,
  },
  "ADD refuses a dataDir that is a symbolic link": {
    prepare: async (dataDir) => {
      await mkdir(dirname(dataDir), { recursive: true });
      await symlink("/tmp", dataDir);
    },
    code: 5,
    msg: /run\/journal: .*ELOOP/,
  },
  "ADD refuses a dataDir that is a file": {
    prepare: async (dataDir) => {
      await mkdir(dirname(dataDir), { recursive: true });
      await writeFile(dataDir, "");
    },
    code: 5,
    msg: /run\/journal: .*ENOTDIR/,
  },
  "ADD refuses a dataDir below a file": {
    prepare: (dataDir) => writeFile(dirname(dataDir), ""),
    code: 5,
    msg: /run\/journal: .*ENOTDIR/,
  },
  "ADD refuses a record that is a symbolic link": {
    prepare: async (dataDir, containerId) => {
      await mkdir(`${dataDir}/${containerId}`, { recursive: true, mode: 0o700 });
      await symlink("/etc/passwd", `${dataDir}/${containerId}/net1.json`);
    },
    code: 5,
    msg: /net1\.json: .*ELOOP/,
  },
  "ADD refuses a record with an unknown format": {
    prepare: async (dataDir, containerId) => {
      await mkdir(`${dataDir}/${containerId}`, { recursive: true, mode: 0o700 });
      await writeFile(`${dataDir}/${containerId}/net1.json`, '{"format":99}');
    },
    code: 102,
    msg: /net1\.json: has format 99, expected \d+/,
  },
};

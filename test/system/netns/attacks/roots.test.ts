// Checks which file of the node may change the roots. The file is in an /etc of the call's own
// mount namespace.
import { chmod, chown, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { attachmentOf, recordsIn } from "../../../harness/attachment.ts";
import { createPod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";

const done = { status: 0, stdout: "" };

interface Etc {
  readonly directory: string;
  readonly file: string;
  /** The prefix of a command that sees the directory as /etc. */
  readonly under: readonly string[];
}

/** Creates a directory for /etc, with a file that moves the state to `state`. */
async function etcWith(t: Scope, state: string): Promise<Etc> {
  const directory = await mkdtemp(join(tmpdir(), "etc-"));
  t.teardown(() => rm(directory, { recursive: true }));
  await chmod(directory, 0o755);
  const file = join(directory, "kubevirt-cni-bindings.json");
  await writeFile(file, JSON.stringify({ state }), { mode: 0o644 });
  const script = 'mount --bind "$0" /etc && exec "$@"';
  const under = ["unshare", "--mount", "--propagation=private", "--", "sh", "-c", script, directory];
  return { directory, file, under };
}

/** Creates a directory for the state that only root can change. */
async function stateDirectory(t: Scope): Promise<string> {
  const state = await mkdtemp("/run/kcb-state-");
  t.teardown(() => rm(state, { recursive: true, force: true }));
  return state;
}

for (const plugin of ["bridge-binding", "passt-binding"])
  t.test(`${plugin}: records and locks are below the root that the node's file names`, async (t) => {
    const state = await stateDirectory(t);
    const { under } = await etcWith(t, state);
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge" });
    const attachment = await attachmentOf(t, plugin, pod, { dataDir: `${state}/${plugin}`, call: { under } });
    const before = await snapshot(pod.namespace);

    t.match(await attachment.run("STATUS"), done);
    t.match(await attachment.run("ADD"), { status: 0 });
    t.same(await recordsIn(`${state}/${plugin}`), [`${pod.containerId}/net1.json`]);
    t.ok((await recordsIn(`${state}/kubevirt-cni-bindings`)).includes("locks"));
    t.match(await attachment.run("ADD", { dataDir: `/run/${plugin}` }), { status: 1, error: { code: 7 } });
    t.match(await attachment.check(), done);
    t.match(await attachment.run("DEL"), done);

    t.same(await recordsIn(`${state}/${plugin}`), []);
    t.same(differences(before, await snapshot(pod.namespace)), []);
  });

const faults: Readonly<Record<string, readonly [make: (etc: Etc) => Promise<unknown>, msg: RegExp]>> = {
  "belongs to another user": [({ file }) => chown(file, 107, 0), /\.json: belongs to user 107, not to root/],
  "is writable for its group": [({ file }) => chmod(file, 0o664), /\.json: mode 664 lets other users write/],
  "is writable for all": [({ file }) => chmod(file, 0o646), /\.json: mode 646 lets other users write/],
  "is a symbolic link": [
    async ({ file }) => {
      await rename(file, `${file}.real`);
      await symlink(`${file}.real`, file);
    },
    /\.json: is a symlink, not a file/,
  ],
  "is a directory": [
    async ({ file }) => {
      await rm(file);
      await mkdir(file);
    },
    /\.json: is a directory, not a file/,
  ],
  "is in a directory that others can change": [
    ({ directory }) => chmod(directory, 0o777),
    /\/etc: mode 777 lets other/,
  ],
  "is in a directory of another user": [({ directory }) => chown(directory, 107, 0), /\/etc: belongs to user 107/],
  "does not parse": [({ file }) => writeFile(file, "{"), /kubevirt-cni-bindings\.json: /],
  "has an unknown field": [({ file }) => writeFile(file, '{"stat":"/tmp"}'), /unknown field "stat"/],
  "has a path that leads up": [({ file }) => writeFile(file, '{"state":"/run/../tmp"}'), /state: must be an absolute/],
};

for (const [what, [make, msg]] of Object.entries(faults))
  t.test(`every verb refuses the node's file if it ${what}`, async (t) => {
    const state = await stateDirectory(t);
    const etc = await etcWith(t, state);
    await make(etc);
    const pod = await createPod(t);
    await pod.attach({ kind: "bridge" });
    const before = await snapshot(pod.namespace);

    for (const plugin of ["bridge-binding", "passt-binding"]) {
      const attachment = await attachmentOf(t, plugin, pod, {
        dataDir: `${state}/${plugin}`,
        call: { under: etc.under },
      });
      for (const verb of ["STATUS", "ADD", "CHECK", "DEL"])
        t.match(await attachment.run(verb), { status: 1, error: { msg } }, `${plugin} ${verb}`);
      t.same(await recordsIn(`${state}/${plugin}`), []);
    }

    t.same(differences(before, await snapshot(pod.namespace)), []);
  });

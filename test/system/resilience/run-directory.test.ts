// /run, where the journal is by default, is full or read-only: before ADD, and after ADD, in CHECK
// and DEL.
import t, { type Test } from "tap";
import type { Answer } from "../../harness/plugin.ts";
import { type RunDirectory, smallRun } from "./run-directory.ts";
import { type Ground, groundOf, type Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

const done = { status: 0, stdout: "" };

/** A pod on a node with a small /run. */
interface SmallRunGround extends Ground {
  readonly run: RunDirectory;
  call(verb: string): Promise<Answer>;
}

async function groundWithSmallRun(t: Test, subject: Subject): Promise<SmallRunGround> {
  const ground = await groundOf(t, subject);
  const run = await smallRun(t);
  const { attachment } = ground;
  const { dataDir: _, ...defaults } = attachment.netconf;
  const prevResult = { cniVersion: attachment.netconf["cniVersion"] };
  return {
    ...ground,
    run,
    call: (verb) =>
      attachment.run(
        verb,
        { dataDir: undefined, ...defaults, ...(verb === "CHECK" && { prevResult }) },
        { under: run.under },
      ),
  };
}

/** What prevents the plugin from writing a record, and the errno that it reports. */
const obstacles: Readonly<Record<string, { make: (run: RunDirectory) => Promise<void>; errno: string }>> = {
  "without room for a byte": { make: (run) => run.fill(), errno: "ENOSPC" },
  "without room for a file": { make: (run) => run.exhaust(), errno: "ENOSPC" },
  "read-only": { make: (run) => run.setWritable(false), errno: "EROFS" },
};

async function recover(run: RunDirectory): Promise<void> {
  await run.setWritable(true);
  await run.clear();
}

for (const subject of subjects) {
  for (const [what, { make, errno }] of Object.entries(obstacles)) {
    t.test(`${subject.name}: if /run is ${what}, ADD and STATUS report it and change nothing`, async (t) => {
      const { run, call, differences } = await groundWithSmallRun(t, subject);
      t.match(await call("STATUS"), done, "STATUS creates the journal's directory");
      await make(run);
      const files = await run.files();
      t.match(await call("ADD"), {
        status: 1,
        error: { code: 5, msg: new RegExp(`/run/(${subject.name}|kubevirt-cni-bindings).*${errno}`) },
      });
      t.same(await differences(), []);
      t.same(await run.files(), files, "no temporary file is left");
      t.match(await call("STATUS"), { status: 1, error: { code: 50, msg: new RegExp(errno) } });
      t.match(await call("DEL"), done, "as a runtime calls it after a failed ADD");
      await recover(run);
      t.match(await call("STATUS"), done);
      t.match(await call("ADD"), { status: 0 });
      t.match(await call("DEL"), done);
      t.same(await differences(), []);
    });

    t.test(`${subject.name}: if /run is ${what} after ADD, CHECK succeeds and DEL restores the pod`, async (t) => {
      const { run, call, differences } = await groundWithSmallRun(t, subject);
      t.match(await call("ADD"), { status: 0 });
      await make(run);
      const files = await run.files();
      t.match(await call("CHECK"), done);
      const answer = await call("DEL");
      t.same(await differences(), [], "also if the record cannot be removed");
      if (errno === "EROFS") {
        t.match(answer, { status: 1, error: { code: 5, msg: /EROFS/ } }, "the runtime calls again");
        t.same(await run.files(), files, "the record is kept");
      } else t.match(answer, done);
      await recover(run);
      t.match(await call("DEL"), done);
      t.same(await run.files(), []);
      t.same(await differences(), []);
    });
  }

  t.test(`${subject.name}: if /run becomes full between two ADDs of a pod, all DELs succeed`, async (t) => {
    const { run, pod, attachment } = await groundWithSmallRun(t, subject);
    const all = await subject.four(t, pod, `/run/${subject.name}`);
    const call = (position: number, verb: string): Promise<Answer> =>
      all[position]!.run(verb, {}, { under: run.under });
    for (const position of [0, 1, 2]) t.match(await call(position, "ADD"), { status: 0 });
    await run.fill();
    t.match(await call(3, "ADD"), { status: 1, error: { code: 5, msg: /ENOSPC/ } });
    for (const position of [0, 3, 2, 1]) t.match(await call(position, "DEL"), done);
    t.same(
      (await run.files()).filter((path) => path !== "/run/filler"),
      [],
    );
    t.same(await attachment.journal(), []);
  });
}

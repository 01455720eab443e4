// Runs sriov-vfio of 0.1.0 and of this release in turn on one VF, in both directions.
import { execa } from "execa";
import t from "tap";
import { firstReleaseOf } from "../../../harness/releases.ts";
import { asked, done, podWith, stateOf, vfsOf } from "../pod.ts";

const [vf] = await vfsOf(t, "eth0", 1);
const before = await stateOf(vf);
const refused = { status: 1, error: { code: 5, msg: /: Symbolic link loop \(ELOOP\)/ } };
const noAttachment = { "cni.dev/valid-attachments": [] };

t.test("this release checks and restores a VF of 0.1.0, and no other pod gets it before", async (t) => {
  const pod = await podWith(t, vf, asked);
  const other = await podWith(t, vf, { dataDir: pod.journal });

  t.match(await firstReleaseOf(pod)("ADD"), { status: 0 });

  t.match(await pod.check(), done);
  t.match(await pod.run("ADD"), { status: 1, error: { msg: /call DEL first/ } });
  t.match(await other.run("ADD"), { status: 1, error: { msg: /in use by container/ } });
  t.match(await pod.check(), done);
  t.match(await pod.run("DEL"), done);
  t.same(await stateOf(vf), before);
  t.same(pod.records(), []);
});

t.test("GC of this release restores a VF of 0.1.0", async (t) => {
  const pod = await podWith(t, vf, asked);
  t.match(await firstReleaseOf(pod)("ADD"), { status: 0 });

  t.match(await pod.run("GC", noAttachment), done);

  t.same(await stateOf(vf), before);
  t.match(await pod.run("DEL"), done);
});

t.test("ADD of this release restores a VF whose pod of 0.1.0 no longer exists", async (t) => {
  const pod = await podWith(t, vf, asked);
  const heir = await podWith(t, vf, { dataDir: pod.journal, vlan: 7 });
  t.match(await firstReleaseOf(pod)("ADD"), { status: 0 });
  await execa("ip", ["netns", "del", pod.path.split("/").at(-1)!]);

  t.match(await heir.run("ADD"), { status: 0 });
  t.match(await heir.check(), done);
  t.match(await pod.run("DEL"), done);
  t.match(await heir.check(), done);
  t.match(await heir.run("DEL"), done);

  t.same(await stateOf(vf), before);
});

t.test("0.1.0 refuses a VF of this release, for its pod and for any other, and changes nothing", async (t) => {
  const pod = await podWith(t, vf, asked);
  const other = await podWith(t, vf, { dataDir: pod.journal, vlan: 7 });
  t.match(await pod.run("ADD"), { status: 0 });
  const added = await stateOf(vf);

  for (const verb of ["CHECK", "DEL", "ADD", "DEL"]) t.match(await firstReleaseOf(pod)(verb), refused, verb);
  t.match(await firstReleaseOf(other)("ADD"), refused);
  const collected = await firstReleaseOf(pod)("GC", noAttachment);
  t.match(collected, { status: 1, error: { code: 5 } });
  t.match(collected.stdout, /ELOOP/);

  t.same(await stateOf(vf), added);
  t.match(await pod.check(), done);
  t.match(await pod.run("DEL"), done);
  t.same(await stateOf(vf), before);
});

t.test("after DEL of this release, 0.1.0 adds the VF again", async (t) => {
  const pod = await podWith(t, vf, asked);
  t.match(await pod.run("ADD"), { status: 0 });
  t.match(await pod.run("DEL"), done);

  t.match(await firstReleaseOf(pod)("ADD"), { status: 0 });
  t.match(await firstReleaseOf(pod)("CHECK"), done);
  t.match(await firstReleaseOf(pod)("DEL"), done);

  t.same(await stateOf(vf), before);
});

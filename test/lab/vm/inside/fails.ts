// Fails inside the machine and removes everything in its teardown. machine.test.ts checks that the
// evidence is kept all the same, and that it names the failing line of this file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import t from "tap";
import { ip } from "../../../harness/ip.ts";
import { createNamespace } from "../../../harness/namespaces.ts";

t.test("a test that passes", async (t) => t.pass());

t.test("a test that fails", async (t) => {
  const pod = await createNamespace(t);
  await ip(pod, "link add dummy7 type dummy");
  const directory = mkdtempSync(`${tmpdir()}/journal-`);
  t.teardown(() => rmSync(directory, { recursive: true }));
  const journal = `${directory}/run/bridge-binding`;
  mkdirSync(journal, { recursive: true });
  writeFileSync(`${journal}/attachment`, "journal\n");
  writeFileSync("/dev/kmsg", "a line for the kernel\n");
  t.equal(pod.name, "another", "the name");
});

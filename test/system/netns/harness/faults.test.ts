import { readdir, rmdir } from "node:fs/promises";
import { execa } from "execa";
import t from "tap";
import { failingAt, failingFrom, killedBefore, signalledDuring, watch } from "../../../harness/faults.ts";
import { ip, links } from "../../../harness/ip.ts";
import { createNamespace } from "../../../harness/namespaces.ts";

const run = (under: readonly string[], ...command: string[]) => {
  const [file, ...args] = [...under, ...command];
  return execa(file!, args, { reject: false });
};

t.test("watch counts a program's changes, and each can kill the program or fail", async (t) => {
  const directory = t.testdir({});
  const made = () => readdir(directory);
  const clear = async () => Promise.all((await made()).map((name) => rmdir(`${directory}/${name}`)));
  const command = ["mkdir", ...["a", "b", "c"].map((name) => `${directory}/${name}`)];

  const { under, mutations } = await watch(t);
  t.equal((await run(under, ...command)).exitCode, 0);
  const found = await mutations();
  t.same(
    found.map(({ name, nth }) => [name, nth]),
    [1, 2, 3].map((nth) => ["mkdir", nth]),
  );

  for (const [index, mutation] of found.entries()) {
    await clear();
    t.equal((await run(killedBefore(mutation), ...command)).signal, "SIGKILL");
    t.same(await made(), ["a", "b", "c"].slice(0, index), "what came before was done, and nothing after");
  }

  await clear();
  const failed = await run(failingAt(found[1]!, "EPERM"), ...command);
  t.equal(failed.exitCode, 1);
  t.match(failed.stderr, /Operation not permitted/);
  t.same(await made(), ["a", "c"]);
});

t.test("a program receives a signal during a change, or its later changes fail", async (t) => {
  const directory = t.testdir({});
  const made = () => readdir(directory);
  const clear = async () => Promise.all((await made()).map((name) => rmdir(`${directory}/${name}`)));
  const command = ["mkdir", ...["a", "b", "c"].map((name) => `${directory}/${name}`)];
  const second = { name: "mkdir", nth: 2, text: "" };

  const terminated = signalledDuring(second, "SIGTERM");
  t.equal((await run(terminated, ...command)).signal, "SIGTERM");
  t.same(await made(), ["a", "b"]);
  await clear();
  t.equal((await run(terminated, "env", "--ignore-signal=TERM", ...command)).exitCode, 0);
  t.same(await made(), ["a", "b", "c"], "a signal that is ignored stops nothing");
  await clear();
  t.equal((await run(failingFrom(second, "EROFS"), ...command)).exitCode, 1);
  t.same(await made(), ["a"]);
});

t.test("a program that is killed before a netlink request changes nothing", async (t) => {
  const namespace = await createNamespace(t);
  const command = ["ip", "-n", namespace.name, "link", "add", "br0", "type", "bridge"];
  const { under, mutations } = await watch(t);
  t.equal((await run(under, ...command)).exitCode, 0);
  const request = (await mutations()).at(-1)!;
  t.equal(request.name, "sendmsg");
  await ip(namespace, "link del br0");
  t.equal((await run(killedBefore(request), ...command)).signal, "SIGKILL");
  t.same([...(await links(namespace)).keys()], ["lo"]);
});

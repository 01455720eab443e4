// The example plugin as an executable, with Debian's host-local and with IPAM plugins that misbehave: what only a real process can show of the protocol.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { createNamespace } from "../../harness/namespaces.ts";
import { type Call, callPlugin, callSuccessfully, debianPlugins } from "../../harness/plugin.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "address-only-"));
t.teardown(() => rm(directory, { recursive: true }));
await execa(join(root, "scripts/build"), ["--plugins", "examples", "--out", join(directory, "bin")]);
const plugin = join(directory, "bin/address-only");

const namespace = await createNamespace(t);
const call: Call = {
  containerId: "c0ffee",
  netns: namespace.path,
  ifname: "eth0",
  path: `${directory}/ipam:${debianPlugins}`,
};
const leases = join(directory, "leases");
const hostLocal = (cniVersion: string, subnet = "10.77.0.0/24"): object => ({
  cniVersion,
  name: "blue",
  type: "address-only",
  ipam: { type: "host-local", subnet, dataDir: leases, routes: [{ dst: "0.0.0.0/0" }] },
});
const leased = async (): Promise<string[]> => (await readdir(join(leases, "blue"))).filter((name) => /^\d/.test(name));

/** Puts an IPAM plugin on CNI_PATH that is this shell script, and gives a configuration that names it. */
async function shell(name: string, script: string): Promise<object> {
  await execa("mkdir", ["-p", join(directory, "ipam")]);
  await writeFile(join(directory, "ipam", name), script);
  await chmod(join(directory, "ipam", name), 0o755);
  return { cniVersion: "1.1.0", name: "blue", type: "address-only", ipam: { type: name } };
}

t.test("an address is reserved, checked and released, in every version that host-local has", async (t) => {
  for (const version of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"]) {
    const { result, stdout } = await callSuccessfully(plugin, "ADD", call, hostLocal(version));
    t.equal(result!.cniVersion, version);
    const { ip4, ips } = JSON.parse(stdout);
    t.match(ip4?.ip ?? ips[0].address, /^10\.77\.0\.\d+\/24$/);
    t.equal(ips?.[0].version, version.startsWith("0.3") || version === "0.4.0" ? "4" : undefined);
    t.equal((await leased()).length, 1);
    if (version === "0.4.0" || version === "1.0.0")
      t.equal((await callPlugin(plugin, "CHECK", call, { ...hostLocal(version), prevResult: result })).stdout, "");
    for (const attempt of ["first", "second"])
      t.equal((await callSuccessfully(plugin, "DEL", call, hostLocal(version))).stdout, "", `${attempt} DEL`);
    t.same(await leased(), []);
  }
});

t.test("CHECK tells that the address is no longer reserved, in the IPAM plugin's words", async (t) => {
  const { result } = await callSuccessfully(plugin, "ADD", call, hostLocal("1.0.0"));
  await callSuccessfully(plugin, "DEL", call, hostLocal("1.0.0"));
  const { status, error } = await callPlugin(plugin, "CHECK", call, { ...hostLocal("1.0.0"), prevResult: result });
  t.equal(status, 1);
  t.match(error, { cniVersion: "1.0.0", msg: /host-local: Failed to find address/ });
});

t.test("DEL releases the address when the namespace is gone, and without one", async (t) => {
  for (const netns of ["/run/netns/gone", "/etc/hostname", ""]) {
    await callSuccessfully(plugin, "ADD", call, hostLocal("1.0.0"));
    await callSuccessfully(plugin, "DEL", { ...call, netns }, hostLocal("1.0.0"));
    t.same(await leased(), [], netns);
  }
});

t.test("an IPAM plugin that has no address left fails ADD with its own error", async (t) => {
  const full = hostLocal("1.0.0", "10.78.0.0/30");
  await callSuccessfully(plugin, "ADD", call, full);
  const { status, error } = await callPlugin(plugin, "ADD", { ...call, containerId: "other" }, full);
  t.equal(status, 1);
  t.match(error, { cniVersion: "1.0.0", msg: /no IP addresses available/ });
  await callSuccessfully(plugin, "DEL", call, full);
  t.same(await leased(), []);
});

t.test("a result that cannot be written gives the address back", async (t) => {
  const full = await open("/dev/full", "w");
  const child = spawn(plugin, { env: environment("ADD"), stdio: ["pipe", full.fd, "pipe"] });
  child.stdin!.end(JSON.stringify(hostLocal("1.0.0")));
  const [status] = await once(child, "exit");
  await full.close();
  t.not(status, 0);
  t.same(await leased(), []);
});

t.test(
  "the IPAM plugin is given the environment and the configuration's very text, and its log is passed on",
  async (t) => {
    const seen = join(directory, "seen");
    await shell(
      "seeing",
      `#!/bin/sh\ncat > ${seen}; env > ${seen}.env; echo "a log line" >&2; echo '{"cniVersion":"1.1.0"}'\n`,
    );
    const text = '{ "name":"blue",\n\t"cniVersion":"1.1.0","ipam":{"type":"seeing","rate":1.50} }\n';
    const { result, stderr } = await callSuccessfully(
      plugin,
      "ADD",
      { ...call, env: { CNI_ARGS: "A=1", HOME: "/nowhere" } },
      text,
    );
    t.same(result, { cniVersion: "1.1.0", ips: [], routes: [] });
    t.equal(stderr, "a log line\n");
    t.equal(await readFile(seen, "utf8"), text);
    const variables = (await readFile(`${seen}.env`, "utf8")).split("\n");
    for (const variable of [
      "CNI_COMMAND=ADD",
      "CNI_CONTAINERID=c0ffee",
      "CNI_IFNAME=eth0",
      "CNI_ARGS=A=1",
      "HOME=/nowhere",
      `CNI_PATH=${call.path}`,
    ])
      t.ok(variables.includes(variable), variable);
  },
);

t.test("GC and STATUS reach the IPAM plugin, and its errors come back", async (t) => {
  const conf = await shell(
    "refusing",
    `#!/bin/sh\ncat > /dev/null; echo '{"cniVersion":"1.1.0","code":50,"msg":"'$CNI_COMMAND'","details":"d"}'; exit 1\n`,
  );
  for (const verb of ["GC", "STATUS"])
    t.same((await callPlugin(plugin, verb, call, conf)).error, {
      cniVersion: "1.1.0",
      code: 50,
      msg: verb,
      details: "d",
    });
});

t.test(
  "an IPAM plugin that cannot be run, dies or talks nonsense is told of, and is undone where it was run",
  async (t) => {
    const log = join(directory, "log");
    const logging = `#!/bin/sh\ncat > /dev/null; echo $CNI_COMMAND >> ${log}; [ $CNI_COMMAND = DEL ] && exit\n`;
    for (const [name, script, msg, ran] of [
      ["nonsense", `${logging} echo hello`, /gave no result that can be read/, "ADD\nDEL\n"],
      ["silent", `${logging} true`, /gave no result that can be read/, "ADD\nDEL\n"],
      ["failing", `${logging} exit 3`, /ADD ended with status 3 and printed no CNI error/, "ADD\nDEL\n"],
      ["killed", `${logging} kill -9 $$`, /ADD was ended by signal 9/, "ADD\nDEL\n"],
      ["flooding", `${logging} head -c 2000000 /dev/zero`, /printed more than 1 MiB/, "ADD\nDEL\n"],
      ["homeless", "#!/nowhere\n", /its interpreter, or the loader that it was linked for, is missing/, ""],
      ["foreign", "\u007fELF and nothing more", /is not an executable of this machine/, ""],
    ] as const) {
      await writeFile(log, "");
      const { status, error } = await callPlugin(plugin, "ADD", call, await shell(name, script));
      t.equal(status, 1, name);
      t.match(error, { code: 103, msg });
      t.equal(await readFile(log, "utf8"), ran, name);
    }
  },
);

t.test("DEL goes on to its end through SIGTERM and SIGINT", async (t) => {
  const conf = await shell("slow", `#!/bin/sh\ncat > /dev/null; echo begun; sleep 1; touch ${directory}/ended\n`);
  const child = spawn(plugin, { env: environment("DEL"), stdio: ["pipe", "pipe", "inherit"] });
  child.stdin!.end(JSON.stringify(conf));
  await sleep(400);
  child.kill("SIGTERM");
  child.kill("SIGINT");
  const [status, signal] = await once(child, "exit");
  t.same([status, signal], [0, null]);
  t.ok((await readdir(directory)).includes("ended"));
});

t.test("VERSION does not wait for standard input", async (t) => {
  const child = spawn(plugin, { env: { CNI_COMMAND: "VERSION" }, stdio: ["pipe", "pipe", "inherit"] });
  const [status] = await once(child, "exit");
  t.equal(status, 0);
  child.stdin!.destroy();
});

function environment(verb: string): Record<string, string> {
  return {
    PATH: "/usr/bin:/bin",
    CNI_COMMAND: verb,
    CNI_CONTAINERID: call.containerId!,
    CNI_NETNS: call.netns!,
    CNI_IFNAME: call.ifname!,
    CNI_PATH: call.path!,
  };
}

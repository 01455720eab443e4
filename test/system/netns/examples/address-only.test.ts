// Tests the example plugin's executable with Debian's host-local.
//
// test/system/conformance tests what holds for every IPAM plugin.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { createNamespace } from "../../../harness/namespaces.ts";
import { type Call, callPlugin, callSuccessfully, debianPlugins } from "../../../harness/plugin.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "address-only-"));
t.teardown(() => rm(directory, { recursive: true }));
await execa(join(root, "scripts/build"), ["--plugins", "examples", "--out", join(directory, "bin")]);
const plugin = join(directory, "bin/address-only");

const namespace = await createNamespace(t);
const call: Call = {
  containerId: "c0ffee",
  netns: namespace.path,
  ifname: "eth0",
  path: debianPlugins,
};
const leases = join(directory, "leases");
const hostLocal = (cniVersion: string, subnet = "10.77.0.0/24"): object => ({
  cniVersion,
  name: "blue",
  type: "address-only",
  ipam: { type: "host-local", subnet, dataDir: leases, routes: [{ dst: "0.0.0.0/0" }] },
});
const leased = async (): Promise<string[]> => (await readdir(join(leases, "blue"))).filter((name) => /^\d/.test(name));

t.test("address-only reserves, checks and releases an address in every version of host-local", async (t) => {
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

t.test("CHECK reports a released address with the IPAM plugin's message", async (t) => {
  const { result } = await callSuccessfully(plugin, "ADD", call, hostLocal("1.0.0"));
  await callSuccessfully(plugin, "DEL", call, hostLocal("1.0.0"));
  const { status, error } = await callPlugin(plugin, "CHECK", call, { ...hostLocal("1.0.0"), prevResult: result });
  t.equal(status, 1);
  t.match(error, { cniVersion: "1.0.0", msg: /host-local: Failed to find address/ });
});

t.test("ADD fails with the IPAM plugin's error when no address is left", async (t) => {
  const full = hostLocal("1.0.0", "10.78.0.0/30");
  await callSuccessfully(plugin, "ADD", call, full);
  const { status, error } = await callPlugin(plugin, "ADD", { ...call, containerId: "other" }, full);
  t.equal(status, 1);
  t.match(error, { cniVersion: "1.0.0", msg: /no IP addresses available/ });
  await callSuccessfully(plugin, "DEL", call, full);
  t.same(await leased(), []);
});

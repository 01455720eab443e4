// Tests sriov-vfio with host-local: an address is reserved exactly as long as the attachment
// exists.
import { rmSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import t, { type Test } from "tap";
import { dist } from "../../../harness/plugin.ts";
import { pciPath, type Vf } from "../../../harness/sriov.ts";
import { asked, done, filesIn, podWith, stateOf, type VfPod, vfsOf } from "../pod.ts";

const [vf] = await vfsOf(t, "eth0", 1);
const before = await stateOf(vf);

/**
 * Creates a pod with IPAM, and access to host-local's leases. `rangeEnd` limits the number of
 * addresses.
 */
async function podWithAddress(
  t: Test,
  fields: object = {},
  { rangeEnd = "10.9.0.200" } = {},
): Promise<VfPod & { leases(): string[]; leaseFile(address: string): string }> {
  const pod = await podWith(t, vf);
  const dataDir = `${pod.journal}-ipam`;
  const ipam = {
    ...{ type: "host-local", dataDir, routes: [{ dst: "0.0.0.0/0" }] },
    ranges: [[{ subnet: "10.9.0.0/24", rangeStart: "10.9.0.7", rangeEnd }], [{ subnet: "fd00:9::/64" }]],
  };
  const run: VfPod["run"] = (verb, more, call) =>
    pod.run(verb, { cniVersion: "1.0.0", ...asked, ipam, ...fields, ...more }, call);
  const directory = `${dataDir}/fast`;
  return {
    ...pod,
    run,
    check: () => run("CHECK", { prevResult: { cniVersion: "1.0.0" } }),
    leases: () => filesIn(directory).filter((name) => /^[\da-f]+[.:]/.test(name)),
    leaseFile: (address) => `${directory}/${address}`,
  };
}

/** Checks that the VF is as before, and that no address and no record is left. */
async function isAsBefore(t: Test, { leases, records }: Awaited<ReturnType<typeof podWithAddress>>): Promise<void> {
  t.same(leases(), []);
  t.same(records(), []);
  t.same(await stateOf(vf), before);
}

t.test("ADD returns the addresses for its own interface, CHECK checks them, and DEL releases them", async (t) => {
  const pod = await podWithAddress(t);
  const { run, check, path, leases, leaseFile } = pod;
  const eth0 = { name: "eth0", mac: "02:00:00:00:00:01", sandbox: path };
  const first = { address: "10.1.0.2/24", interface: 0 };
  const prevResult = { cniVersion: "1.0.0", interfaces: [eth0], ips: [first], routes: [{ dst: "10.1.0.0/16" }] };
  // As Kubernetes sends CNI_ARGS. Without IgnoreUnknown, host-local refuses MAC.
  const { result, error } = await run("ADD", { prevResult }, { args: "IgnoreUnknown=1;MAC=02:00:00:00:00:77" });
  t.equal(error, undefined);
  t.same(result, {
    cniVersion: "1.0.0",
    interfaces: [eth0, { name: "net1", mac: "02:00:00:00:00:77", sandbox: path }],
    ips: [
      first,
      { address: "10.9.0.7/24", gateway: "10.9.0.1", interface: 1 },
      { address: "fd00:9::2/64", gateway: "fd00:9::1", interface: 1 },
    ],
    routes: [{ dst: "10.1.0.0/16" }, { dst: "0.0.0.0/0" }],
    dns: {},
  });
  t.same(leases(), ["10.9.0.7", "fd00:9::2"]);
  t.match(await check(), done);
  rmSync(leaseFile("10.9.0.7"));
  rmSync(leaseFile("fd00:9::2"));
  t.match(await check(), { status: 1, error: { msg: /host-local/ } });
  writeFileSync(leaseFile("10.9.0.7"), `${pod.call.containerId}\r\nnet1`);
  t.match(await run("DEL"), done);
  await isAsBefore(t, pod);
  t.match(await run("DEL"), done, "twice");
});

t.test("a failed ADD releases the addresses", async (t) => {
  for (const [fields, error] of [
    [{ link_state: "enable" }, { code: 100, msg: /EOPNOTSUPP/ }],
    [{ binding: "require-prebound" }, { code: 102, msg: /is on igbvf/ }],
    [{ vlan: 4095 }, { code: 7, msg: /^vlan: / }],
    [{ deviceID: "0000:ff:00.0" }, { code: 102, msg: /no such PCI device/ }],
  ] as const) {
    const pod = await podWithAddress(t, fields);
    t.match(await pod.run("ADD"), { status: 1, error });
    await isAsBefore(t, pod);
  }
});

t.test("ADD without a free address fails and does not change the VF", async (t) => {
  const full = await podWithAddress(t, {}, { rangeEnd: "10.9.0.7" });
  t.match(await full.run("ADD", {}, { containerId: "other" }), { status: 0 });
  t.match(await full.run("ADD", { binding: "auto" }), { status: 1, error: { msg: /no IP addresses available/ } });
  t.match(await full.run("DEL"), done);
  t.equal(full.leases().length, 2, "those of the other");
  t.match(await full.run("DEL", {}, { containerId: "other" }), done);
  await isAsBefore(t, full);
  t.match(await full.run("ADD", {}, { path: dist }), { status: 1, error: { code: 103, msg: /host-local is in none/ } });
  await isAsBefore(t, full);
});

t.test("DEL releases the addresses without the pod's namespace", async (t) => {
  const gone = await podWithAddress(t);
  t.match(await gone.run("ADD"), { status: 0 });
  await execa("ip", ["netns", "del", gone.path.split("/").at(-1)!]);
  t.match(await gone.run("DEL"), done);
  await isAsBefore(t, gone);

  const nameless = await podWithAddress(t);
  t.match(await nameless.run("ADD"), { status: 0 });
  t.match(await nameless.run("DEL", { deviceID: undefined }, { netns: "" }), done, "nor its name, nor the VF's");
  await isAsBefore(t, nameless);
});

t.test("ADD that fails because another pod has the VF keeps no address", async (t) => {
  const pod = await podWithAddress(t);
  t.match(await pod.run("ADD"), { status: 0 });
  t.match(await pod.run("ADD", {}, { containerId: "other" }), {
    status: 1,
    error: { code: 102, msg: /in use by container / },
  });
  t.same(pod.leases(), ["10.9.0.7", "fd00:9::2"]);
  t.match(await pod.run("DEL"), done);
  await isAsBefore(t, pod);
});

t.test("DEL releases the addresses if it cannot restore the VF, or if the VF no longer exists", async (t) => {
  const { run, leases, records } = await podWithAddress(t);
  t.match(await run("ADD"), { status: 0 });
  await execa("ip", ["link", "set", "eth0", "down"]);
  t.match(await run("DEL"), { status: 1, error: { code: 100, msg: /tx rate/ } });
  t.same(leases(), []);
  writeFileSync(`${pciPath(vf.address)}/physfn/sriov_numvfs`, "0");
  t.match(await run("DEL"), done);
  t.same(records(), []);

  await execa("ip", ["link", "set", "eth0", "up"]);
  const [anew] = (await vfsOf(t, "eth0", 1)) as [Vf];
  const later = await podWithAddress(t);
  t.match(await later.run("ADD", { max_tx_rate: undefined }), { status: 0 });
  writeFileSync(`${pciPath(anew.address)}/physfn/sriov_numvfs`, "0");
  t.match(await later.run("DEL"), done);
  t.same(later.leases(), []);
});

// Tests sriov-vfio if a part of the node is missing, or disappears while a pod has a VF.
import { readlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { execa } from "execa";
import t, { type Test } from "tap";
import { createNamespace } from "../../../harness/namespaces.ts";
import { callPlugin } from "../../../harness/plugin.ts";
import { driverOf, netdevOf, pciPath } from "../../../harness/sriov.ts";
import { asked, carrierOf, done, filesIn, podWith, stateOf, vfsOf } from "../pod.ts";

const netconf = { cniVersion: "1.1.0", name: "fast", type: "sriov-vfio" };

/** Returns a prefix for a command line, under which the directory or file `from` replaces `to`. */
function behind(from: string, to: string): { readonly under: readonly string[] } {
  return { under: ["unshare", "--mount", "sh", "-c", `mount --bind ${from} ${to} && exec "$@"`, "sh"] };
}
const withoutModules = behind("/mnt", "/usr/lib/modules");
const withoutModprobe = behind("/dev/null", "/usr/bin/kmod");

/** Unloads a kernel module until the test ends. */
async function unload(t: Test, module: string): Promise<void> {
  t.teardown(() => execa("modprobe", [module]));
  await execa("modprobe", ["--remove", module]);
}

/** Changes a PF's link while it is down, then sets it up and waits for the carrier. */
async function whileDown(link: string, then: string, name = link): Promise<void> {
  await execa("ip", ["-batch", "-"], {
    input: `link set ${link} down\nlink set ${link} ${then}\nlink set ${name} up\n`,
  });
  await carrierOf(name);
}

t.test("STATUS without a VF fails and says how to create VFs", async (t) => {
  const { status, error } = await callPlugin("sriov-vfio", "STATUS", {}, netconf);
  t.match(
    { status, error },
    { status: 1, error: { code: 50, msg: "node: has no SR-IOV VF; create some through a PF's sriov_numvfs" } },
  );
});

t.test("vfio-pci is loaded if that is possible", async (t) => {
  const [vf] = await vfsOf(t, "eth0", 1);
  const before = await stateOf(vf);
  const { run, records } = await podWith(t, vf, asked);
  await unload(t, "vfio-pci");

  await t.test("ADD without a loadable vfio-pci changes nothing, and STATUS fails for the same reason", async (t) => {
    for (const [call, reason] of [
      [withoutModules, "modprobe could not load it (exit status 1)"],
      [withoutModprobe, "the node has no modprobe to load it"],
    ] as const) {
      const answer = await run("ADD", {}, call);
      t.match(answer, { status: 1, error: { code: 102, msg: `vfio-pci: is not loaded, and ${reason}` } });
      t.same(await stateOf(vf), before);
      t.same(records(), []);
    }
    t.match(await callPlugin("sriov-vfio", "STATUS", withoutModules, netconf), {
      status: 1,
      error: { code: 50, msg: "vfio-pci: neither a driver of this kernel nor a module that it can load" },
    });
  });

  await t.test("STATUS succeeds if the module exists, and ADD loads it", async (t) => {
    t.match(await callPlugin("sriov-vfio", "STATUS", {}, netconf), done);
    t.match(await run("ADD"), { status: 0 });
    t.equal(driverOf(vf.address), "vfio-pci");
    t.match(await run("DEL"), done);
    t.same(await stateOf(vf), before);
  });
});

t.test("an attached VF survives changes of the node", async (t) => {
  const [vf] = await vfsOf(t, "eth0", 1);
  await execa("ip", ["link", "set", netdevOf(vf.address)!, "name", "chosen"]);
  const before = await stateOf(vf);

  await t.test("CHECK and DEL find the PF after its link was renamed", async (t) => {
    const { run, check } = await podWith(t, vf, asked);
    t.match(await run("ADD"), { status: 0 });
    await whileDown("eth0", "name uplink", "uplink");
    t.match(await check(), done);
    await execa("ip", ["link", "set", "uplink", "vf", `${vf.index}`, "trust", "off"]);
    t.match(await check(), { error: { code: 101, msg: `uplink VF ${vf.index}: trust is off, not on` } });
    t.match(await run("DEL"), done);
    await whileDown("uplink", "name eth0", "eth0");
    t.same(await stateOf(vf), before);
  });

  await t.test(
    "DEL with the PF down restores all but the rate, and the next DEL with the PF up restores the rate",
    async (t) => {
      const { run, records } = await podWith(t, vf, asked);
      t.match(await run("ADD"), { status: 0 });
      await execa("ip", ["link", "set", "eth0", "down"]);
      t.match(await run("DEL"), { status: 1, error: { code: 100, msg: /^set eth0 VF 0: tx rate: .*EINVAL/ } });
      t.match(await stateOf(vf), { ...before, settings: { rate: { max_tx: 100 } } });
      t.not(records().length, 0);
      await execa("ip", ["link", "set", "eth0", "up"]);
      await carrierOf("eth0");
      t.match(await run("DEL"), done);
      // If a VF's driver binds while the PF is down, igb does not learn the VF's MAC address.
      t.same({ ...(await stateOf(vf)), mac: "picked" }, before);
      t.same(records(), []);
    },
  );

  await t.test(
    "DEL fails while the PF's link is in another namespace, and succeeds after it has returned",
    async (t) => {
      const { run, check, records } = await podWith(t, vf, asked);
      t.match(await run("ADD"), { status: 0 });
      const { name } = await createNamespace(t);
      await execa("ip", ["link", "set", "eth0", "netns", name]);
      const msg = "0000:01:00.0: the VF's PF has no network link in the host's namespace";
      t.match(await check(), { status: 1, error: { code: 102, msg } });
      t.match(await run("DEL"), { status: 1, error: { code: 102, msg } });
      t.not(records().length, 0);
      await execa("ip", ["-netns", name, "link", "set", "eth0", "netns", "1"]);
      await execa("ip", ["link", "set", "eth0", "up"]);
      await carrierOf("eth0");
      t.match(await run("DEL"), done);
      t.same(await stateOf(vf), before);
    },
  );

  await t.test("DEL loads the module of the VF's own driver", async (t) => {
    const { run, records } = await podWith(t, vf, asked);
    t.match(await run("ADD"), { status: 0 });
    await unload(t, "igbvf");
    t.match(await run("DEL"), done);
    t.same(await stateOf(vf), before);
    t.same(records(), []);
  });
});

t.test("DEL succeeds after the VF has disappeared because its PF was unbound, and another ADD fails", async (t) => {
  const [vf] = await vfsOf(t, "eth1", 1);
  const pf = basename(readlinkSync(`${pciPath(vf.address)}/physfn`));
  const { run, check, info, records } = await podWith(t, vf, asked);
  t.match(await run("ADD"), { status: 0 });
  writeFileSync("/sys/bus/pci/drivers/igb/unbind", pf);
  t.teardown(() => writeFileSync("/sys/bus/pci/drivers/igb/bind", pf));
  t.match(await check(), { status: 1, error: { code: 101, msg: `${vf.address}: was removed or recreated after ADD` } });
  t.match(await run("ADD", {}, { containerId: "another" }), {
    error: { code: 102, msg: `${vf.address}: no such PCI device on this node` },
  });
  t.match(await run("DEL"), done);
  t.same(records(), []);
  t.same(filesIn(dirname(info)), [], "and no device information");
});

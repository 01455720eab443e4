// Tests what diagnose reports of a VF in a pod, before and after changes by other programs. The
// diagnose executable is not the one that attached the VF.
import { closeSync, openSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { groupOf, type Vf } from "../../../harness/sriov.ts";
import { diagnose } from "../../../system/netns/diagnose/diagnosing.ts";
import { asked, carrierOf, podWith, vfsOf } from "../pod.ts";

const [vf, other] = (await vfsOf(t, "eth0", 2)) as [Vf, Vf];

t.test("diagnose draws an attached VF, finds no problem, and then finds each change made through the PF", async (t) => {
  const { run, path, journal } = await podWith(t, vf, { ...asked, mac: "02:00:00:00:00:01" });
  t.match(await run("ADD"), { status: 0 });
  const group = groupOf(vf.address)!;
  const look = (...flags: string[]) => diagnose([...flags, "--data-dir", journal, path]);
  const findings = async (): Promise<string[]> =>
    JSON.parse((await look("--json")).stdout).findings.map(
      ({ code, subject }: { code: string; subject: string }) => `${code} ${subject}`,
    );

  const { status, stdout } = await look();
  t.equal(status, 0, stdout);
  t.match(stdout, /^network ─── eth0 ─── VF 0 ─── vfio-pci ┄┄┄ guest {4}sriov-vfio$/m);
  t.match(stdout, `${vf.address}  vfio-pci, IOMMU group ${group}, MAC 02:00:00:00:00:01, VLAN 100, QoS 3, 802.1q`);

  const open = openSync(`/dev/vfio/${group}`, "r+");
  t.match((await look()).stdout, `open in node (${process.pid})`);
  closeSync(open);

  const settings = ["link", "set", "eth0", "vf", "0"];
  await execa("ip", [...settings, "vlan", "0"]);
  t.same(await findings(), ["vf-settings eth0 VF 0"]);
  await execa("ip", [...settings, "vlan", "100", "qos", "3"]);
  await execa("ip", ["link", "set", "eth0", "vf", "1", "mac", "02:00:00:00:00:01"]);
  t.same(await findings(), ["vf-twin eth0 VF 0"], other.address);
  await execa("ip", ["link", "set", "eth0", "vf", "1", "mac", "02:00:00:00:00:02"]);
  await execa("ip", ["link", "set", "eth0", "down"]);
  t.same(await findings(), ["pf-down eth0"]);
  await execa("ip", ["link", "set", "eth0", "up"]);
  // igb rejects every rate without a carrier, so that DEL would fail.
  await carrierOf("eth0");
  t.match(await run("DEL"), { status: 0 });
});

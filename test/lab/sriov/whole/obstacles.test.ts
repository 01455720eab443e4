// Tests obstacles for ADD and DEL of sriov-vfio: the plugin says what to do and changes nothing.
import { execa } from "execa";
import t from "tap";
import { driverOf, groupOf, openVfio } from "../../../harness/sriov.ts";
import { carrierOf, done, podWith, stateOf, vfsOf } from "../pod.ts";

const [vf] = await vfsOf(t, "eth0", 1);
const before = await stateOf(vf);

t.test("ADD names the setting that the PF's driver rejects and reverts the other settings", async (t) => {
  const cases = [
    [{ link_state: "enable" }, /set eth0 VF 0: link state: .*EOPNOTSUPP.*; the PF's driver igb has no such setting/],
    [{ vlan: 5, vlanProto: "802.1ad" }, /VLAN: .*EPROTONOSUPPORT/],
    [{ max_tx_rate: 4_000_000 }, /tx rate: .*EINVAL.*above the link speed/],
    [{ min_tx_rate: 10 }, /tx rate: .*EINVAL/],
  ] as const;
  for (const [more, msg] of cases) {
    const { run, records } = await podWith(t, vf, { spoofchk: "off", trust: "on", ...more });
    t.match(await run("ADD"), { status: 1, error: { code: 100, msg } });
    t.same(await stateOf(vf), before);
    t.same(records(), []);
  }
});

t.test("ADD refuses an impossible netconf, says what to do, and changes nothing", async (t) => {
  const refused = async (more: object, error: object): Promise<void> => {
    const { run, records } = await podWith(t, vf, more);
    t.match(await run("ADD"), { status: 1, error });
    t.same(await stateOf(vf), before);
    t.same(records(), []);
  };
  await refused({ deviceID: undefined }, { code: 7, msg: "deviceID: is missing", details: /resourceName/ });
  await refused({ deviceID: "0000:ff:00.0" }, { code: 102, msg: /no such PCI device/ });
  await refused({ deviceID: "0000:01:00.0" }, { code: 102, msg: /is a physical function, with 1 of 7 VFs/ });
  await refused({ binding: "require-prebound" }, { code: 102, msg: /is on igbvf, and binding is/ });
  await refused({ driver: "mlx5_vfio_pci", binding: "bind" }, { code: 102, msg: /mlx5_vfio_pci: / });
  await refused({ vlan: 0, vlanQoS: 1, spoofchk: "yes" }, { code: 7, msg: /spoofchk: must be "on" or "off"/ });
});

t.test("ADD refuses a VF whose PF is down and names the command that sets it up", async (t) => {
  await execa("ip", ["link", "set", "eth0", "down"]);
  const { run, records } = await podWith(t, vf);
  const answer = await run("ADD");
  t.match(answer, {
    status: 1,
    error: { code: 102, msg: "eth0: the VF's PF is down", details: "ip link set eth0 up" },
  });
  t.same(await stateOf(vf), before);
  t.same(records(), []);
  await execa("ip", ["link", "set", "eth0", "up"]);
  await carrierOf("eth0");
});

t.test("DEL waits for a process that has the VF open, then fails with the process's name", async (t) => {
  const { run } = await podWith(t, vf);
  t.match(await run("ADD"), { status: 0 });
  const { close } = await openVfio(t, groupOf(vf.address)!, vf.address);
  const answer = await run("DEL", {}, { timeout: 60_000 });
  t.match(answer, { status: 1, error: { msg: /^\/dev\/vfio\/\d+: is open in python3 \(\d+\)$/ } });
  t.equal(driverOf(vf.address), "vfio-pci");
  const later = await podWith(t, vf);
  t.match(await later.run("ADD"), { error: { code: 102, msg: /is open in python3/ } });
  const deleting = run("DEL", {}, { timeout: 60_000 });
  await close();
  t.match(await deleting, done);
  t.same(await stateOf(vf), before);
});

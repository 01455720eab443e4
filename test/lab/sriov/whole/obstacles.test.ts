// What keeps sriov-vfio from handing a VF to a guest, or taking it from one: it is told what to do,
// and nothing is changed.
import { execa } from "execa";
import t from "tap";
import { driverOf, groupOf, openVfio } from "../../../harness/sriov.ts";
import { carrierOf, done, podWith, stateOf, vfsOf } from "../pod.ts";

const [vf] = await vfsOf(t, "eth0", 1);
const before = await stateOf(vf);

t.test("what the PF's driver refuses is told, and nothing is left of the rest", async (t) => {
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

t.test("what cannot be had is refused with what to do, and nothing is changed", async (t) => {
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

t.test("a VF whose PF is down is refused with the command that puts it up", async (t) => {
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

t.test("a VF that a guest has open is waited for, and then named with the process", async (t) => {
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

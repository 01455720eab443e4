// Tests a guest with four VFs from sriov-vfio: the MAC addresses of its NICs, the hosts that they
// reach, and the VFs after DEL.
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import t from "tap";
import { ip } from "../../../harness/ip.ts";
import { createNamespace, within } from "../../../harness/namespaces.ts";
import { bindTo, groupOf, netdevOf, type Vf } from "../../../harness/sriov.ts";
import { launch, type Nic, podOfNics } from "../guest.ts";
import { answeredIn, hosts, lines, type Question, startHosts, whoAnswers } from "../guest-hosts.ts";
import { done, stateOf, vfsOf } from "../pod.ts";

/** The guest's NICs: two in VLAN 100, one in VLAN 200, one untagged. */
const nics = { eth0: "10.9.0.10", eth1: "10.9.0.11", eth2: "10.9.0.12", eth3: "10.9.0.13" } as const;
/** The NICs that each host should reach. */
const confined = [`vlan100 ${nics.eth0}`, `vlan100 ${nics.eth1}`, `vlan200 ${nics.eth2}`, `untagged ${nics.eth3}`];

t.test("a guest runs with four VFs", async (t) => {
  const vfs = (await vfsOf(t, "eth0", 4, { probe: false })) as [Vf, Vf, Vf, Vf];
  const [asked, generated, never, prebound] = vfs;
  // igbvf chooses a MAC address for these. `never` has had no MAC address.
  writeFileSync("/sys/class/net/eth0/device/sriov_drivers_autoprobe", "1");
  for (const { address } of [asked, generated, prebound]) writeFileSync("/sys/bus/pci/drivers_probe", address);
  for (const { address } of [never, prebound]) bindTo(address, "vfio-pci");
  await execa("ip", ["link", "set", netdevOf(asked.address)!, "name", "chosen"]);
  const before = await Promise.all(vfs.map(stateOf));
  const outside = await startHosts(t);
  const fromOutside = (): Promise<string[]> =>
    answeredIn(
      outside,
      Object.keys(hosts).flatMap((link) => Object.values(nics).map((address): Question => [link, address])),
    );

  const mac = "02:00:00:00:00:77";
  const pod = await podOfNics(t, [
    { vf: asked, fields: { vlan: 100, vlanQoS: 3 }, args: `MAC=${mac}` },
    { vf: generated, fields: { vlan: 100, vlanQoS: 3, trust: "on" } },
    { vf: never, fields: { vlan: 200 } },
    { vf: prebound },
  ]);
  const added = await Promise.all(pod.nics.map((nic) => nic.run("ADD")));
  const macs = added.map(({ result }) => result?.interfaces?.[0]?.mac);
  t.equal(macs[0], mac);
  const guest = await launch(t, pod);
  t.comment(`start to shell: ${guest.startTime} ms`);

  await t.test("the hypervisor runs as user 107 without capabilities and can lock the guest's memory", async (t) => {
    const status = readFileSync(`/proc/${guest.pid}/status`, "utf8");
    t.match(status, /^Uid:\t107\t107\t107\t107$/m);
    for (const set of ["Prm", "Eff", "Bnd"]) t.match(status, new RegExp(`^Cap${set}:\t0+$`, "m"));
    t.match(readFileSync(`/proc/${guest.pid}/limits`, "utf8"), /^Max locked memory +1342177280 +1342177280 /m);
  });

  await t.test("each NIC has the MAC address that ADD returned, and CHECK succeeds", async (t) => {
    t.same(lines(await guest.run("cat /sys/class/net/eth[0-3]/address")), macs);
    for (const answer of await Promise.all(pod.nics.map((nic) => nic.check()))) t.match(answer, done);
  });

  await t.test("hosts reach only the NICs of their VLAN, with the VLAN's priority", async (t) => {
    const up = Object.entries(nics).map(([nic, ip]) => `ip address add ${ip}/24 dev ${nic}; ip link set ${nic} up`);
    // Each NIC answers only for its own address, also to another NIC of the same guest.
    const all = "/proc/sys/net/ipv4/conf/all";
    await guest.run(`echo 1 >${all}/arp_ignore; echo 1 >${all}/accept_local; ${up.join("; ")}`);
    t.same(await fromOutside(), confined);
    const [file, ...args] = within(outside, "ping", "-c1", "-W10", "-Mdo", "-s1472", nics.eth0);
    t.match((await execa(file, args)).stdout, "1480 bytes from", "in frames of the whole MTU, too");
  });

  await t.test("NICs in the same VLAN reach each other within the device, others do not", async (t) => {
    const { eth1, eth2, eth3 } = nics;
    const pairs: Question[] = [
      ["eth0", eth1],
      ["eth0", eth2],
      ["eth0", eth3],
      ["eth2", eth3],
    ];
    t.same(lines(await guest.run(whoAnswers(pairs, 6))), [`eth0 ${eth1}`]);
  });

  await t.test("the guest can change only a trusted VF's MAC address, and CHECK then succeeds", async (t) => {
    const change = (nic: string): string => `ip link set ${nic} address 02:00:00:00:00:88`;
    const { status, output } = await guest.attempt(change("eth0"));
    t.not(status, 0);
    t.match(output, "Cannot assign requested address");
    t.same(await guest.attempt(change("eth1")), { status: 0, output: "" });
    t.same(await answeredIn(outside, [["vlan100", nics.eth1]]), [`vlan100 ${nics.eth1}`]);
    t.match(await pod.nics[1]!.check(), done);
  });

  await t.test(
    "DEL waits while the guest runs, then fails with the name of its process and changes nothing",
    async (t) => {
      // The first VF was bound by ADD, the second one stays on vfio-pci.
      const [bound, , stays] = pod.nics as [Nic, Nic, Nic];
      const answers = await Promise.all([bound, stays].map((nic) => nic.run("DEL")));
      for (const [index, { vf }] of [bound, stays].entries()) {
        const msg = `/dev/vfio/${groupOf(vf.address)}: is open in qemu-system-x86 (${guest.pid})`;
        t.match(answers[index], { status: 1, error: { msg } });
      }
      t.same(await fromOutside(), confined);
    },
  );

  await guest.stop();

  await t.test("DEL restores each VF after the guest has stopped, and igbvf's link works", async (t) => {
    for (const answer of await Promise.all(pod.nics.map((nic) => nic.run("DEL")))) t.match(answer, done);
    t.same(await Promise.all(vfs.map(stateOf)), before);
    const node = await createNamespace(t);
    await execa("ip", ["link", "set", "chosen", "netns", node.name]);
    await ip(node, "address add 10.9.0.9/24 dev chosen", "link set chosen up");
    const questions: Question[] = [
      ["chosen", hosts.untagged],
      ["chosen", hosts.vlan100],
    ];
    t.same(await answeredIn(node, questions), [`chosen ${hosts.untagged}`]);
  });
});

// Tests the lab's virtual machines, without our plugins: on a tap and a bridge that `ip` creates,
// with busybox's DHCP server.
import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { ip, links } from "../../harness/ip.ts";
import { createNamespace, type Namespace } from "../../harness/namespaces.ts";
import { startVirtualMachine, takeLease } from "./guest.ts";
import { serveDhcp } from "./guests/dhcp.ts";
import { fragmentsReceived } from "./guests/pings.ts";

const mac = "02:00:00:00:00:07";

/**
 * Creates a namespace with a bridge that has the addresses 10.5.0.1 and fd05::1. Its only port is
 * tap0, which belongs to `user`.
 */
async function bridgeWithTap(
  t: Test,
  options: { user?: number; multiQueue?: boolean; mtu?: number } = {},
): Promise<Namespace> {
  const { user = 107, multiQueue = false, mtu = 1500 } = options;
  const namespace = await createNamespace(t);
  await ip(
    namespace,
    "link add br0 type bridge",
    `tuntap add tap0 mode tap user ${user}${multiQueue ? " multi_queue" : ""}`,
    `link set tap0 master br0 mtu ${mtu} up`,
    "address add 10.5.0.1/24 dev br0",
    "address add fd05::1/64 dev br0 nodad",
    "link set br0 up",
  );
  return namespace;
}

t.test("a guest with one queue gets its settings and reaches the network", async (t) => {
  const namespace = await bridgeWithTap(t, { mtu: 1450 });
  const staticRoutes = "10.9.0.0/16 10.5.0.1, 0.0.0.0/0 10.5.0.1";
  const lease = { address: "10.5.0.20/24", gateway: "10.5.0.1", mtu: 1400, staticRoutes };
  serveDhcp(t, { namespace, link: "br0", mac, ...lease });
  const guest = await startVirtualMachine(t, { namespace, tap: "tap0", mac, mtu: 1450 });
  t.comment(`start to shell: ${guest.startTime} ms`);

  t.test("the guest gets MAC address and MTU from the hypervisor and applies all of its DHCP lease", async (t) => {
    const nic = "cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu";
    t.equal(await guest.run(nic), `${mac}\n1450\n`);
    await guest.run(takeLease);
    t.equal(await guest.run(nic), `${mac}\n1400\n`);
    t.match(await guest.run("ip -4 -o address show dev eth0"), /inet 10\.5\.0\.20\/24 /);
    const routes = await guest.run("ip route");
    t.match(routes, "default via 10.5.0.1 dev eth0");
    t.match(routes, "10.9.0.0/16 via 10.5.0.1 dev eth0");
    t.match(await guest.run("cat /lease"), /^serverid=10\.5\.0\.1$/m);
  });

  t.test("the guest pings over IPv4 and IPv6, and frames of the MTU's size are not fragmented", async (t) => {
    t.match(await guest.run("ping -c 1 -W 5 -s 1372 10.5.0.1"), "1380 bytes from 10.5.0.1");
    t.equal(await fragmentsReceived(namespace), 0);
    await guest.run("ping -c 1 -W 5 -s 1373 10.5.0.1");
    t.equal(await fragmentsReceived(namespace), 2, "one byte more takes two fragments");
    await guest.run("ip address add fd05::7/64 dev eth0");
    t.match(await guest.run("until ping6 -c 1 -W 1 fd05::1; do sleep 0.2; done"), "64 bytes from fd05::1");
  });

  t.test("the guest's QEMU runs as user 107 without capabilities", async (t) => {
    const status = readFileSync(`/proc/${guest.pid}/status`, "utf8");
    t.match(status, /^Name:\tqemu-system/m);
    t.match(status, /^Uid:\t107\t107\t107\t107$/m);
    t.match(status, /^Gid:\t107\t107\t107\t107$/m);
    t.match(status, /^Groups:\t *$/m);
    for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) t.match(status, new RegExp(`^Cap${set}:\t0+$`, "m"));
    t.match(status, /^NoNewPrivs:\t1$/m);
  });

  t.test("attempt() returns a command's exit status and its exact output", async (t) => {
    t.same(await guest.attempt('cat; echo "it\'s"; echo two >&2; printf unfinished; exit 3'), {
      status: 3,
      output: "it's\ntwo\nunfinished",
    });
    t.equal((await guest.run("seq 1 500")).split("\n").length, 501);
    await t.rejects(guest.run("echo why; false"), {
      message: "tap0's guest: echo why; false: exit status is 1, not 0\nwhy\n",
    });
    await t.rejects(guest.run("sleep 30", 200), { message: /said nothing that matches .* within 200 ms/ });
  });
});

t.test("a guest with four queues has four, and so has its tap", async (t) => {
  const namespace = await bridgeWithTap(t, { multiQueue: true });
  const guest = await startVirtualMachine(t, { namespace, tap: "tap0", mac, queues: 4 });
  t.comment(`start to shell: ${guest.startTime} ms`);
  await guest.run("ip link set eth0 up; ip address add 10.5.0.7/24 dev eth0");
  t.match(await guest.run("ping -c 1 -W 5 10.5.0.1"), "64 bytes from 10.5.0.1");
  t.equal(await guest.run("ls -d /sys/class/net/eth0/queues/tx-* | wc -l"), "4\n");
  const tap = (await links(namespace)).get("tap0");
  t.match(tap, { address: String, linkinfo: { info_data: { multi_queue: true, numqueues: 4, numdisabled: 0 } } });
  t.ok(tap?.flags.includes("LOWER_UP"));

  await guest.stop();
  t.notOk((await links(namespace)).get("tap0")?.flags.includes("LOWER_UP"), "no carrier without it");
});

t.test("a guest's start fails on another user's tap", async (t) => {
  const namespace = await bridgeWithTap(t, { user: 108 });
  await t.rejects(startVirtualMachine(t, { namespace, tap: "tap0", mac }), {
    message: /tap0's guest: ended by itself; .*Operation not permitted/s,
  });
});

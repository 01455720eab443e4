// Tests what a KubeVirt user gets from passt-binding: a guest with a real passt in a prepared pod.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Namespace, within } from "../../harness/namespaces.ts";
import { passtBuilds, startPasst } from "../../harness/passt.ts";
import { createPasstPod, families, knock } from "../../harness/passt-pod.ts";
import { startVirtualMachine, takeLease } from "./guest.ts";

const mac = "02:00:00:00:00:07";
/**
 * The guest's addresses: IPv4 from passt's DHCP, IPv6 from the router's prefix and the guest's MAC
 * address (RFC 4862).
 */
const guestAddresses = ["10.1.0.2/24", "fd00:1::ff:fe00:7/64"];
const mtu = 1400;

const builds = passtBuilds();
const ways = [
  { how: "frame by frame", build: builds[0]!, vhostUser: false },
  { how: "by vhost-user", build: builds.at(-1)!, vhostUser: true },
];

for (const { how, build, vhostUser } of ways) {
  t.test(`the ${build.name} passt serves a guest ${how}`, { skip: build.missing ?? false }, async (t) => {
    const pod = await createPasstPod(t, mtu);
    await serveOutside(t, pod.node);
    await pod.binding.add();
    // libvirt passes the MTU if the domain sets one. passt's default would be 65520.
    const args = ["--tcp-ports", "80", "--mtu", `${mtu}`, ...(vhostUser ? ["--vhost-user"] : [])];
    const passt = await startPasst(t, { build, namespace: pod.namespace, args });
    const guest = await startVirtualMachine(t, { namespace: pod.namespace, passt, vhostUser, mac });
    t.comment(`start to shell: ${guest.startTime} ms`);

    await t.test(
      "the guest gets address, gateway and MTU by DHCP, and IPv6 by the router's advertisement",
      async (t) => {
        await guest.run(takeLease);
        await guest.run("until ip -6 route | grep -q ^default && ! ip -6 address | grep tentative; do sleep 0.1; done");
        const shown = await guest.run("ip -o address show dev eth0 scope global");
        t.same([...shown.matchAll(/inet6? (\S+)/g)].map(([, address]) => address).sort(), guestAddresses);
        t.match(await guest.run("ip route"), /^default via 10\.1\.0\.1 dev eth0/m);
        t.match(await guest.run("ip -6 route"), /^default via fe80::\S+ dev eth0/m);
        t.equal(await guest.run("cat /sys/class/net/eth0/mtu /proc/sys/net/ipv6/conf/eth0/mtu"), `${mtu}\n${mtu}\n`);
      },
    );

    for (const { name, pod: address, outside } of families) {
      await t.test(`the guest reaches outside addresses over ${name}`, async (t) => {
        t.equal(await guest.run(visit(outside)), address, "and is the pod there");
        t.match(await guest.run(`ping -c 1 -W 10 ${outside}`), `64 bytes from ${outside}`);
        t.match(await guest.run(`nslookup name.example ${outside}`), "192.0.2.7");
      });
    }

    await t.test("the guest is reachable at the pod's addresses on port 80 only", async (t) => {
      await guest.run("mkdir /www; echo served >/www/index.html; for port in 80 81; do httpd -p $port -h /www; done");
      t.equal(await guest.run("netstat -tln | grep -cE ':8[01] '"), "2\n");
      for (const { pod: address } of families) {
        t.match(await page(pod.node, address), /^HTTP\/1\.. 200 OK\r\n.*\r\n\r\nserved$/s);
        t.equal(await knock(pod.node, address, "tcp 81"), "refused");
      }
    });

    await t.test("the guest's pings fail after DEL, but its connections still work", async (t) => {
      await pod.binding.del();
      for (const { outside } of families) {
        t.match(await guest.attempt(`ping -c 1 -W 1 ${outside}`), { status: 1, output: "100% packet loss" });
        await guest.run(visit(outside));
      }
      await passt.says(/(WARNING: Cannot open "ping" socket.*){2}/s);
    });

    await t.test("passt exits when its guest stops", async (t) => {
      await guest.stop();
      t.equal(await passt.ended, 0);
    });
  });
}

/**
 * Returns a guest's command that prints the client's address as the outside server sees it.
 *
 * Like page(), it does not wait for the connection to close: passt of 2023 loses every other close.
 */
function visit(address: string): string {
  return `nc -w 20 ${address} 8080 -e sh -c 'read -r client; printf %s "$client" >&2'`;
}

/** Returns the response of the guest's web server to a client in `namespace`. */
async function page(namespace: Namespace, address: string): Promise<string> {
  const script = "exec 3<>/dev/tcp/$0/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && sed /^served/q <&3";
  const [file, ...args] = within(namespace, "bash", "-c", script, address);
  return (await execa(file, args, { timeout: 30_000 })).stdout;
}

/** Serves TCP and DNS at all outside addresses. */
async function serveOutside(t: Test, node: Namespace): Promise<void> {
  const script = fileURLToPath(new URL("services.py", import.meta.url));
  const [file, ...args] = within(node, "/usr/bin/python3", "-I", script, ...families.map(({ outside }) => outside));
  const server = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(server, "exit");
  t.teardown(async () => {
    server.stdin.end();
    await exit;
  });
  const [line] = await Promise.race([once(createInterface(server.stdout), "line"), exit]);
  if (line !== "ready") throw new Error(`services.py: ended with ${line}`);
}

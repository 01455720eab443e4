// Checks what ADD refuses by name because it could not be restored, and what is restored although
// the kernel does not keep it by itself.
import { execa } from "execa";
import t from "tap";
import { ip } from "../../../harness/ip.ts";
import { within } from "../../../harness/namespaces.ts";
import { createPod } from "../../../harness/pod.ts";
import { settledDifferences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "./binding.ts";

t.test("ADD refuses a pod link with nexthop objects, and names them", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24"] });
  await ip(pod.namespace, "nexthop add id 7 via 10.77.0.1 dev eth0");
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  t.match(await binding.run("ADD"), {
    status: 1,
    error: { code: 102, msg: /^eth0: the nexthop objects 7 lead out of it/ },
  });
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("ADD refuses a pod link with a VLAN on top, and names it", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24"] });
  const [file, ...args] = within(
    pod.namespace,
    "ip",
    "link",
    "add",
    "link",
    "eth0",
    "name",
    "eth0.100",
    "type",
    "vlan",
    "id",
    "100",
  );
  const { failed } = await execa(file, args, { reject: false });
  if (failed) {
    t.pass("this kernel has no VLANs; the lab's has");
    return;
  }
  const binding = await bindingOf(t, pod);
  t.match(await binding.run("ADD"), { status: 1, error: { code: 102, msg: /^eth0: eth0\.100 stands on it/ } });
});

t.test("DEL restores static neighbours without ARP", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24", "fd77::5/64"] });
  const shown = async () => {
    const [file, ...args] = within(pod.namespace, "ip", "neighbor", "show", "nud", "noarp");
    const { stdout } = await execa(file, args);
    return stdout
      .split("\n")
      .filter((line) => line.includes("02:00:00:00:00:66"))
      .sort();
  };
  for (const address of ["10.77.0.66", "fd77::66"])
    await ip(pod.namespace, `neighbor add ${address} lladdr 02:00:00:00:00:66 dev eth0 nud noarp`);
  const before = await shown();
  t.equal(before.length, 2);
  const binding = await bindingOf(t, pod);
  await binding.add();
  await binding.del();
  // The kernel deletes such entries when it sees that the link had no carrier.
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.same(await shown(), before);
});

t.test("ADD works next to a link with the highest index", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24"] });
  await ip(pod.namespace, "link add high index 2147483647 type bridge");
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
});

t.test("the pod does not answer ARP requests for the guest, whatever its own settings are", async (t) => {
  for (const value of ["0", "1", "3", "9"]) {
    const pod = await createPod(t);
    await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24"] });
    const run = async (...command: readonly string[]) => {
      const [file, ...args] = within(pod.namespace, ...command);
      return (await execa(file, args)).stdout;
    };
    await run("sysctl", "-w", `net.ipv4.conf.all.arp_ignore=${value}`, "net.ipv4.conf.default.forwarding=1");
    const binding = await bindingOf(t, pod);
    await binding.add();
    const [all, own, forwarding] = ["all.arp_ignore", "k6t-eth0.arp_ignore", "k6t-eth0.forwarding"];
    const shown = (name: string) => run("sysctl", "-n", `net.ipv4.conf.${name}`);
    t.equal(await shown(own!), "8");
    t.ok(Number(await shown(all!)) <= 8);
    t.equal(await shown(forwarding!), "0");
    await binding.del();
    t.equal(await shown(all!), value);
  }
});

t.test("DEL restores a pod link with 1,500 routes and 500 addresses", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.77.0.5/24"] });
  const place = (at: number) => `${at >> 8}.${at & 255}`;
  await ip(
    pod.namespace,
    ...Array.from({ length: 1500 }, (_, at) => `route add 10.9.${place(at)}/32 via 10.77.0.1 dev eth0`),
    ...Array.from({ length: 500 }, (_, at) => `address add 10.8.${place(at)}/32 dev eth0`),
  );
  const before = await snapshot(pod.namespace);
  const binding = await bindingOf(t, pod);
  await binding.add();
  t.match(await binding.check(), { status: 0 });
  await binding.del();
  t.same(await settledDifferences(pod.namespace, before), []);
});

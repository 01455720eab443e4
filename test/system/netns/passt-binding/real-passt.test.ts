// Tests that a real passt, run as virt-launcher runs it, has its rights only after ADD.
//
// With these rights passt binds low ports and sends pings.
import { readFile, readlink, stat } from "node:fs/promises";
import { execa } from "execa";
import t, { type Test } from "tap";
import { type Namespace, within } from "../../../harness/namespaces.ts";
import { asLauncher, type PasstBuild, passtBuilds, startPasst } from "../../../harness/passt.ts";
import { createPasstPod, families, knock, type PasstPod } from "../../../harness/passt-pod.ts";
import { plugIn, portOf } from "./wire.ts";

/** The options in the form in which passt's error messages repeat them. */
const lowPorts = ["-t 80", "-u 53", "-u 67"].map((option) => option.split(" "));

for (const build of passtBuilds()) {
  t.test(
    `the ${build.name} passt has its rights only between ADD and DEL`,
    { skip: build.missing ?? false },
    async (t) => {
      const pod = await createPasstPod(t);

      await t.test("passt binds no low port and sends no ping before ADD", (t) => isConfined(t, pod, build));

      await t.test("passt serves low ports and sends pings after ADD, over both families", async (t) => {
        await pod.binding.add();
        t.same(await pingSockets(pod.namespace), ["opens", "opens"]);

        const args = ["--tcp-ports", "80", "--udp-ports", "53,67"];
        const passt = await startPasst(t, { build, namespace: pod.namespace, args });
        const wire = await plugIn(t, passt.socket);
        for (const { name, pod: address, outside } of families) {
          t.ok(await wire.ping(address, outside), `a ping over ${name} is answered`);
          for (const port of ["udp 53", "udp 67", "tcp 80"]) {
            const arrival = wire.next((frame) => portOf(frame) === port);
            t.equal(await knock(pod.node, address, port), "sent");
            t.ok(await arrival, `${port} reaches the guest over ${name}`);
          }
          t.equal(await knock(pod.node, address, "tcp 81"), "refused", `an unlisted port is closed over ${name}`);
        }

        await t.test("passt runs as user 107 without capabilities, in the pod's network namespace", async (t) => {
          const status = await readFile(`/proc/${passt.pid}/status`, "utf8");
          t.match(status, /^Uid:\t107\t107\t107\t107$/m);
          t.match(status, /^Gid:\t107\t107\t107\t107$/m);
          for (const set of ["Inh", "Prm", "Eff", "Amb"]) t.match(status, new RegExp(`^Cap${set}:\t0+$`, "m"));
          t.match(status, /^NoNewPrivs:\t1\nSeccomp:\t2$/m);
          const namespaceOf = (kind: string): Promise<string> => readlink(`/proc/${passt.pid}/ns/${kind}`);
          t.equal(await namespaceOf("net"), `net:[${(await stat(pod.namespace.path)).ino}]`);
          for (const kind of ["user", "mnt", "ipc", "uts"]) {
            t.not(await namespaceOf(kind), await readlink(`/proc/self/ns/${kind}`), `a ${kind} namespace of its own`);
          }
        });

        await t.test("passt ends when the guest's NIC disconnects", async (t) => {
          wire.unplug();
          t.equal(await passt.ended, 0);
        });
      });

      await t.test("passt binds no low port and sends no ping after DEL", async (t) => {
        await pod.binding.del();
        await isConfined(t, pod, build);
      });
    },
  );
}

/** Checks that passt's user has no rights in the pod, and that passt reports it. */
async function isConfined(t: Test, { namespace }: PasstPod, build: PasstBuild): Promise<void> {
  t.same(await pingSockets(namespace), ["EACCES", "EACCES"]);
  await Promise.all(
    lowPorts.map((args) =>
      t.rejects(startPasst(t, { build, namespace, args }), {
        message: new RegExp(`ended by itself, with 1:.*Failed to bind [^\n]*'${args.join(" ")}'`, "s"),
      }),
    ),
  );

  const passt = await startPasst(t, { build, namespace, args: ["--tcp-ports", "8080"] });
  const wire = await plugIn(t, passt.socket);
  for (const [index, { name, pod, outside }] of families.entries()) {
    const outcome = await Promise.race([
      wire.ping(pod, outside).then((answered) => (answered ? "answered" : "lost")),
      passt.says(new RegExp(`(WARNING: Cannot open "ping" socket.*){${index + 1}}`, "s")).then(() => "refused"),
    ]);
    t.equal(outcome, "refused", `a ping over ${name}`);
  }
}

/** Opens ICMP and ICMPv6 echo sockets as passt's user. Returns `opens` or the errno for each. */
async function pingSockets(namespace: Namespace): Promise<string[]> {
  const script = `
import errno, socket
for family, protocol in (socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6):
    try:
        socket.socket(family, socket.SOCK_DGRAM, protocol).close()
        print("opens")
    except OSError as error:
        print(errno.errorcode[error.errno])
`;
  const [file, ...args] = within(namespace, ...asLauncher, "/usr/bin/python3", "-I", "-c", script);
  return (await execa(file, args)).stdout.split("\n");
}

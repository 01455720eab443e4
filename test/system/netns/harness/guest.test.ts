import { execa } from "execa";
import t from "tap";
import { startGuest } from "../../../harness/guest.ts";
import { ip } from "../../../harness/ip.ts";
import { createNamespace, within } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

const mac = "02:00:00:00:00:07";
const ips = ["10.0.0.2", "fd00::2"];

async function tap(scope: Scope, kind = "") {
  const namespace = await createNamespace(scope);
  const assigned = ["address add 10.0.0.1/24 dev tap0", "address add fd00::1/64 dev tap0 nodad"];
  await ip(namespace, `tuntap add tap0 mode tap user 107 group 107 ${kind}`, "link set tap0 up", ...assigned);
  return namespace;
}

t.test("guest and network reach each other over both families", async (t) => {
  const namespace = await tap(t);
  const guest = await startGuest(t, { namespace, tap: "tap0", mac, ips });
  for (const gateway of ["10.0.0.1", "fd00::1"]) t.ok(await guest.ping(gateway, { size: 1400 }), `ping ${gateway}`);
  for (const own of ips) {
    const [file, ...args] = within(namespace, "ping", "-c1", "-W2", own);
    t.equal((await execa(file, args, { reject: false })).exitCode, 0, `pinged at ${own}`);
  }
  t.equal(await guest.resolve("10.0.0.99", 300), undefined, "nobody is where nobody is");
  t.ok(guest.heard.some(({ message }) => message?.is === "echoRequest"));
});

t.test("a tap opens only for its owner, once, and with its own flags", async (t) => {
  const namespace = await tap(t);
  const options = { namespace, tap: "tap0", mac, ips };
  await t.rejects(startGuest(t, { ...options, user: { uid: 1000, gid: 1000 } }), { code: "EPERM" });
  await t.rejects(startGuest(t, { ...options, multiQueue: true }), { code: "EINVAL" });
  const guest = await startGuest(t, options);
  await t.rejects(startGuest(t, options), { code: "EBUSY" });
  await guest.stop();
  await startGuest(t, options);
});

t.test("a multi-queue tap opens only with IFF_MULTI_QUEUE", async (t) => {
  const options = { namespace: await tap(t, "multi_queue"), tap: "tap0", mac, ips };
  await t.rejects(startGuest(t, options), { code: "EINVAL" });
  await startGuest(t, { ...options, multiQueue: true });
});

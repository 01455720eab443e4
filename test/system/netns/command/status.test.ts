import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { blockedDataDir, newDataDir } from "../../../harness/attachment.ts";
import { createNamespace } from "../../../harness/namespaces.ts";
import { readOnlySysctls } from "../passt-binding/mounts.ts";
import { byHand, inJson } from "./by-hand.ts";

interface Told {
  readonly healthy: boolean;
  readonly looks: readonly { readonly what: string; readonly faults: readonly string[] }[];
}

const root = fileURLToPath(new URL("../../../../", import.meta.url));

t.test("status prints a line for each requirement", async (t) => {
  const node = await createNamespace(t);
  for (const [plugin, needs] of [
    ["bridge-binding", ["/dev/net/tun", "kernel: bridge links"]],
    [
      "passt-binding",
      ["net.ipv4.ip_unprivileged_port_start: can be written", "net.ipv4.ping_group_range: can be written"],
    ],
  ] as const) {
    const dataDir = await newDataDir(t, plugin);
    const input = JSON.stringify({ name: "blue", type: plugin, dataDir });
    const { status, stdout } = await byHand(plugin, ["status", "-"], { input, node });
    t.equal(status, 0);
    const lines = stdout.split("\n");
    const looks = ["configuration", "network namespaces can be entered", ...needs, `${dataDir}: has room for a record`];
    t.same(
      lines.slice(0, -2),
      looks.map((line) => `ok  ${line}`),
    );
    // What it lists depends on the kernel.
    t.match(lines.slice(-2), [/^ok {2}confinement of calls: .*noNewPrivileges/, "an ADD can be served"]);
  }
});

t.test("status reports each missing requirement and checks the others", async (t) => {
  const node = await createNamespace(t);
  const dataDir = await blockedDataDir(t, "passt-binding");
  const netconf = { name: "blue", type: "passt-binding", pingGroupRange: [2, 1], dataDir };
  const input = JSON.stringify(netconf);
  const { status, told } = await inJson<Told>("passt-binding", ["status", "-"], { input, node, ...readOnlySysctls });
  t.match([status, told.healthy], [1, false]);
  t.match(
    told.looks.map(({ faults }) => faults),
    [
      [/^pingGroupRange: begins with 2/],
      [],
      [/read-only here/],
      [/read-only here/],
      [new RegExp(`${dataDir}: .*ENOTDIR`)],
    ],
  );
  const { stdout } = await byHand("passt-binding", ["status", "-"], { input, node, ...readOnlySysctls });
  t.match(stdout, /^fault +pingGroupRange: .*\nok +network namespaces/m);
  t.match(stdout, /no ADD can be served: 4 faults$/);
});

t.test("status of sriov-vfio reports what a node needs for VFs", async (t) => {
  const dataDir = await newDataDir(t, "sriov-vfio");
  const input = JSON.stringify({ name: "fast", type: "sriov-vfio", driver: "nosuch_vfio_pci", dataDir });
  const { status, told } = await inJson<Told>("sriov-vfio", ["status", "-"], { input });
  t.equal(status, 1);
  t.match(
    told.looks.map(({ what }) => what),
    ["configuration", "node: IOMMU", /^nosuch_vfio_pci/, "node: SR-IOV VFs", /entered/, /room for a record/],
  );
  t.match(told.looks[2]!.faults, [/nosuch_vfio_pci: neither a driver of this kernel/]);
});

t.test("a plugin without records serves status and explain, and refuses check and gc", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "verbs-"));
  t.teardown(() => rm(directory, { recursive: true }));
  await execa(join(root, "scripts/build"), ["--plugins", "examples", "--out", directory]);
  const plugin = join(directory, "address-only");
  t.match(await byHand(plugin, ["status"]), {
    status: 0,
    stdout: /^ok +configuration\nok +address-only: what it needs/,
  });
  for (const verb of ["check", "gc"])
    t.match(await byHand(plugin, [verb]), {
      status: 3,
      stdout: "",
      stderr: `address-only: ${verb}: address-only has no such command, because it keeps no records`,
    });
  const netconf = join(directory, "netconf");
  await writeFile(netconf, JSON.stringify({ name: "blue", type: "address-only", ipam: { type: "host-local" } }));
  const { status, stdout } = await byHand(plugin, ["explain", netconf]);
  t.equal(status, 0);
  t.match(stdout, /routes +true \(default\)(.*\n)*.*call the IPAM plugin host-local(.*\n)*.*has no plan/);
  t.match(await byHand(plugin, ["status", netconf]), { status: 0, stdout: /^ok +ipam: /m });
  await writeFile(netconf, JSON.stringify({ name: "blue", type: "address-only", ipam: { type: "../x" } }));
  t.match(await byHand(plugin, ["status", netconf]), { status: 1, stdout: /^fault +ipam\.type: must be/m });
});

t.test("a plugin ignores its arguments if CNI_COMMAND is set", async (t) => {
  const { status, stdout } = await byHand("passt-binding", ["status"], { env: { CNI_COMMAND: "VERSION" } });
  t.match({ status, stdout }, { status: 0, stdout: /^\{"cniVersion"/ });
});

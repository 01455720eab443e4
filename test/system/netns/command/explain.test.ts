import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { newDataDir } from "../../../harness/attachment.ts";
import { links } from "../../../harness/ip.ts";
import { createPod } from "../../../harness/pod.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";
import { bindingOf } from "../bridge-binding/binding.ts";
import { passtOf } from "../passt-binding/rights.ts";
import { byHand, inJson, onTerminal } from "./by-hand.ts";

interface Told {
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly changes?: readonly object[];
  readonly words?: readonly { readonly what: string; readonly steps: readonly string[] }[];
  readonly result?: object;
  readonly refused?: { readonly code: number; readonly msg: string };
  readonly notes: readonly string[];
}

const explain = (plugin: string, netconf: object, ...args: string[]) =>
  inJson<Told>(plugin, ["explain", ...args], { input: JSON.stringify(netconf) });

t.test("explain prints the changes that ADD records, and changes nothing", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge", families: "dual" });
  const binding = await bindingOf(t, pod);
  const before = await snapshot(pod.namespace);
  const about = ["--netns", pod.namespace.path, "--container-id", pod.containerId];
  const { status, told } = await explain("bridge-binding", binding.netconf, ...about);
  t.equal(status, 0);
  t.same(told.result, { cniVersion: "1.1.0" });
  t.same(differences(before, await snapshot(pod.namespace)), []);
  t.same(await binding.journal(), []);

  await binding.add();
  const [file] = await binding.journal();
  const { changes } = JSON.parse(await readFile(join(binding.dataDir, file!), "utf8"));
  t.same(told.changes, changes);
  t.match(
    told.words!.map(({ what }) => what),
    [
      "create k6t-eth0, a bridge",
      "change eth0, and rename it to eth0-nic",
      "create tap0, a tap",
      /^create eth0, a/,
      /^set net\.ipv4/,
    ],
  );
  const tap = (await links(pod.namespace)).get("tap0")!;
  t.match(told.words![2]!.steps[0], `MAC ${tap.address}, MTU 1500, up, port of k6t-eth0, owner 107, group 107`);

  const again = await explain("bridge-binding", binding.netconf, ...about);
  t.match(again, { status: 1, told: { refused: { msg: /is attached already/ } } });
  const other = await explain("bridge-binding", binding.netconf, "--netns", pod.namespace.path);
  t.match(other, { status: 1, told: { refused: { code: 102, msg: /eth0: is the placeholder/ } } });
});

t.test("explain prints the configuration, the steps in order and the result", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "veth", addresses: ["10.0.0.2/24"], routes: ["default via 10.0.0.1"] });
  const binding = await bindingOf(t, pod, { netconf: { mtu: 1400 } });
  const { status, stdout, stderr } = await byHand("bridge-binding", ["explain", "--netns", pod.namespace.path], {
    input: JSON.stringify(binding.netconf),
  });
  t.match({ status, stderr }, { status: 0, stderr: "" });
  t.match(stdout, /^Configuration\n(.*\n)* {2}attachment +"tap" \(default\)\n(.*\n)* {2}mtu +1400\n/);
  t.match(
    stdout,
    /^ {2}2\. change eth0, and rename it to eth0-nic\n {7}remove route default via 10\.0\.0\.1 from eth0$/m,
  );
  t.match(stdout, /^ {7}remove address 10\.0\.0\.2\/24 from eth0$/m);
  t.match(stdout, /^It would report\n {2}\{"cniVersion":"1\.1\.0"\}$/m);
  t.match(stdout, /^note: the container's ID is unknown/m);
});

t.test("explain prints the values of sysctls before the pod's other attachments", async (t) => {
  const pod = await createPod(t);
  const passt = await passtOf(t, pod);
  const { told } = await explain("passt-binding", passt.netconf, "--netns", pod.namespace.path);
  t.match(
    told.words!.map(({ what }) => what),
    ["set net.ipv4.ip_unprivileged_port_start from 1024 to 0", "set net.ipv4.ping_group_range from 1 0 to 107 107"],
  );
  await passt.add();
  const second = await explain(
    "passt-binding",
    passt.netconf,
    "--netns",
    pod.namespace.path,
    "--ifname",
    "net2",
    "--container-id",
    pod.containerId,
  );
  t.match(
    second,
    {
      status: 0,
      told: {
        changes: [
          { from: "1024", to: "0" },
          { from: "1 0", to: "107 107" },
        ],
      },
    },
    "what it was before both",
  );
  t.match(second.told.words, [{ what: /^keep net\.ipv4\.ip_unprivileged_port_start at 0/, steps: [] }, {}]);
});

t.test("explain reads a configuration, a list or a NetworkAttachmentDefinition from a file or stdin", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "explain-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const plain = { cniVersion: "1.1.0", name: "blue", type: "passt-binding", unprivilegedPortStart: 80 };
  const { name, cniVersion, ...own } = plain;
  const list = { cniVersion, name, plugins: [{ type: "bridge" }, own] };
  const definition = (config: object) => ({
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name: "red" },
    spec: { config: JSON.stringify(config) },
  });
  for (const document of [plain, list, definition(plain), definition({ ...own, cniVersion }), definition(list)]) {
    const file = join(directory, "netconf");
    await writeFile(file, JSON.stringify(document));
    for (const asked of [
      await inJson<Told>("passt-binding", ["explain", file]),
      await explain("passt-binding", document),
      await explain("passt-binding", document, "-"),
    ])
      t.match(asked, { status: 0, told: { conf: { unprivilegedPortStart: 80, pingGroupRange: [107, 107] } } });
  }
  const chained = await explain("passt-binding", list);
  t.match(chained.told.notes, [/plugins before it/]);
  for (const [document, words] of [
    [{ ...plain, type: "bridge-binding" }, /type: is "bridge-binding", and this is passt-binding/],
    [{ ...list, plugins: [{ type: "bridge" }] }, /plugins: none is of type passt-binding; there is bridge/],
    [{ kind: "Pod", spec: {} }, /kind: is "Pod"/],
    [{ kind: "NetworkAttachmentDefinition", spec: {} }, /spec\.config: is missing/],
    [[], /netconf: is a list/],
  ] as const)
    t.match(await byHand("passt-binding", ["explain"], { input: JSON.stringify(document) }), {
      status: 3,
      stdout: "",
      stderr: words,
    });
});

t.test("explain reports every fault of a configuration, as ADD does", async (t) => {
  const netconf = { name: "blue", type: "bridge-binding", mtu: 10, vln: 3 };
  const { status, stdout } = await byHand("bridge-binding", ["explain"], { input: JSON.stringify(netconf) });
  t.equal(status, 1);
  t.match(
    stdout,
    /^ADD would refuse it\n {2}mtu: must be at least 68 bytes, not 10\n.*unknown field "vln", did you mean "vlan"\?/m,
  );
  t.match(await explain("bridge-binding", { ...netconf, ipam: { type: "../x" } }), {
    status: 1,
    told: { refused: { code: 7, msg: /^ipam\.type: must be the name of a plugin in CNI_PATH/ } },
  });
  t.match(await explain("bridge-binding", { ...netconf, ipam: { type: "static" } }), {
    status: 1,
    told: { refused: { code: 2 } },
  });
  t.match(await explain("bridge-binding", { type: "bridge-binding" }), {
    status: 1,
    told: { refused: { msg: /missing network name/ } },
  });
});

t.test("explain reports a wrong argument by its name", async (t) => {
  const input = JSON.stringify({ name: "blue", type: "passt-binding" });
  for (const [args, status, words] of [
    [["--netns", "/run/netns/nosuch"], 3, /--netns: \/run\/netns\/nosuch is missing/],
    [["--netns", "/etc/hostname"], 3, /--netns: \/etc\/hostname is a regular file/],
    [["--netns", `${process.pid}`], 3, /--netns: .* is the node's own network namespace/],
    [["--netns", "4194399"], 3, /--netns: 4194399 is neither a path nor a process/],
    [["--netns", "blue"], 3, /--netns: blue is neither/],
    [["/nosuch/file"], 3, /\/nosuch\/file/],
    [["--ifname", "a/b"], 2, /--ifname: contains/],
    [["--container-id", "-x"], 2, /--container-id: needs a value/],
    [["--container-id", "a b"], 2, /--container-id: must begin/],
    [["--netsn", "x"], 2, /did you mean --netns\?/],
  ] as const)
    t.match(
      await byHand("passt-binding", ["explain", ...args], { input }),
      { status, stdout: "", stderr: words },
      args.join(" "),
    );
  t.match(await onTerminal("passt-binding", ["explain"]), /NETCONF: is missing; a file/, "and does not wait for ever");
  t.match(await byHand("passt-binding", ["explain"]), { status: 3, stderr: /standard input is empty/ });
});

t.test("explain of sriov-vfio prints the configuration without a VF", async (t) => {
  const netconf = {
    cniVersion: "1.0.0",
    name: "fast",
    type: "sriov-vfio",
    vlan: 100,
    dataDir: await newDataDir(t, "sriov-vfio"),
  };
  const valid = await explain("sriov-vfio", netconf);
  t.match(valid, { status: 0, told: { conf: { vlan: 100, driver: "vfio-pci" }, notes: [/^deviceID: is missing/] } });
  const absent = await explain("sriov-vfio", netconf, "--device", "ffff:ff:1f.7");
  t.match(absent, { status: 1, told: { refused: { code: 102, msg: /ffff:ff:1f\.7: no such PCI device/ } } });
  const wrong = await explain("sriov-vfio", netconf, "--device", "eth0");
  t.match(wrong, { status: 1, told: { refused: { code: 7, msg: /^deviceID: must be a PCI address/ } } });
});

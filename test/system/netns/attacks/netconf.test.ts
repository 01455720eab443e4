// Checks that the author of a netconf cannot reach the node's files, drivers and network namespace.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { attachmentOf, newDataDir } from "../../../harness/attachment.ts";
import { ip } from "../../../harness/ip.ts";
import { createNamespace } from "../../../harness/namespaces.ts";
import { callPlugin } from "../../../harness/plugin.ts";
import { createPod, type Pod } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { differences, snapshot } from "../../../harness/snapshot.ts";

const plugins = ["bridge-binding", "passt-binding"] as const;

/** Creates a directory that a tenant controls, with these files. */
async function tenantDirectory(t: Scope, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenant-"));
  t.teardown(() => rm(directory, { recursive: true }));
  await chmod(directory, 0o777);
  await mkdir(`${directory}/volume`, { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) await writeFile(`${directory}/volume/${name}`, text);
  return `${directory}/volume`;
}

/** Returns a forged record of a link named `victim`, which DEL would delete. */
async function forgedRecord(pod: Pod, path: string): Promise<string> {
  const { dev: device, ino: inode } = await stat(path);
  return JSON.stringify({
    format: 1,
    network: "bridge-binding",
    containerId: pod.containerId,
    ifname: "net1",
    netns: { path, device, inode },
    time: 1,
    changes: [
      {
        do: "create",
        link: {
          name: "victim",
          mark: 0,
          kind: "dummy",
          mtu: 1500,
          up: false,
          addresses: [],
          routes: [],
          neighbors: [],
        },
      },
    ],
  });
}

t.test("ADD refuses a log file outside the log directory, and no verb writes it", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const directory = await tenantDirectory(t, { victim: "" });

  for (const plugin of plugins) {
    const attachment = await attachmentOf(t, plugin, pod, {
      netconf: { logFile: `${directory}/victim`, logLevel: "info" },
    });
    const unknownField = { [`x ${directory}/evil.so y`]: 1 };

    t.match(await attachment.run("ADD", unknownField), {
      status: 1,
      error: { code: 7, msg: /logFile: must be a file in \/var\/log\/kubevirt-cni-bindings, such as/ },
    });
    t.match(await attachment.run("DEL"), { status: 0, stderr: /logFile: .*; nothing is written to it/ });
    t.equal(await readFile(`${directory}/victim`, "utf8"), "");
  }
});

t.test("ADD and STATUS refuse a foreign journal directory, and DEL and GC do not read it", async (t) => {
  const pod = await createPod(t);
  await pod.attach({ kind: "bridge" });
  const node = await createNamespace(t);
  await ip(node, "link add victim type veth peer name other");
  const record = await forgedRecord(pod, node.path);
  const dataDir = await tenantDirectory(t, { [`${pod.containerId}:net1.json`]: record });
  const before = await snapshot(node);

  for (const plugin of plugins)
    for (const wrong of [dataDir, "/etc/cni/net.d", `/run/${plugin}/../x`, `/run/${plugin}-x`, "/run"]) {
      const attachment = await attachmentOf(t, plugin, pod, { dataDir: wrong });
      const refused = {
        status: 1,
        error: { code: 7, msg: new RegExp(`dataDir: must be /run/${plugin} or a directory`) },
      };

      t.match(await attachment.run("ADD"), refused, wrong);
      t.match(await attachment.run("STATUS"), refused, wrong);
      for (const [verb, extra] of [
        ["DEL", {}],
        ["GC", { "cni.dev/valid-attachments": [] }],
      ] as const)
        t.match(await attachment.run(verb, extra), { status: 0, stderr: /recorded elsewhere is not undone/ }, wrong);
    }

  t.same(differences(before, await snapshot(node)), []);
  t.same(await readdir(dataDir), [`${pod.containerId}:net1.json`]);
});

t.test("DEL refuses a record of the node's own namespace", async (t) => {
  const pod = await createPod(t);
  const node = await createNamespace(t);
  await ip(node, "link add victim type veth peer name other");
  const dataDir = await newDataDir(t, "bridge-binding");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(`${dataDir}/${pod.containerId}:net1.json`, await forgedRecord(pod, node.path));
  const attachment = await attachmentOf(t, "bridge-binding", pod, { dataDir });
  const before = await snapshot(node);

  // The plugin runs in that namespace, so the namespace counts as the node's.
  const answer = await callPlugin("bridge-binding", "DEL", { ...attachment.call, netns: "", node }, attachment.netconf);

  t.match(answer, { status: 1, error: { code: 102, msg: /is the node's own network namespace/ } });
  t.same(differences(before, await snapshot(node)), []);
});

t.test("DEL refuses a record with a sysctl of the node", async (t) => {
  const key = "kernel.printk_ratelimit_burst";
  const path = `/proc/sys/${key.replace(".", "/")}`;
  const value = (await readFile(path, "utf8")).trim();
  const pod = await createPod(t);
  const dataDir = await newDataDir(t, "bridge-binding");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const record = JSON.parse(await forgedRecord(pod, pod.namespace.path));
  record.changes = [{ do: "sysctl", key, from: `${Number(value) + 1}`, to: value }];
  await writeFile(`${dataDir}/${pod.containerId}:net1.json`, JSON.stringify(record));
  const attachment = await attachmentOf(t, "bridge-binding", pod, { dataDir });

  t.match(await attachment.run("DEL"), {
    status: 1,
    error: { code: 102, msg: /kernel\.printk.*expected a sysctl of a network namespace/ },
  });
  t.equal((await readFile(path, "utf8")).trim(), value);
});

t.test("sriov-vfio refuses a driver's path and a device information file outside its directory", async (t) => {
  const pod = await createPod(t);
  const directory = await tenantDirectory(t, { info: '{"type":"pci"}', "info.new": "precious" });
  const call = pod.call("net1");
  const netconf = { cniVersion: "1.0.0", name: "fast", type: "sriov-vfio", deviceID: "0000:3b:02.6" };

  for (const driver of [`${directory}/evil-vfio-pci`, "../vfio-pci", "x y-vfio-pci"])
    t.match(await callPlugin("sriov-vfio", "ADD", call, { ...netconf, driver }), {
      status: 1,
      error: { code: 7, msg: /driver: must be the name of a VFIO driver/ },
    });
  for (const path of [
    `${directory}/info`,
    "/var/run/k8s.cni.cncf.io/devinfo/../../x",
    "/var/run/k8s.cni.cncf.io/devinfo",
  ])
    t.match(
      await callPlugin("sriov-vfio", "ADD", call, { ...netconf, runtimeConfig: { CNIDeviceInfoFile: path } }),
      { status: 1, error: { code: 7, msg: /CNIDeviceInfoFile: must be a file below/ } },
      path,
    );
  t.same(await readFile(`${directory}/info.new`, "utf8"), "precious");
});

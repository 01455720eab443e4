// Runs every command in the console blocks of docs/commands.md, in pods as the page describes them.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { newDataDir } from "../../../harness/attachment.ts";
import { dist } from "../../../harness/plugin.ts";
import { createPods } from "../../../harness/pod.ts";
import type { Scope } from "../../../harness/scope.ts";
import { bindingOf } from "../bridge-binding/binding.ts";

/**
 * Returns the page with the current output of its commands.
 *
 * The output uses the page's names for pods and directories.
 */
export async function rerun(scope: Scope, page: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "commands-"));
  scope.teardown(() => rm(directory, { recursive: true }));
  const dataDir = await newDataDir(scope, "bridge-binding");
  const pods = await createPods(scope, 2);
  for (const [position, pod] of pods.entries())
    await pod.attach({
      kind: "veth",
      mac: `02:00:00:00:00:0${position + 1}`,
      addresses: ["10.0.0.2/24"],
      routes: ["default via 10.0.0.1"],
    });
  const [bound] = pods;
  const options = { dataDir, netconf: { name: "blue" }, call: { containerId: "0a1b2c3d" } };
  await (await bindingOf(scope, bound!, options)).add();
  await writeFile(
    join(directory, "blue.json"),
    JSON.stringify({ cniVersion: "1.0.0", name: "blue", type: "bridge-binding", mtu: 1400 }),
  );
  await writeFile(join(directory, "status.json"), JSON.stringify({ type: "bridge-binding", dataDir }));

  const real = (command: string): string =>
    pods
      .reduce((text, { namespace }, position) => text.replaceAll(`pod${position + 1}`, namespace.name), command)
      .replace(/ (check|gc)\b/, ` $1 --data-dir ${dataDir}`)
      .replace(/ status$/, " status status.json");
  const told = (output: string): string =>
    pods
      .reduce((text, { namespace }, position) => text.replaceAll(namespace.name, `pod${position + 1}`), output)
      .replaceAll(dataDir, "/run/bridge-binding");

  const parts = page.split(/^(```console\n[\s\S]*?^```\n)/m);
  for (const [position, part] of parts.entries()) {
    if (!part.startsWith("```console\n")) continue;
    const lines: string[] = [];
    for (const command of part.match(/^\$ .*$/gm)!) {
      const ended = await execa("sh", ["-c", real(command.slice(2))], {
        cwd: directory,
        extendEnv: false,
        env: { PATH: `${dist}:/usr/sbin:/usr/bin:/sbin:/bin` },
        reject: false,
        all: true,
      });
      lines.push(command, ...(ended.all === "" ? [] : [told(ended.all)]));
    }
    parts[position] = `\`\`\`console\n${lines.join("\n")}\n\`\`\`\n`;
  }
  return parts.join("");
}

/**
 * Replaces the parts of the page that differ between nodes and runs.
 *
 * These are random numbers and addresses, and the kind of the placeholder, which depends on the
 * kernel.
 */
export function lasting(page: string): string {
  return (
    page
      .replaceAll(/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g, "MAC")
      // The kernel adds this address up to a second after the link comes up.
      .replaceAll(/^ +remove address fe80:.*\n/gm, "")
      .replaceAll(/link group \d+/g, "link group N")
      // On a kernel with br_netfilter.
      .replaceAll(/^ +\d+\. set net\.bridge\..*\n.*\n/gm, "")
      .replaceAll(/\b(create eth0, a|create) (dummy|bridge)( eth0)?$/gm, "$1 dummy$3")
      .replaceAll(/create (dummy|bridge) eth0/g, "create dummy eth0")
      .replaceAll(/\nnote: eth0: no dummy links in this kernel.*\n/g, "")
  );
}

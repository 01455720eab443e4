// Demonstrates bridge-binding in a real pod namespace.
//
// It draws the pod before ADD, after ADD with a guest at the tap, after a fault, and after DEL.
import { execa } from "execa";
import { startGuest } from "../harness/guest.ts";
import { ip } from "../harness/ip.ts";
import { callPlugin, callSuccessfully, dist } from "../harness/plugin.ts";
import { createPod, type Network, type Pod } from "../harness/pod.ts";
import { withScope } from "../harness/scope.ts";
import { settledDifferences, snapshot } from "../harness/snapshot.ts";

const netconf = { cniVersion: "1.1.0", name: "bridge-binding", type: "bridge-binding" };
const colours = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;

await withScope(async (scope) => {
  const pod = await createPod(scope);
  // Multus calls a binding with net1, net2, ... and the name of the VM's network.
  const call = pod.call("net1");
  const conf = { ...netconf, args: { cni: { logicNetworkName: "default" } } };

  title("A pod's network: Debian's bridge and host-local plugins, IPv4 and IPv6");
  const network = await pod.attach({ kind: "bridge", families: "dual" });
  const before = await snapshot(pod.namespace);
  await draw(pod);

  title("ADD: bridge-binding prepares the pod for a VM");
  say(`netconf  ${JSON.stringify(conf)}`);
  const added = await callSuccessfully("bridge-binding", "ADD", call, conf);
  say(`result   ${added.stdout.trim()}`);
  for (const line of added.stderr.trim().split("\n")) if (line !== "") say(`stderr   ${line}`);
  await draw(pod);

  title("A guest at the tap, with the pod's MAC and IP addresses, reaches the network");
  await converse(pod, network);

  title("CHECK: the pod is as ADD left it. Then two settings change, and diagnose prints the repair");
  const held = { ...conf, prevResult: { cniVersion: "1.1.0" } };
  say(`CHECK    ${answer(await callPlugin("bridge-binding", "CHECK", call, held))}`);
  await ip(pod.namespace, "link set tap0 down", "link set eth0-nic type bridge_slave learning on");
  say("$ ip link set tap0 down; ip link set eth0-nic type bridge_slave learning on");
  say(`CHECK    ${answer(await callPlugin("bridge-binding", "CHECK", call, held))}`);
  await draw(pod);

  title("DEL: bridge-binding restores the pod's link");
  say(`DEL      ${answer(await callPlugin("bridge-binding", "DEL", call, conf))}`);
  await draw(pod);
  const left = await settledDifferences(pod.namespace, before);
  say(
    `${before.length} facts of the namespace (links, addresses, routes, neighbours, sysctls) compared with those before ADD: ${left.length} differ`,
  );
  for (const line of left) say(line);
  await network.detach();
  say("and the network's own plugin deletes its link, as without bridge-binding.");
  if (left.length > 0) process.exitCode = 1;

  async function converse({ namespace }: Pod, { mac, addresses, gateways }: Network): Promise<void> {
    const ips = addresses.map((address) => address.split("/")[0]!);
    const guest = await startGuest(scope, { namespace, tap: "tap0", mac, ips });
    say(`guest    ${mac} ${ips.join(" ")}, the tap opened as user 107 without capabilities`);
    for (const gateway of gateways) {
      const answered = await guest.ping(gateway);
      say(`ping     ${gateway}: ${answered ? `a reply from ${await guest.resolve(gateway)}` : "no reply"}`);
      if (!answered) process.exitCode = 1;
    }
    await guest.stop();
  }
});

function answer({ status, error }: Awaited<ReturnType<typeof callPlugin>>): string {
  return status === 0 ? "ok" : `code ${error?.code}: ${error?.msg}`;
}

/** Draws the pod with `vmnet diagnose`, the command that operators use. */
async function draw({ namespace }: Pod): Promise<void> {
  say("");
  const { exitCode } = await execa(`${dist}/vmnet`, ["diagnose", namespace.path], {
    stdio: "inherit",
    reject: false,
  });
  if (exitCode !== 0 && exitCode !== 1) process.exitCode = 1;
}

function title(text: string): void {
  process.stdout.write(`\n${colours ? `\u001b[1;36m${text}\u001b[0m` : text}\n`);
}

function say(text: string): void {
  process.stdout.write(text === "" ? "\n" : `  ${text}\n`);
}

// Creates hosts behind eth1, one per VLAN, and finds out which addresses answer ARP requests.
import { execa } from "execa";
import { ip } from "../../harness/ip.ts";
import { createNamespace, type Namespace, within } from "../../harness/namespaces.ts";
import type { Scope } from "../../harness/scope.ts";

/** The links of the hosts, and the address of each. */
export const hosts = { vlan100: "10.9.0.100", vlan200: "10.9.0.200", untagged: "10.9.0.1" } as const;

/**
 * Creates a namespace with a link on eth1 for each host.
 *
 * - `untagged` receives eth1's untagged frames, each other link those of its VLAN.
 * - In VLAN 100, eth1 accepts only frames with priority 3.
 * - Each link answers only for its own address.
 */
export async function startHosts(scope: Scope): Promise<Namespace> {
  const outside = await createNamespace(scope);
  const { name } = outside;
  await execa("ip", ["-batch", "-"], {
    input: `link set eth1 up
      link add link eth1 name vlan100 netns ${name} type vlan id 100
      link add link eth1 name vlan200 netns ${name} type vlan id 200
      link add link eth1 name untagged netns ${name} type macvlan mode bridge`,
  });
  const [file, ...args] = within(outside, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore");
  await execa(file, args);
  for (const [link, address] of Object.entries(hosts))
    await ip(outside, `link set ${link} up`, `address add ${address}/24 dev ${link}`);
  await execa("tc", ["-batch", "-"], {
    input: `qdisc add dev eth1 clsact
      filter add dev eth1 ingress pref 1 protocol 802.1q flower vlan_id 100 vlan_prio 3 action pass
      filter add dev eth1 ingress pref 2 protocol 802.1q flower vlan_id 100 action drop`,
  });
  scope.teardown(() => execa("tc", ["qdisc", "del", "dev", "eth1", "clsact"]));
  return outside;
}

/** The link that asks, and the address that it asks for. */
export type Question = readonly [link: string, address: string];

/**
 * Returns a shell command (busybox) that sends all questions concurrently by ARP, once a second for
 * up to `seconds`.
 *
 * Its output has one line for each answered question, such as `vlan100 10.9.0.10`, in the order of
 * `questions`.
 */
export function whoAnswers(questions: readonly Question[], seconds = 4): string {
  const asked = questions.map(
    ([link, address], index) =>
      `{ busybox arping -f -q -w ${seconds} -I ${link} ${address} && echo "${index} ${link} ${address}"; } &`,
  );
  return `{ ${asked.join("\n")}\nwait; } | sort -n | cut -d " " -f 2-`;
}

/** Returns the questions that are answered in a namespace, in the form of {@link whoAnswers}. */
export async function answeredIn(namespace: Namespace, questions: readonly Question[]): Promise<string[]> {
  const [file, ...args] = within(namespace, "sh", "-c", whoAnswers(questions));
  return lines((await execa(file, args)).stdout);
}

/** The lines of a command's output, without empty ones. */
export function lines(output: string): string[] {
  return output.split("\n").filter((line) => line !== "");
}

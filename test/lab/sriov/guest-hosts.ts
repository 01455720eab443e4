// Who is at the other end of the wire: hosts behind eth1, by VLAN, and who answers whom by ARP.
import { execa } from "execa";
import { ip } from "../../harness/ip.ts";
import { createNamespace, type Namespace, within } from "../../harness/namespaces.ts";
import type { Scope } from "../../harness/scope.ts";

/** Their links, and the addresses that those have. */
export const hosts = { vlan100: "10.9.0.100", vlan200: "10.9.0.200", untagged: "10.9.0.1" } as const;

/**
 * A namespace with a link of eth1's for each host: `untagged` sees eth1's frames without a tag, the
 * others those of a VLAN. Of VLAN 100 those alone get there that have priority 3.
 * Each link answers for its own address alone.
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

/** From which link, for which address. */
export type Question = readonly [link: string, address: string];

/**
 * The shell command (busybox's) that asks all of it by ARP, side by side, once a second for up to
 * `seconds`: it has a line for each question that is answered, `vlan100 10.9.0.10`,
 * in their order.
 */
export function whoAnswers(questions: readonly Question[], seconds = 4): string {
  const asked = questions.map(
    ([link, address], index) =>
      `{ busybox arping -f -q -w ${seconds} -I ${link} ${address} && echo "${index} ${link} ${address}"; } &`,
  );
  return `{ ${asked.join("\n")}\nwait; } | sort -n | cut -d " " -f 2-`;
}

/** The questions that are answered in a namespace, as {@link whoAnswers} has them. */
export async function answeredIn(namespace: Namespace, questions: readonly Question[]): Promise<string[]> {
  const [file, ...args] = within(namespace, "sh", "-c", whoAnswers(questions));
  return lines((await execa(file, args)).stdout);
}

/** A command's output, line by line. */
export function lines(output: string): string[] {
  return output.split("\n").filter((line) => line !== "");
}

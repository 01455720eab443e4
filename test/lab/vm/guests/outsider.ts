// A third machine on the network's bridge, which finds out who answers for an address.
import { setTimeout as sleep } from "node:timers/promises";
import { broadcast, type Frame, type Ip, type Mac, sameIp, solicitedNode } from "../../../harness/frames.ts";
import { type Guest, startGuest } from "../../../harness/guest.ts";
import { ip } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

const mac = "02:00:00:00:00:99";

/** Attaches the machine to a bridge. `ips` are its addresses, one of each family. */
export async function startOutsider(
  scope: Scope,
  { node, bridge, ips }: { node: Namespace; bridge: string; ips: readonly [Ip, Ip] },
): Promise<Outsider> {
  await ip(
    node,
    "tuntap add outsider mode tap user 107 group 107",
    `link set outsider address 02:00:00:00:00:98 master ${bridge} up`,
  );
  return new Outsider(await startGuest(scope, { namespace: node, tap: "outsider", mac, ips }), ips);
}

export class Outsider {
  readonly #guest: Guest;
  readonly #ips: readonly [Ip, Ip];

  constructor(guest: Guest, ips: readonly [Ip, Ip]) {
    this.#guest = guest;
    this.#ips = ips;
  }

  /**
   * Returns for each address the sorted MAC addresses that answer for it within 1.2 s.
   *
   * It asks three times, in two ways: like duplicate address detection, without an own address (RFC
   * 5227, 2.1.1; RFC 4862, 5.4), and like a neighbour. The result holds the source addresses of the
   * answering frames and the addresses in their messages.
   */
  async answerers(targets: readonly Ip[]): Promise<Mac[][]> {
    const first = this.#guest.heard.length;
    for (let round = 0; round < 3; round++) {
      for (const target of targets) this.#ask(target);
      await sleep(400);
    }
    const heard = this.#guest.heard.slice(first);
    return targets.map((target) => [...new Set(heard.flatMap((frame) => owners(frame, target)))].sort());
  }

  #ask(target: Ip): void {
    if (!target.includes(":")) {
      for (const sender of ["0.0.0.0", this.#ips[0]])
        this.#guest.send(broadcast, { is: "arpRequest", senderMac: mac, sender, target });
      return;
    }
    const to = solicitedNode(target);
    this.#guest.send(to.mac, { is: "solicitation", from: "::", to: to.ip, target });
    this.#guest.send(to.mac, { is: "solicitation", from: this.#ips[1], to: to.ip, target, linkAddress: mac });
  }
}

/** Returns the MAC addresses that a frame announces for an address. */
function owners({ source, message }: Frame, target: Ip): Mac[] {
  if (message?.is === "arpReply" && sameIp(message.sender, target)) return [source, message.senderMac];
  if (message?.is !== "advertisement" || !sameIp(message.target, target)) return [];
  return message.linkAddress === undefined ? [source] : [source, message.linkAddress];
}

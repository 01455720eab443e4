// Somebody else on the network's bridge, who asks whose an address is and hears all that answer.
import { setTimeout as sleep } from "node:timers/promises";
import { broadcast, type Frame, type Ip, type Mac, sameIp, solicitedNode } from "../../../harness/frames.ts";
import { type Guest, startGuest } from "../../../harness/guest.ts";
import { ip } from "../../../harness/ip.ts";
import type { Namespace } from "../../../harness/namespaces.ts";
import type { Scope } from "../../../harness/scope.ts";

const mac = "02:00:00:00:00:99";

/** Plugs one into a bridge; it has these addresses, one of each family. */
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

/** See {@link startOutsider}. */
export class Outsider {
  readonly #guest: Guest;
  readonly #ips: readonly [Ip, Ip];

  constructor(guest: Guest, ips: readonly [Ip, Ip]) {
    this.#guest = guest;
    this.#ips = ips;
  }

  /**
   * For each address the MAC addresses, sorted, by which it is answered for within 1.2 s: asked
   * three times as duplicate address detection asks,
   * which has no address yet (RFC 5227, 2.1.1; RFC 4862, 5.4), and as a neighbour does. Those that
   * frames come from count, and those that they tell.
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

/** Those whom a frame tells to have an address. */
function owners({ source, message }: Frame, target: Ip): Mac[] {
  if (message?.is === "arpReply" && sameIp(message.sender, target)) return [source, message.senderMac];
  if (message?.is !== "advertisement" || !sameIp(message.target, target)) return [];
  return message.linkAddress === undefined ? [source] : [source, message.linkAddress];
}

// Datagrams from the kernel: a dump, one thing that was asked for, or an ACK. They make values, a
// NetlinkError, or a wait for more.

import { Netlink } from "../../../../lib/netlink/client.ts";
import { NetlinkError } from "../../../../lib/netlink/errors.ts";
import type { Message } from "../../../../lib/netlink/message.ts";
import { address } from "../../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../../lib/netlink/route/bridge.ts";
import { link } from "../../../../lib/netlink/route/link.ts";
import { forwarding, neighbor } from "../../../../lib/netlink/route/neighbor.ts";
import { route } from "../../../../lib/netlink/route/route.ts";
import { vfLink } from "../../../../lib/netlink/route/vf.ts";

const messages: readonly Message<object>[] = [link, bridgePort, address, route, neighbor, forwarding, vfLink];

class NoMore extends Error {}

/**
 * The first byte chooses what is asked for; each datagram has its length, 16 bits, before it.
 * Sequence numbers are made right: a wrong one is passed over.
 */
export function fuzz(data: Buffer): void {
  const [choice = 0] = data;
  const message = messages[choice % messages.length]!;
  let at = 1;
  const client = new Netlink({
    send: () => undefined,
    receive: () => {
      if (at + 2 > data.length) throw new NoMore();
      const end = at + 2 + data.readUInt16LE(at);
      const datagram = Uint8Array.from(data.subarray(at + 2, end));
      at = end;
      for (let header = 0; header + 16 <= datagram.length; ) {
        const view = new DataView(datagram.buffer);
        view.setUint32(header + 8, 1, true);
        const length = view.getUint32(header, true);
        if (length < 16 || length > datagram.length) break;
        header += (length + 3) & ~3;
      }
      return datagram;
    },
    close: () => undefined,
  });
  try {
    const found = choice & 0x80 ? client.get(message, {}, "it") : client.dump(message);
    JSON.stringify(found, (_, part) => {
      if (Number.isNaN(part)) throw new Error("a number that is none");
      return part;
    });
    if (choice & 0x40) client.delete(message, {}, "it");
  } catch (failure) {
    if (!(failure instanceof NetlinkError || failure instanceof NoMore)) throw failure;
  }
}

// Bytes that no kernel sends: they make a value or a NetlinkError, and nothing outside of the
// datagram is read.

import t from "tap";
import { Netlink } from "../../../lib/netlink/client.ts";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import type { Message } from "../../../lib/netlink/message.ts";
import { address } from "../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { forwarding, neighbor } from "../../../lib/netlink/route/neighbor.ts";
import { route } from "../../../lib/netlink/route/route.ts";
import { reader } from "../../../lib/netlink/wire.ts";
import { fc } from "../../harness/fast-check.ts";
import { captures, payloads } from "./captures.ts";

const dumps: Record<string, Message<object>> = {
  links: link,
  "bridge ports": bridgePort,
  addresses: address,
  "routes of IPv4": route,
  "routes of IPv6": route,
  neighbors: neighbor,
  forwarding,
};

/** A change to bytes: some overwritten, the end cut off or something put in its place. */
const damage = fc.record({
  writes: fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(0xff), fc.constantFrom(0, 1, 3, 4, 0x80, 0xff))), {
    maxLength: 4,
  }),
  // Lengths are what hurts most; attributes begin at multiples of 4.
  lengths: fc.array(fc.tuple(fc.nat(), fc.nat(40)), { maxLength: 2 }),
  cut: fc.option(fc.nat()),
  tail: fc.uint8Array({ maxLength: 8 }),
});

function damaged(
  bytes: Uint8Array,
  { writes, lengths, cut, tail }: typeof damage extends fc.Arbitrary<infer D> ? D : never,
): Uint8Array {
  const kept = bytes.slice(0, cut === null ? bytes.length : cut % (bytes.length + 1));
  for (const [at, byte] of writes) if (kept.length > 0) kept[at % kept.length] = byte;
  for (const [at, length] of lengths) if (kept.length > 4) kept[(at % kept.length) & ~3] = length;
  return Uint8Array.from([...kept, ...tail]);
}

/**
 * What comes of it: a value, or an error's code. Anything but a NetlinkError is a failure, and so
 * is a number that is none.
 */
function outcome(run: () => unknown): string {
  try {
    return JSON.stringify(run(), (_, part) => {
      if (Number.isNaN(part)) throw new Error("NaN");
      return part;
    });
  } catch (error) {
    if (error instanceof NetlinkError) return error.message;
    throw error;
  }
}

/** Whether decoding the bytes does not depend on what is around them. */
function standsAlone<T>(message: Message<T>, bytes: Uint8Array): boolean {
  const [one, other] = [0x00, 0xff].map((filling) => {
    const room = new Uint8Array(bytes.length + 128).fill(filling);
    room.set(bytes, 64);
    return outcome(() => message.decode(reader(room), 64, 64 + bytes.length));
  });
  return one === other;
}

for (const [name, message] of Object.entries(dumps)) {
  const told = captures
    .flatMap((capture) => payloads(capture.dumps[name]!.datagrams))
    .map((bytes) => Uint8Array.from(bytes));

  t.test(`damaged ${name} are a value or a NetlinkError`, async () => {
    fc.assert(
      fc.property(fc.constantFrom(...told), damage, (bytes, how) => standsAlone(message, damaged(bytes, how))),
      { numRuns: 3000 },
    );
  });

  t.test(`${name} that end anywhere are a value or a NetlinkError`, (t) => {
    for (const bytes of told.slice(0, 3))
      for (let length = 0; length < bytes.length; length++)
        if (!standsAlone(message, bytes.slice(0, length))) t.fail(`${length} bytes`);
    t.end();
  });

  t.test(`any bytes read as ${name} are a value or a NetlinkError`, async () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => standsAlone(message, bytes)),
      { numRuns: 2000 },
    );
  });
}

class NoMore extends Error {}

/** A client whose kernel says just this. */
function clientOf(datagrams: readonly Uint8Array[]): Netlink {
  const left = [...datagrams];
  return new Netlink({
    send: () => undefined,
    receive: () => {
      const next = left.shift();
      if (next === undefined) throw new NoMore("no more datagrams");
      return next;
    },
    close: () => undefined,
  });
}

/** What comes of a call, which may also wait for what never comes. */
function outcomeOfCall(run: () => unknown): string {
  try {
    return outcome(run);
  } catch (error) {
    if (error instanceof NoMore) return "waits";
    throw error;
  }
}

t.test("damaged datagrams end a dump in a value, in a NetlinkError, or in waiting for more", async () => {
  const datagrams = captures.flatMap(({ dumps }) =>
    ["addresses", "neighbors"].flatMap((name) =>
      dumps[name]!.datagrams.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))),
    ),
  );
  const sequence = fc.array(fc.tuple(fc.constantFrom(...datagrams), damage), { minLength: 1, maxLength: 3 });
  const message = fc.constantFrom<Message<object>>(address, neighbor);
  fc.assert(
    fc.property(sequence, message, (parts, message) => {
      outcomeOfCall(() => clientOf(parts.map(([bytes, how]) => damaged(bytes, how))).dump(message));
    }),
    { numRuns: 5000 },
  );
});

t.test("a damaged ACK is success, a NetlinkError, or not an ACK", async () => {
  const acks = captures.flatMap(({ refusals }) =>
    Object.values(refusals).flatMap(({ capped, whole, plain }) => [capped, whole, plain]),
  );
  fc.assert(
    fc.property(fc.constantFrom(...acks), damage, (hex, how) => {
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      // The answer is to the client's first request.
      new Uint32Array(bytes.buffer)[2] = 1;
      outcomeOfCall(() => clientOf([damaged(bytes, how)]).delete(link, { index: 1 }, "it"));
    }),
    { numRuns: 5000 },
  );
});

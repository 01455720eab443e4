// Decodes bytes that no kernel sends.
// The result is a value or a NetlinkError, and no byte outside the datagram is read.

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

/** Damage to bytes: some are overwritten, the end is cut off or replaced. */
const damage = fc.record({
  writes: fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(0xff), fc.constantFrom(0, 1, 3, 4, 0x80, 0xff))), {
    maxLength: 4,
  }),
  // Wrong lengths do the most harm. Attributes begin at multiples of 4.
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
 * Runs `run` and returns its value as JSON, or the message of the NetlinkError that it throws.
 *
 * @throws Any other error, and an error if the value contains NaN.
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

/** Returns whether decoding the bytes depends only on these bytes, not on those around them. */
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

  t.test(`decoding damaged ${name} returns a value or throws a NetlinkError`, async () => {
    fc.assert(
      fc.property(fc.constantFrom(...told), damage, (bytes, how) => standsAlone(message, damaged(bytes, how))),
      { numRuns: 3000 },
    );
  });

  t.test(`decoding truncated ${name} returns a value or throws a NetlinkError`, (t) => {
    for (const bytes of told.slice(0, 3))
      for (let length = 0; length < bytes.length; length++)
        if (!standsAlone(message, bytes.slice(0, length))) t.fail(`${length} bytes`);
    t.end();
  });

  t.test(`decoding random bytes as ${name} returns a value or throws a NetlinkError`, async () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => standsAlone(message, bytes)),
      { numRuns: 2000 },
    );
  });
}

class NoMore extends Error {}

/** Creates a client that receives these datagrams and then gets NoMore. */
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

/** Returns like {@link outcome}, or `waits` if the call wants more datagrams than there are. */
function outcomeOfCall(run: () => unknown): string {
  try {
    return outcome(run);
  } catch (error) {
    if (error instanceof NoMore) return "waits";
    throw error;
  }
}

t.test("dump of damaged datagrams returns, throws a NetlinkError or waits for more", async () => {
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

t.test("a change with a damaged ACK succeeds, throws a NetlinkError or waits for more", async () => {
  const acks = captures.flatMap(({ refusals }) =>
    Object.values(refusals).flatMap(({ capped, whole, plain }) => [capped, whole, plain]),
  );
  fc.assert(
    fc.property(fc.constantFrom(...acks), damage, (hex, how) => {
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      // Sequence number 1: the answer belongs to the client's first request.
      new Uint32Array(bytes.buffer)[2] = 1;
      outcomeOfCall(() => clientOf([damaged(bytes, how)]).delete(link, { index: 1 }, "it"));
    }),
    { numRuns: 5000 },
  );
});

// Decodes and encodes captured messages: all attributes that a client may set stay the same.
import t from "tap";
import type { Message } from "../../../lib/netlink/message.ts";
import { address } from "../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { forwarding, neighbor } from "../../../lib/netlink/route/neighbor.ts";
import { route } from "../../../lib/netlink/route/route.ts";
import { attributesOf, captures, decode, encode, hexOf, payloads } from "./captures.ts";

/** Read-only attributes: NDA_CACHEINFO and NDA_PROBES, RTA_CACHEINFO. */
const notKept: Record<string, readonly number[]> = { neighbors: [3, 4], forwarding: [3, 4], routes: [12] };

/** RTA_EXPIRES: the encoder writes the remaining time of RTA_CACHEINFO as this attribute. */
const rtaExpires = 23;

const lossless: [name: string, message: Message<object>, headerSize: number][] = [
  ["addresses", address, 8],
  ["routes of IPv4", route, 12],
  ["routes of IPv6", route, 12],
  ["neighbors", neighbor, 12],
  ["forwarding", forwarding, 12],
];

for (const capture of captures) {
  for (const [name, message, headerSize] of lossless) {
    t.test(`${name} of Linux ${capture.kernel} are unchanged after a round trip`, (t) => {
      const told = payloads(capture.dumps[name]!.datagrams);
      t.not(told.length, 0);
      for (const payload of told) {
        const value = decode(message, payload);
        const written = encode(message, value);
        t.equal(hexOf(written.subarray(0, headerSize)), hexOf(payload.subarray(0, headerSize)));
        const dropped = [...(notKept[name.split(" ")[0]!] ?? [])];
        t.strictSame(
          attributesOf(written, headerSize)
            .filter(([type]) => type !== rtaExpires)
            .map(withoutStamps),
          attributesOf(payload, headerSize)
            .filter(([type]) => !dropped.includes(type))
            .map(withoutStamps),
        );
        // The kernel reports an expiry in RTA_CACHEINFO and accepts it in RTA_EXPIRES, which it
        // never reports.
        const { expires, ...rest } = value as { expires?: number };
        t.strictSame(message === route ? decode(message, encode(message, rest)) : decode(message, written), rest);
      }
      t.end();
    });
  }

  for (const [name, message] of [
    ["links", link],
    ["bridge ports", bridgePort],
  ] as [string, Message<object>][]) {
    t.test(`decoded ${name} of Linux ${capture.kernel} are unchanged after a round trip`, (t) => {
      for (const payload of payloads(capture.dumps[name]!.datagrams)) {
        const value = writable(decode(message, payload));
        t.strictSame(decode(message, encode(message, value)), value);
      }
      t.end();
    });
  }

  t.test(`a route of Linux ${capture.kernel} keeps its expiry in a round trip`, (t) => {
    const expiring = payloads(capture.dumps["routes of IPv6"]!.datagrams)
      .map((payload) => decode(route, payload))
      .filter(({ expires }) => expires !== undefined);
    t.match(expiring, [{ destination: "fd05::" }]);
    t.strictSame(
      attributesOf(encode(route, expiring[0]!), 12).filter(([type]) => type === rtaExpires),
      [[rtaExpires, hexOf(Uint8Array.from(new Uint8Array(Uint32Array.of(expiring[0]!.expires!).buffer)))]],
    );
    t.end();
  });
}

/** Zeroes the two time stamps at the end of IFA_CACHEINFO: only the kernel sets them. */
function withoutStamps([type, payload]: [number, string]): [number, string] {
  return type === 6 && payload.length === 32 ? [type, `${payload.slice(0, 16)}${"0".repeat(16)}`] : [type, payload];
}

/** Returns a link without its read-only parts. */
function writable(value: object): object {
  return JSON.parse(JSON.stringify(value), (key, part) => (key === "conf" ? undefined : part));
}

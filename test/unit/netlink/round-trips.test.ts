// What kernels told, read and written back: as it was, but for what only the kernel decides.
import t from "tap";
import type { Message } from "../../../lib/netlink/message.ts";
import { address } from "../../../lib/netlink/route/address.ts";
import { bridgePort } from "../../../lib/netlink/route/bridge.ts";
import { link } from "../../../lib/netlink/route/link.ts";
import { forwarding, neighbor } from "../../../lib/netlink/route/neighbor.ts";
import { route } from "../../../lib/netlink/route/route.ts";
import { attributesOf, captures, decode, encode, hexOf, payloads } from "./captures.ts";

/** What is not written back: NDA_CACHEINFO and NDA_PROBES, RTA_CACHEINFO. */
const notKept: Record<string, readonly number[]> = { neighbors: [3, 4], forwarding: [3, 4], routes: [12] };

/** RTA_EXPIRES, as which the time left in RTA_CACHEINFO is written. */
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
    t.test(`${name} of Linux ${capture.kernel} lose nothing`, (t) => {
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
        // An expiry is told by one attribute and written by another, which kernels do not tell.
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
    t.test(`what we speak of in ${name} of Linux ${capture.kernel} is not lost`, (t) => {
      for (const payload of payloads(capture.dumps[name]!.datagrams)) {
        const value = writable(decode(message, payload));
        t.strictSame(decode(message, encode(message, value)), value);
      }
      t.end();
    });
  }

  t.test(`what expires on Linux ${capture.kernel} is told when`, (t) => {
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

/** IFA_CACHEINFO ends with two time stamps, which are the kernel's. */
function withoutStamps([type, payload]: [number, string]): [number, string] {
  return type === 6 && payload.length === 32 ? [type, `${payload.slice(0, 16)}${"0".repeat(16)}`] : [type, payload];
}

/** A link without what can only be read. */
function writable(value: object): object {
  return JSON.parse(JSON.stringify(value), (key, part) => (key === "conf" ? undefined : part));
}

// Loads the netlink messages that captures/capture.py recorded from real kernels.
// Also splits messages into attributes without the codec under test.
import { readFileSync } from "node:fs";
import type { Body, Message } from "../../../lib/netlink/message.ts";
import { reader, writer } from "../../../lib/netlink/wire.ts";

export interface Capture {
  /** The kernel's version, such as `6.18`. */
  readonly kernel: string;
  readonly dumps: Readonly<Record<string, { readonly datagrams: readonly string[]; readonly shown: readonly Shown[] }>>;
  /** The request that each command sent, in hex. */
  readonly requests: Readonly<Record<string, string>>;
  readonly refusals: Readonly<
    Record<
      string,
      { readonly request: string; readonly capped: string; readonly whole: string; readonly plain: string }
    >
  >;
}

/** A row of iproute2's JSON. */
// biome-ignore lint/suspicious/noExplicitAny: it is what another program prints.
export type Shown = Record<string, any>;

export const captures: readonly Capture[] = ["6.1", "6.18"].map((kernel) =>
  JSON.parse(readFileSync(new URL(`captures/linux-${kernel}.json`, import.meta.url), "utf8")),
);

/** Returns the payload (header and attributes) of each message in a dump. */
export function payloads(datagrams: readonly string[]): Uint8Array[] {
  return datagrams.flatMap((datagram) => {
    const bytes = Buffer.from(datagram, "hex");
    const found: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3)
      if (bytes.readUInt16LE(at + 4) >= 16) found.push(bytes.subarray(at + 16, at + bytes.readUInt32LE(at)));
    return found;
  });
}

/** Returns the messages of a recorded dump, decoded. */
export function decodedDump<T>(capture: Capture, name: string, message: Message<T>): T[] {
  return payloads(capture.dumps[name]!.datagrams).map((payload) => decode(message, payload));
}

export function decode<T>(message: Message<T>, payload: Uint8Array): T {
  return message.decode(reader(payload), 0, payload.length);
}

export function encode<T>(message: Message<T>, body: Body<T>): Uint8Array {
  const to = writer();
  message.encode(to, body);
  return to.bytes.slice(0, to.length);
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/**
 * Returns the attributes after a header, sorted by type.
 *
 * The type has no flags. The payload is hex.
 */
export function attributesOf(payload: Uint8Array, headerSize: number): [type: number, payload: string][] {
  const bytes = Buffer.from(payload);
  const found: [number, string][] = [];
  for (let at = headerSize; at < bytes.length; at += (bytes.readUInt16LE(at) + 3) & ~3)
    found.push([bytes.readUInt16LE(at + 2) & 0x3fff, hexOf(bytes.subarray(at + 4, at + bytes.readUInt16LE(at)))]);
  return found.sort(([one], [other]) => one - other);
}

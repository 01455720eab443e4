// A message: a fixed header, attributes, and the message types that request, carry, create, change
// and delete it.
import { malformed } from "./errors.ts";
import { align, type Codec, type Reader, reserve, type Scalar, type Writer } from "./wire.ts";

/** A part of the rtnetlink protocol. `T` is what the kernel reports of one object. */
export interface Message<T> {
  /** The plural for errors, such as `links`. */
  readonly name: string;
  readonly types: MessageTypes;
  /** Reads header and attributes. Throws a NetlinkError (EBADMSG). */
  decode(from: Reader, start: number, end: number): T;
  /**
   * Appends header and attributes. An absent field of the header is zero. Throws a NetlinkError
   * (EINVAL).
   */
  encode(to: Writer, body: Body<T>): void;
  /**
   * Returns the name of the attribute at byte `at` of the datagram, such as
   * `info.data.vlanFiltering`.
   */
  locate(from: Reader, start: number, end: number, at: number): string | undefined;
}

/** RTM_NEW…, RTM_DEL… and RTM_GET…, and the type of a request that changes an object. */
export interface MessageTypes {
  readonly new: number;
  readonly delete: number;
  readonly get: number;
  readonly set: number;
}

/** The content of a request: any part of the message. */
export type Body<T> = { readonly [K in keyof T]?: T[K] | undefined };

/**
 * Composes a message from its parts. `preset` is the content of the header unless the body sets the
 * field.
 */
export function message<H extends object, A extends object>(
  name: string,
  types: MessageTypes,
  { header, attributes, preset }: { header: Scalar<H>; attributes: Codec<A>; preset?: Partial<H> },
): Message<H & A> {
  return {
    name,
    types,
    decode(from, start, end) {
      if (end - start < header.size)
        throw malformed(`a message of ${end - start} bytes, expected ${header.size} or more`);
      return attributes.decode(from, start + header.size, end, header.read(from, start) as H & A) as H & A;
    },
    encode(to, body) {
      const start = reserve(to, header.size);
      if (preset !== undefined) header.write(to, start, preset as H);
      header.write(to, start, body as H);
      align(to);
      attributes.encode(to, body as A);
    },
    locate: (from, start, end, at) => attributes.locate?.(from, start + header.size, end, at),
  };
}

/**
 * AF_UNSPEC, AF_INET, AF_BRIDGE and AF_INET6 of <linux/socket.h>: the `family` at the beginning of
 * every header.
 */
export const families = { any: 0, ipv4: 2, bridge: 7, ipv6: 10 } as const;

// The synchronous netlink client: requests, their ACKs, dumps.
import { controlTypes, failureOf, headerSize, type Part } from "./ack.ts";
import { malformed, NetlinkError, within } from "./errors.ts";
import type { Body, Message } from "./message.ts";
import { align, type Reader, reader, reserve, writer } from "./wire.ts";

/**
 * How datagrams travel. Errors of its own, such as EAGAIN when no answer comes, pass through the
 * client.
 */
export interface Transport {
  /** Sends one datagram to the kernel. */
  send(datagram: Uint8Array): void;
  /** Waits for the next datagram from the kernel. */
  receive(): Uint8Array;
  close(): void;
}

/**
 * NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE and NLM_F_DUMP, of requests.
 */
const flags = { request: 0x1, acknowledge: 0x4, replace: 0x100, exclusive: 0x200, create: 0x400, dump: 0x300 } as const;

/**
 * NLM_F_DUMP_INTR, of answers: what was listed changed in the meantime, so that some may be
 * missing.
 */
const interrupted = 0x10;

/** How often an interrupted dump is begun. */
const attempts = 10;

/** What a change does to a thing. The methods of {@link Netlink} say more about each. */
export type Operation = "create" | "replace" | "set" | "delete";

const operations = {
  create: { type: "new", flags: flags.create | flags.exclusive },
  replace: { type: "new", flags: flags.create | flags.replace },
  set: { type: "set", flags: 0 },
  delete: { type: "delete", flags: 0 },
} as const satisfies Record<Operation, object>;

/** One change of a batch. */
export interface Request {
  /** What its error begins with, such as `create e0`. */
  readonly subject: string;
  /** The request's bytes. The sequence number is written later. */
  readonly request: Uint8Array;
  locate(at: number): string | undefined;
}

/** Encodes a change for a batch. Throws a NetlinkError (EINVAL) if the body cannot be written. */
export function request<T>(verb: Operation, message: Message<T>, body: Body<T>, subject: string): Request {
  const { type, flags: more } = operations[verb];
  return within(`${verb} ${subject}`, () => {
    const request = encoded(message, message.types[type], more | flags.acknowledge, body);
    const locate = (at: number): string | undefined => message.locate(reader(request), headerSize, request.length, at);
    return { subject: `${verb} ${subject}`, request, locate };
  });
}

/**
 * One netlink socket. Every method is one datagram and its whole answer.
 *
 * Errors are NetlinkErrors such as `create k6t-eth0: Name already taken (EEXIST)`: in the kernel's
 * own words if it sends any, and with the name of the attribute that it refuses. EBADMSG if an
 * answer cannot be decoded, EINVAL if a body cannot be encoded.
 *
 * The transport's errors pass through. After one, a late answer is skipped, but the kernel may
 * refuse another dump (EBUSY) until the first one is read to its end.
 */
export class Netlink {
  readonly #transport: Transport;
  readonly #base: number;
  #sequence: number;
  /** The socket's own port, which the kernel's answers contain. */
  #port: number | undefined;

  /** @param base the sequence numbers of the requests are the 65,535 numbers after it */
  constructor(transport: Transport, base = 0) {
    this.#transport = transport;
    this.#base = base;
    this.#sequence = base;
  }

  /**
   * Returns all objects of a kind, such as `dump(address, { family: families.ipv4 })`.
   *
   * `filter` is the body of the request. Other families are left out: a kernel without IPv6 answers
   * a request for IPv6 with all of them. The kernel decides what else the filter selects.
   *
   * Repeats a dump that a change interrupted. EINTR if every repetition was interrupted.
   *
   * @param keep drops all other objects as they arrive: a pod can have any number of them
   */
  dump<T>(message: Message<T>, filter: Body<T> = {}, keep: (one: T) => boolean = () => true): T[] {
    return within(`list ${message.name}`, () => {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const request = encoded(message, message.types.get, flags.dump, filter);
        this.#send([request]);
        const found: T[] = [];
        const failures: unknown[] = [];
        let whole = true;
        this.#answer((part) => {
          if ((part.flags & interrupted) !== 0) whole = false;
          if (endsAnswer(part, message, request)) return true;
          if (!whole || failures.length > 0 || !sameFamily(part, request)) return false;
          // After an error, the rest of the answer is read: nothing of it stays in the socket.
          const one = attempted(() => decode(part, message), failures);
          if (one !== undefined && keep(one)) found.push(one);
          return false;
        });
        if (!whole) continue;
        if (failures.length > 0) throw failures[0];
        return found;
      }
      throw new NetlinkError("EINTR", 4, `interrupted by changes ${attempts} times in a row`);
    });
  }

  /**
   * Returns the object that `body` names, such as `get(link, { name: "eth0" }, "eth0")`. ENODEV, or
   * another code, if it is missing.
   */
  get<T>(message: Message<T>, body: Body<T>, subject: string): T {
    return within(`get ${subject}`, () => {
      const request = encoded(message, message.types.get, 0, body);
      this.#send([request]);
      let found: Part | undefined;
      this.#answer((part) => {
        if (!endsAnswer(part, message, request)) found = part;
        return true;
      });
      if (found === undefined) throw malformed("an ACK, expected an answer");
      return decode(found, message);
    });
  }

  /** Creates an object. EEXIST if it exists. */
  create<T>(message: Message<T>, body: Body<T>, subject: string): void {
    this.#perform(request("create", message, body, subject));
  }

  /** Creates an object, or replaces the existing one. */
  replace<T>(message: Message<T>, body: Body<T>, subject: string): void {
    this.#perform(request("replace", message, body, subject));
  }

  /**
   * Changes an existing link or bridge port. Addresses, routes and neighbours are changed by
   * `replace`.
   */
  set<T>(message: Message<T>, body: Body<T>, subject: string): void {
    this.#perform(request("set", message, body, subject));
  }

  /**
   * Deletes an object. ENODEV (links), ESRCH (routes), EADDRNOTAVAIL (addresses) or ENOENT
   * (neighbours) if it is missing.
   */
  delete<T>(message: Message<T>, body: Body<T>, subject: string): void {
    this.#perform(request("delete", message, body, subject));
  }

  /**
   * Performs the changes by one datagram, in order. rtnetlink continues after one that it refuses.
   * Returns for each change the refusal, or undefined. The ACKs of some 200 changes fit the
   * socket's receive buffer.
   */
  batch(changes: readonly Request[]): (NetlinkError | undefined)[] {
    const outcomes = new Map<number, NetlinkError | undefined>();
    if (changes.length === 0) return [];
    const first = this.#send(changes.map(({ request }) => request));
    this.#answer((part) => {
      if (part.type !== controlTypes.error) return false;
      const position = part.sequence - first;
      const { subject, locate } = changes[position]!;
      outcomes.set(position, within(subject, () => failureOf(part, locate))?.about(subject));
      return outcomes.size === changes.length;
    }, first);
    return changes.map((_, position) => outcomes.get(position));
  }

  close(): void {
    this.#transport.close();
  }

  #perform(change: Request): void {
    const [failure] = this.batch([change]);
    if (failure !== undefined) throw failure;
  }

  /** Sends requests as one datagram. Returns the first one's sequence number. */
  #send(requests: readonly Uint8Array[]): number {
    // The numbers of one datagram do not wrap.
    if (this.#sequence + requests.length > this.#base + 0xffff) this.#sequence = this.#base;
    const first = this.#sequence + 1;
    for (const request of requests) reader(request).words[2] = ++this.#sequence;
    this.#transport.send(requests.length === 1 ? requests[0]! : joined(requests));
    return first;
  }

  /**
   * Receives datagrams until `take` has said of one of the messages that it ends the answer.
   * Answers to requests before `first` are passed over.
   */
  #answer(take: (part: Part) => boolean, first = this.#sequence): void {
    for (let ended = false; !ended; ) {
      const from = reader(this.#transport.receive());
      const size = from.bytes.length;
      if (size === 0) throw malformed("an empty datagram");
      for (let at = 0; at < size && !ended; ) {
        const part = partAt(from, at);
        const port = from.words[(at >> 2) + 3]!;
        if (part.sequence >= first && part.sequence <= this.#sequence) {
          this.#port ??= port;
          if (port === this.#port) ended = take(part);
        }
        at = (part.end + 3) & ~3;
      }
    }
  }
}

/** Calls `work`. If it fails, adds the failure to the list. */
function attempted<T>(work: () => T, failures: unknown[]): T | undefined {
  try {
    return work();
  } catch (failure) {
    failures.push(failure);
    return undefined;
  }
}

/** A request's bytes, with sequence number 0. */
function encoded<T>(message: Message<T>, type: number, verb: number, body: Body<T>): Uint8Array {
  const to = writer();
  reserve(to, headerSize);
  message.encode(to, body);
  to.words[0] = to.length;
  to.halves[2] = type;
  to.halves[3] = flags.request | verb;
  return to.bytes.subarray(0, to.length);
}

/** One datagram, in which each request begins at a multiple of 4 bytes. */
function joined(requests: readonly Uint8Array[]): Uint8Array {
  const to = writer();
  for (const request of requests) {
    const start = reserve(to, request.length);
    to.bytes.set(request, start);
    align(to);
  }
  return to.bytes.subarray(0, to.length);
}

function partAt(from: Reader, at: number): Part {
  const left = from.bytes.length - at;
  const length = left < headerSize ? left : from.words[at >> 2]!;
  if (length < headerSize || length > left)
    throw malformed(`a message of ${length} bytes, expected ${headerSize} to ${left}`);
  const half = at >> 1;
  const type = from.halves[half + 2]!;
  if (type === controlTypes.overrun) throw new NetlinkError("ENOBUFS", 105, "messages were lost");
  const sequence = from.words[(at >> 2) + 2]!;
  return { from, type, flags: from.halves[half + 3]!, sequence, start: at + headerSize, end: at + length };
}

/** Whether the message is the last one of an answer. Throws the failure that it reports. */
function endsAnswer<T>(part: Part, message: Message<T>, request: Uint8Array): boolean {
  if (part.type !== controlTypes.done && part.type !== controlTypes.error) return false;
  const failure = failureOf(part, (at) => message.locate(reader(request), headerSize, request.length, at));
  if (failure !== undefined) throw failure;
  return true;
}

/**
 * Whether the answer has the family of the request. Every header begins with it. 0 requests any
 * family.
 */
function sameFamily({ from, start, end }: Part, request: Uint8Array): boolean {
  const family = request[headerSize];
  return family === 0 || start === end || from.bytes[start] === family;
}

function decode<T>({ from, type, start, end }: Part, message: Message<T>): T {
  if (type !== message.types.new) throw malformed(`a message of type ${type}, expected ${message.types.new}`);
  return message.decode(from, start, end);
}

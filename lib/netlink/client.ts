// The synchronous rtnetlink client: requests, their ACKs, dumps.
import { controlTypes, failureOf, headerSize, type Part } from "./ack.ts";
import { malformed, NetlinkError, within } from "./errors.ts";
import type { Body, Message } from "./message.ts";
import { type Reader, reader, reserve, writer } from "./wire.ts";

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

/**
 * One rtnetlink socket. Every method is one request and its whole answer.
 *
 * Errors are NetlinkErrors such as `create k6t-eth0: Name already taken (EEXIST)`, in the kernel's
 * own words where it has any, and with the attribute's name
 * where it says which one it minds. EBADMSG where an answer makes no sense, EINVAL where a body
 * cannot be written. What the transport throws passes through;
 * after that, a late answer is passed over, but the kernel may refuse a further dump (EBUSY) as
 * long as one is not read to its end.
 */
export class Rtnetlink {
  readonly #transport: Transport;
  #sequence = 0;
  /** The socket's own port, as the kernel's answers tell it. */
  #port: number | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * All that the kernel has of this, such as `dump(address, { family: families.ipv4 })`. `filter`
   * is the body of the request, and what it selects is the
   * kernel's choice, but for other families, which are left out (asked for IPv6, a kernel without
   * it answers for all). A dump that changes interrupted is
   * repeated; EINTR where that does not help.
   */
  dump<T>(message: Message<T>, filter: Body<T> = {}): T[] {
    return within(`list ${message.name}`, () => {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const request = this.#send(message, message.types.get, flags.dump, filter);
        const parts: Part[] = [];
        let whole = true;
        this.#answer((part) => {
          if ((part.flags & interrupted) !== 0) whole = false;
          if (endsAnswer(part, message, request)) return true;
          if (sameFamily(part, request)) parts.push(part);
          return false;
        });
        // Decoded only now: what makes no sense must not leave the rest of the answer in the
        // socket.
        if (whole) return parts.map((part) => decode(part, message));
      }
      throw new NetlinkError("EINTR", 4, `interrupted by changes ${attempts} times in a row`);
    });
  }

  /**
   * The one thing that `body` names, such as `get(link, { name: "eth0" }, "eth0")`. ENODEV, or
   * another code, where it is not there.
   */
  get<T>(message: Message<T>, body: Body<T>, subject: string): T {
    return within(`get ${subject}`, () => {
      const request = this.#send(message, message.types.get, 0, body);
      let found: Part | undefined;
      this.#answer((part) => {
        if (!endsAnswer(part, message, request)) found = part;
        return true;
      });
      if (found === undefined) throw malformed("an ACK, expected an answer");
      return decode(found, message);
    });
  }

  /** Makes a thing. EEXIST where it is there already. */
  create<T>(message: Message<T>, body: Body<T>, subject: string): void {
    within(`create ${subject}`, () => this.#change(message, message.types.new, flags.create | flags.exclusive, body));
  }

  /** Makes a thing, or puts it in the place of one that is there. */
  replace<T>(message: Message<T>, body: Body<T>, subject: string): void {
    within(`replace ${subject}`, () => this.#change(message, message.types.new, flags.create | flags.replace, body));
  }

  /**
   * Changes a link or a bridge port that is there. (Addresses, routes and neighbours are changed by
   * `replace`.)
   */
  set<T>(message: Message<T>, body: Body<T>, subject: string): void {
    within(`set ${subject}`, () => this.#change(message, message.types.set, 0, body));
  }

  /**
   * Deletes a thing. ENODEV (links), ESRCH (routes), EADDRNOTAVAIL (addresses) or ENOENT
   * (neighbours) where it is not there.
   */
  delete<T>(message: Message<T>, body: Body<T>, subject: string): void {
    within(`delete ${subject}`, () => this.#change(message, message.types.delete, 0, body));
  }

  close(): void {
    this.#transport.close();
  }

  #change<T>(message: Message<T>, type: number, verb: number, body: Body<T>): void {
    const request = this.#send(message, type, verb | flags.acknowledge, body);
    this.#answer((part) => endsAnswer(part, message, request));
  }

  /** Sends a request, and returns its bytes. */
  #send<T>(message: Message<T>, type: number, verb: number, body: Body<T>): Uint8Array {
    const to = writer();
    reserve(to, headerSize);
    message.encode(to, body);
    this.#sequence = (this.#sequence + 1) >>> 0;
    to.words[0] = to.length;
    to.halves[2] = type;
    to.halves[3] = flags.request | verb;
    to.words[2] = this.#sequence;
    const datagram = to.bytes.subarray(0, to.length);
    this.#transport.send(datagram);
    return datagram;
  }

  /**
   * Receives datagrams until `take` has said of one of the messages that it ends the answer.
   * Answers to earlier requests are passed over.
   */
  #answer(take: (part: Part) => boolean): void {
    for (let ended = false; !ended; ) {
      const from = reader(this.#transport.receive());
      const size = from.bytes.length;
      if (size === 0) throw malformed("an empty datagram");
      for (let at = 0; at < size && !ended; ) {
        const part = partAt(from, at);
        const word = at >> 2;
        if (from.words[word + 2] === this.#sequence) {
          this.#port ??= from.words[word + 3]!;
          if (from.words[word + 3] === this.#port) ended = take(part);
        }
        at = (part.end + 3) & ~3;
      }
    }
  }
}

function partAt(from: Reader, at: number): Part {
  const left = from.bytes.length - at;
  const length = left < headerSize ? left : from.words[at >> 2]!;
  if (length < headerSize || length > left)
    throw malformed(`a message of ${length} bytes, expected ${headerSize} to ${left}`);
  const half = at >> 1;
  const type = from.halves[half + 2]!;
  if (type === controlTypes.overrun) throw new NetlinkError("ENOBUFS", 105, "messages were lost");
  return { from, type, flags: from.halves[half + 3]!, start: at + headerSize, end: at + length };
}

/** Whether the message is the last one of an answer. Throws the failure that it tells of. */
function endsAnswer<T>(part: Part, message: Message<T>, request: Uint8Array): boolean {
  if (part.type !== controlTypes.done && part.type !== controlTypes.error) return false;
  const failure = failureOf(part, (at) => message.locate(reader(request), headerSize, request.length, at));
  if (failure !== undefined) throw failure;
  return true;
}

/**
 * Whether the answer is of the family that the request asks for. Every header begins with it; 0
 * asks for any.
 */
function sameFamily({ from, start, end }: Part, request: Uint8Array): boolean {
  const family = request[headerSize];
  return family === 0 || start === end || from.bytes[start] === family;
}

function decode<T>({ from, type, start, end }: Part, message: Message<T>): T {
  if (type !== message.types.new) throw malformed(`a message of type ${type}, expected ${message.types.new}`);
  return message.decode(from, start, end);
}

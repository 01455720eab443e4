// A guest's end of passt's socket, without a guest: frames in and out, as QEMU's stream netdev
// writes them.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { decodeFrame, encodeFrame, type Ip } from "../../../harness/frames.ts";
import type { Scope } from "../../../harness/scope.ts";

const mac = "02:00:00:00:00:07";
/** passt takes frames for any. */
const destination = "02:00:00:00:00:01";

/** Connects. */
export async function plugIn(scope: Scope, socket: string): Promise<Wire> {
  const connection = connect(socket);
  scope.teardown(() => connection.destroy());
  await once(connection, "connect");
  return new Wire(connection);
}

/** See {@link plugIn}. */
export class Wire {
  readonly #connection: Socket;
  readonly #listeners = new Set<(frame?: Buffer) => void>();
  #pending = Buffer.alloc(0);
  #sequence = 0;

  constructor(connection: Socket) {
    this.#connection = connection;
    connection
      // Whoever waits for a frame learns of it.
      .on("error", () => undefined)
      .on("close", () => this.#tell())
      .on("data", (data: Buffer) => this.#receive(data));
  }

  /** Pulls the plug. With --one-off, passt ends. */
  unplug(): void {
    this.#connection.destroy();
  }

  /**
   * Sends an echo request from one address to another, and gives whether a reply came within
   * `timeout` milliseconds.
   */
  async ping(from: Ip, to: Ip, timeout = 10_000): Promise<boolean> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const reply = this.next((frame) => {
      const { message } = decodeFrame(frame);
      return message?.is === "echoReply" && message.sequence === sequence;
    }, timeout);
    this.#send(
      encodeFrame(
        { source: mac, destination },
        { is: "echoRequest", from, to, id: 7, sequence, data: new Uint8Array(56) },
      ),
    );
    return (await reply) !== undefined;
  }

  /**
   * The first frame from now on that is `wanted`; undefined after `timeout` milliseconds, and where
   * passt or the plug goes before.
   */
  async next(wanted: (frame: Buffer) => boolean, timeout = 10_000): Promise<Buffer | undefined> {
    return await new Promise((resolve) => {
      const look = (frame?: Buffer): void => {
        if (frame && !wanted(frame)) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(frame);
      };
      const timer = setTimeout(look, timeout);
      this.#listeners.add(look);
    });
  }

  #send(frame: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    this.#connection.write(Buffer.concat([length, frame]));
  }

  #receive(data: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, data]);
    while (this.#pending.length >= 4) {
      const end = 4 + this.#pending.readUInt32BE();
      if (this.#pending.length < end) return;
      const frame = this.#pending.subarray(4, end);
      this.#pending = this.#pending.subarray(end);
      this.#tell(frame);
    }
  }

  #tell(frame?: Buffer): void {
    for (const look of [...this.#listeners]) look(frame);
  }
}

/**
 * Which port of the guest's a frame is for, such as `tcp 80` or `udp 53`; undefined for one that is
 * neither.
 */
export function portOf(frame: Buffer): string | undefined {
  const ipv6 = frame.readUInt16BE(12) === 0x86dd;
  if (!ipv6 && frame.readUInt16BE(12) !== 0x0800) return undefined;
  const protocol = { 6: "tcp", 17: "udp" }[frame.readUInt8(ipv6 ? 20 : 23)];
  const header = 14 + (ipv6 ? 40 : 4 * (frame.readUInt8(14) & 15));
  return protocol && `${protocol} ${frame.readUInt16BE(header + 2)}`;
}

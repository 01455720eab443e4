// Connects to passt's socket in place of a guest, and exchanges frames with passt.
//
// The frames have the format of QEMU's stream netdev: each follows its length in four bytes.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { decodeFrame, encodeFrame, type Ip } from "../../../harness/frames.ts";
import type { Scope } from "../../../harness/scope.ts";

const mac = "02:00:00:00:00:07";
/** passt accepts frames for any destination. */
const destination = "02:00:00:00:00:01";

export async function plugIn(scope: Scope, socket: string): Promise<Wire> {
  const connection = connect(socket);
  scope.teardown(() => connection.destroy());
  await once(connection, "connect");
  return new Wire(connection);
}

/** A connection to passt's socket. Created by {@link plugIn}. */
export class Wire {
  readonly #connection: Socket;
  readonly #listeners = new Set<(frame?: Buffer) => void>();
  #pending = Buffer.alloc(0);
  #sequence = 0;

  constructor(connection: Socket) {
    this.#connection = connection;
    connection
      // An error also closes the socket, and `close` ends every wait for a frame.
      .on("error", () => undefined)
      .on("close", () => this.#tell())
      .on("data", (data: Buffer) => this.#receive(data));
  }

  /** Closes the connection. With --one-off, passt then exits. */
  unplug(): void {
    this.#connection.destroy();
  }

  /**
   * Sends an echo request from one address to another.
   *
   * Returns whether a reply arrives within `timeout` milliseconds.
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
   * Waits for the next frame that `wanted` accepts.
   *
   * Returns undefined after `timeout` milliseconds, or when the connection closes.
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
 * Returns the protocol and the destination port of a frame, such as `tcp 80` or `udp 53`.
 *
 * Returns undefined for a frame of another protocol.
 */
export function portOf(frame: Buffer): string | undefined {
  const ipv6 = frame.readUInt16BE(12) === 0x86dd;
  if (!ipv6 && frame.readUInt16BE(12) !== 0x0800) return undefined;
  const protocol = { 6: "tcp", 17: "udp" }[frame.readUInt8(ipv6 ? 20 : 23)];
  const header = 14 + (ipv6 ? 40 : 4 * (frame.readUInt8(14) & 15));
  return protocol && `${protocol} ${frame.readUInt16BE(header + 2)}`;
}

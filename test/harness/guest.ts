// A guest at the far end of a tap: answers for its addresses, asks for others', and sees every
// frame that reaches it.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  broadcast,
  decodeFrame,
  encodeFrame,
  type Frame,
  type Ip,
  type Mac,
  type Message,
  sameIp,
  solicitedNode,
} from "./frames.ts";
import type { Namespace } from "./namespaces.ts";
import type { Scope } from "./scope.ts";

const relay = fileURLToPath(new URL("tap.py", import.meta.url));

export interface GuestOptions {
  /** Where the tap is. */
  readonly namespace: Namespace;
  readonly tap: string;
  /** The guest's NIC's. */
  readonly mac: Mac;
  /** The guest's addresses, of either family. */
  readonly ips: readonly Ip[];
  /** Tags what it sends, and hears only what is tagged so. */
  readonly vlan?: number;
  /** Whom it opens the tap as, without capabilities: virt-launcher's 107 unless told. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Opens it with IFF_MULTI_QUEUE, which must be how it was made. */
  readonly multiQueue?: boolean;
}

/**
 * Starts one. Rejects with an error whose `code` is the errno's name where the tap does not open:
 * EPERM for another's, EINVAL where the
 * number of queues is of another kind, EBUSY where somebody has it open.
 */
export async function startGuest(scope: Scope, options: GuestOptions): Promise<Guest> {
  const { uid, gid } = options.user ?? { uid: 107, gid: 107 };
  const queues = options.multiQueue ? "multi" : "single";
  const args = ["-I", relay, options.namespace.path, options.tap, `${uid}`, `${gid}`, queues];
  const child = spawn("/usr/bin/python3", args, { stdio: ["pipe", "pipe", "inherit"] });
  const guest = new Guest(options, child);
  scope.teardown(() => guest.stop());
  await guest.opened;
  return guest;
}

/** See {@link startGuest}. */
export class Guest {
  readonly mac: Mac;
  /** Every frame from the network so far, its own answers' causes included. */
  readonly heard: Frame[] = [];
  /** Settles when the tap is open. */
  readonly opened: Promise<void>;
  readonly #ips: readonly Ip[];
  readonly #vlan: number | undefined;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Set<(frame: Frame) => void>();
  #sequence = 0;

  constructor({ mac, ips, vlan, tap }: GuestOptions, child: ChildProcessByStdio<Writable, Readable, null>) {
    this.mac = mac;
    this.#ips = ips;
    this.#vlan = vlan;
    this.#child = child;
    // After its death there is nothing to write to: what matters then is what it said.
    child.stdin.on("error", () => undefined);
    const lines = createInterface(child.stdout);
    this.opened = Promise.race([once(lines, "line"), once(lines, "close")]).then(([first = "EOF"]) => {
      if (first !== "open") throw Object.assign(new Error(`${tap}: does not open (${first})`), { code: first });
      lines.on("line", (line) => this.#hear(decodeFrame(Buffer.from(line, "hex"))));
    });
  }

  /** Unplugs it: the tap loses its carrier. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.stdin.end();
    await exit;
  }

  /** Sends one frame from its MAC. */
  send(destination: Mac, message: Message): void {
    const header = { source: this.mac, destination, ...(this.#vlan !== undefined && { vlan: this.#vlan }) };
    this.#child.stdin.write(`${Buffer.from(encodeFrame(header, message)).toString("hex")}\n`);
  }

  /**
   * Asks by ARP or a neighbour solicitation who has `ip`. Resolves to the MAC that answers, or
   * undefined after `timeout` milliseconds.
   */
  async resolve(ip: Ip, timeout = 2000): Promise<Mac | undefined> {
    const from = this.#sourceFor(ip);
    const ask = (): void => {
      if (!ip.includes(":")) {
        this.send(broadcast, { is: "arpRequest", senderMac: this.mac, sender: from, target: ip });
        return;
      }
      const to = solicitedNode(ip);
      this.send(to.mac, { is: "solicitation", from, to: to.ip, target: ip, linkAddress: this.mac });
    };
    const answer = await this.#exchange(ask, timeout, ({ message }) =>
      message?.is === "arpReply"
        ? sameIp(message.sender, ip)
        : message?.is === "advertisement" && sameIp(message.target, ip),
    );
    return answer?.source;
  }

  /**
   * Pings `ip`, on the link itself or by way of `gateway`. Whether a reply came within `timeout`
   * milliseconds; `size` is the data's length.
   */
  async ping(ip: Ip, options: { gateway?: Ip; timeout?: number; size?: number } = {}): Promise<boolean> {
    const { gateway = ip, timeout = 2000, size = 56 } = options;
    const mac = await this.resolve(gateway, timeout);
    if (mac === undefined) return false;
    this.#sequence += 1;
    const sequence = this.#sequence;
    const request: Message = {
      is: "echoRequest",
      from: this.#sourceFor(ip),
      to: ip,
      id: 7,
      sequence,
      data: new Uint8Array(size),
    };
    const reply = await this.#exchange(
      () => this.send(mac, request),
      timeout,
      ({ message }) =>
        message?.is === "echoReply" &&
        message.sequence === sequence &&
        sameIp(message.from, ip) &&
        message.data.length === size,
    );
    return reply !== undefined;
  }

  /** The first frame from now on that is `wanted`, or undefined after `timeout` milliseconds. */
  async next(wanted: (frame: Frame) => boolean, timeout = 2000): Promise<Frame | undefined> {
    return await new Promise((resolve) => {
      const end = (frame?: Frame): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(frame);
      };
      const look = (frame: Frame): void => {
        if (wanted(frame)) end(frame);
      };
      const timer = setTimeout(end, timeout);
      this.#waiting.add(look);
    });
  }

  /** Asks again every 200 ms: the network may have to learn first where we are. */
  async #exchange(ask: () => void, timeout: number, wanted: (frame: Frame) => boolean): Promise<Frame | undefined> {
    const answer = this.next(wanted, timeout);
    ask();
    const again = setInterval(ask, 200);
    try {
      return await answer;
    } finally {
      clearInterval(again);
    }
  }

  #hear(frame: Frame): void {
    if (frame.vlan !== this.#vlan) return;
    this.heard.push(frame);
    this.#answer(frame);
    for (const look of [...this.#waiting]) look(frame);
  }

  #answer({ source, message }: Frame): void {
    switch (message?.is) {
      case "arpRequest":
        if (this.#has(message.target)) {
          this.send(source, { is: "arpReply", senderMac: this.mac, sender: message.target, target: message.sender });
        }
        break;
      case "solicitation":
        if (this.#has(message.target) && !sameIp(message.from, "::")) {
          const { target, from } = message;
          this.send(source, { is: "advertisement", from: target, to: from, target, linkAddress: this.mac });
        }
        break;
      case "echoRequest":
        if (this.#has(message.to))
          this.send(source, { ...message, is: "echoReply", from: message.to, to: message.from });
        break;
    }
  }

  #has(ip: Ip): boolean {
    return this.#ips.some((own) => sameIp(own, ip));
  }

  #sourceFor(destination: Ip): Ip {
    const own = this.#ips.find((ip) => ip.includes(":") === destination.includes(":"));
    if (own === undefined) throw new Error(`${destination}: the guest has no address of its family`);
    return own;
  }
}

// A guest at a tap: it answers for its addresses, resolves and pings others, and records every
// frame that it receives.
//
// tap.py opens the tap and relays frames as hex lines on its standard input and output.
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
  /** The tap's network namespace. */
  readonly namespace: Namespace;
  readonly tap: string;
  /** The MAC address of the guest's NIC. */
  readonly mac: Mac;
  /** The guest's addresses, IPv4 or IPv6. */
  readonly ips: readonly Ip[];
  /** The guest sends frames with this 802.1Q tag, and ignores frames without this tag. */
  readonly vlan?: number;
  /** The user that opens the tap, without capabilities. Default: 107, virt-launcher's. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Opens the tap with IFF_MULTI_QUEUE. The tap must have been created with it. */
  readonly multiQueue?: boolean;
}

/**
 * Starts a guest.
 *
 * @throws an error with the errno's name as `code` if the tap does not open:
 * - EPERM: the tap belongs to another user.
 * - EINVAL: `multiQueue` differs from how the tap was created.
 * - EBUSY: another process has the tap open.
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

export class Guest {
  readonly mac: Mac;
  /** Every frame received so far, including the requests that the guest answered. */
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
    // After tap.py's exit, writes fail with EPIPE. Its standard output says why it exited.
    child.stdin.on("error", () => undefined);
    const lines = createInterface(child.stdout);
    this.opened = Promise.race([once(lines, "line"), once(lines, "close")]).then(([first = "EOF"]) => {
      if (first !== "open") throw Object.assign(new Error(`${tap}: does not open (${first})`), { code: first });
      lines.on("line", (line) => this.#hear(decodeFrame(Buffer.from(line, "hex"))));
    });
  }

  /** Closes the tap, which then loses its carrier. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.stdin.end();
    await exit;
  }

  /** Sends one frame from the guest's MAC address. */
  send(destination: Mac, message: Message): void {
    const header = { source: this.mac, destination, ...(this.#vlan !== undefined && { vlan: this.#vlan }) };
    this.#child.stdin.write(`${Buffer.from(encodeFrame(header, message)).toString("hex")}\n`);
  }

  /**
   * Resolves `ip` by ARP or a neighbour solicitation. Returns undefined if no answer arrives within
   * `timeout` milliseconds.
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
   * Pings `ip` on the link, or through `gateway`. Returns whether a reply arrived within `timeout`
   * milliseconds. `size` is the length of the data.
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

  /** Waits for the first frame that is `wanted`. Returns undefined after `timeout` milliseconds. */
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

  /**
   * Repeats the request every 200 ms: switches in the network may not have learnt the guest's MAC
   * address when the first answer is sent.
   */
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

// Encodes and decodes the Ethernet frames that a test guest exchanges with the network: ARP, ICMP
// echo and neighbour discovery.

/** In lower case: `02:00:00:00:00:01`. */
export type Mac = string;
/** Dotted decimal, or IPv6 in any notation. */
export type Ip = string;

/** The payload of a frame, as far as tests need it. */
export type Message =
  | { readonly is: "arpRequest" | "arpReply"; readonly senderMac: Mac; readonly sender: Ip; readonly target: Ip }
  | {
      readonly is: "echoRequest" | "echoReply";
      readonly from: Ip;
      readonly to: Ip;
      readonly id: number;
      readonly sequence: number;
      readonly data: Uint8Array;
    }
  | {
      readonly is: "solicitation" | "advertisement";
      readonly from: Ip;
      readonly to: Ip;
      readonly target: Ip;
      readonly linkAddress?: Mac;
    };

/** A frame. `message` is undefined if its payload is none of {@link Message}. */
export interface Frame {
  readonly source: Mac;
  readonly destination: Mac;
  /** 0x0800 IPv4, 0x0806 ARP, 0x86dd IPv6. */
  readonly etherType: number;
  /** The VLAN ID of the 802.1Q tag. Undefined for an untagged frame. */
  readonly vlan?: number;
  readonly message?: Message;
}

export const broadcast: Mac = "ff:ff:ff:ff:ff:ff";

const arp = 0x0806;
const ipv4 = 0x0800;
const ipv6 = 0x86dd;
const dot1q = 0x8100;
const icmp = 1;
const icmpv6 = 58;

/** Returns the bytes of a frame that carries `message`. */
export function encodeFrame(header: { source: Mac; destination: Mac; vlan?: number }, message: Message): Uint8Array {
  const tag = header.vlan === undefined ? [] : [...u16(dot1q), ...u16(header.vlan)];
  const [etherType, payload] = encodeMessage(message);
  return Uint8Array.from([
    ...macBytes(header.destination),
    ...macBytes(header.source),
    ...tag,
    ...u16(etherType),
    ...payload,
  ]);
}

/** Decodes a frame. @throws RangeError if the frame is truncated. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tagged = view.getUint16(12) === dot1q;
  const etherType = view.getUint16(tagged ? 16 : 12);
  const message = decodeMessage(etherType, bytes.subarray(tagged ? 18 : 14));
  return {
    destination: macText(bytes.subarray(0, 6)),
    source: macText(bytes.subarray(6, 12)),
    etherType,
    ...(tagged && { vlan: view.getUint16(14) & 0xfff }),
    ...(message && { message }),
  };
}

/**
 * Returns the multicast address on which the node with address `target` listens, and its MAC
 * address: `ff02::1:ffXX:XXXX` (RFC 4291, 2.7.1).
 */
export function solicitedNode(target: Ip): { ip: Ip; mac: Mac } {
  const last = ipBytes(target).subarray(13);
  return {
    ip: ipText(Uint8Array.from([0xff, 2, ...new Array<number>(9).fill(0), 1, 0xff, ...last])),
    mac: macText(Uint8Array.from([0x33, 0x33, 0xff, ...last])),
  };
}

/** Returns whether two texts are the same address, such as `fd00::1` and `FD00:0::1`. */
export function sameIp(a: Ip, b: Ip): boolean {
  return ipText(ipBytes(a)) === ipText(ipBytes(b));
}

function encodeMessage(message: Message): [etherType: number, payload: number[]] {
  switch (message.is) {
    case "arpRequest":
    case "arpReply": {
      const reply = message.is === "arpReply";
      const { senderMac, sender, target } = message;
      // The target MAC address is zero in replies too: no receiver checks it.
      const parties = [
        ...macBytes(senderMac),
        ...ipBytes(sender),
        ...macBytes("00:00:00:00:00:00"),
        ...ipBytes(target),
      ];
      return [arp, [...u16(1), ...u16(ipv4), 6, 4, ...u16(reply ? 2 : 1), ...parties]];
    }
    case "echoRequest":
    case "echoReply": {
      const { from, to, id, sequence, data } = message;
      const reply = message.is === "echoReply";
      const rest = [...u16(id), ...u16(sequence), ...data];
      if (to.includes(":")) return [ipv6, ipv6Packet(from, to, [reply ? 129 : 128, 0, 0, 0, ...rest])];
      return [ipv4, ipv4Packet(from, to, [reply ? 0 : 8, 0, 0, 0, ...rest])];
    }
    case "solicitation":
    case "advertisement": {
      const { from, to, target, linkAddress } = message;
      const advertisement = message.is === "advertisement";
      // Solicited, override (RFC 4861, 4.4).
      const flags = advertisement ? [0x60, 0, 0, 0] : [0, 0, 0, 0];
      const option = linkAddress === undefined ? [] : [advertisement ? 2 : 1, 1, ...macBytes(linkAddress)];
      return [
        ipv6,
        ipv6Packet(from, to, [advertisement ? 136 : 135, 0, 0, 0, ...flags, ...ipBytes(target), ...option]),
      ];
    }
  }
}

function decodeMessage(etherType: number, payload: Uint8Array): Message | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (etherType === arp) {
    const operation = view.getUint16(6);
    if (operation !== 1 && operation !== 2) return undefined;
    return {
      is: operation === 1 ? "arpRequest" : "arpReply",
      senderMac: macText(payload.subarray(8, 14)),
      sender: ipText(payload.subarray(14, 18)),
      target: ipText(payload.subarray(24, 28)),
    };
  }
  if (etherType === ipv4 && view.getUint8(9) === icmp) {
    const header = (view.getUint8(0) & 15) * 4;
    const body = payload.subarray(header, view.getUint16(2));
    return decodeIcmp(ipText(payload.subarray(12, 16)), ipText(payload.subarray(16, 20)), body);
  }
  if (etherType === ipv6 && view.getUint8(6) === icmpv6) {
    const body = payload.subarray(40, 40 + view.getUint16(4));
    return decodeIcmp(ipText(payload.subarray(8, 24)), ipText(payload.subarray(24, 40)), body);
  }
  return undefined;
}

function decodeIcmp(from: Ip, to: Ip, body: Uint8Array): Message | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const type = view.getUint8(0);
  const six = from.includes(":");
  if (type === (six ? 128 : 8) || type === (six ? 129 : 0)) {
    const is = type === (six ? 128 : 8) ? "echoRequest" : "echoReply";
    return { is, from, to, id: view.getUint16(4), sequence: view.getUint16(6), data: body.slice(8) };
  }
  if (six && (type === 135 || type === 136)) {
    const option =
      body.length >= 32 && view.getUint8(24) === (type === 135 ? 1 : 2) ? macText(body.subarray(26, 32)) : undefined;
    const is = type === 135 ? "solicitation" : "advertisement";
    return { is, from, to, target: ipText(body.subarray(8, 24)), ...(option !== undefined && { linkAddress: option }) };
  }
  return undefined;
}

function ipv4Packet(from: Ip, to: Ip, body: number[]): number[] {
  const header = [0x45, 0, ...u16(20 + body.length), 0, 0, 0, 0, 64, icmp, 0, 0, ...ipBytes(from), ...ipBytes(to)];
  return [...withChecksum(header, 10, []), ...withChecksum(body, 2, [])];
}

function ipv6Packet(from: Ip, to: Ip, body: number[]): number[] {
  const addresses = [...ipBytes(from), ...ipBytes(to)];
  // Neighbour discovery is valid with hop limit 255 only (RFC 4861, 7.1).
  const header = [0x60, 0, 0, 0, ...u16(body.length), icmpv6, 255, ...addresses];
  return [...header, ...withChecksum(body, 2, [...addresses, 0, 0, ...u16(body.length), 0, 0, 0, icmpv6])];
}

/**
 * Returns `bytes` with the Internet checksum (RFC 1071) of `pseudoHeader` and `bytes` at `offset`.
 * The two bytes at `offset` must be zero.
 */
function withChecksum(bytes: number[], offset: number, pseudoHeader: number[]): number[] {
  const padded = [...pseudoHeader, ...bytes, ...(bytes.length % 2 === 1 ? [0] : [])];
  let sum = 0;
  for (let index = 0; index < padded.length; index += 2) sum += padded[index]! * 256 + padded[index + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return bytes.toSpliced(offset, 2, ...u16(~sum & 0xffff));
}

function u16(value: number): [number, number] {
  return [value >> 8, value & 255];
}

function macBytes(mac: Mac): number[] {
  return mac.split(":").map((digits) => Number.parseInt(digits, 16));
}

function macText(bytes: Uint8Array): Mac {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function ipBytes(ip: Ip): Uint8Array {
  if (!ip.includes(":")) return Uint8Array.from(ip.split("."), Number);
  const [head, tail] = ip
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":").map((digits) => Number.parseInt(digits, 16))));
  const zeros = tail === undefined ? [] : new Array<number>(8 - head!.length - tail.length).fill(0);
  return Uint8Array.from([...head!, ...zeros, ...(tail ?? [])].flatMap(u16));
}

/** Returns dotted decimal, or eight groups in hex: `fd00:0:0:0:0:0:0:1`. */
function ipText(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return bytes.join(".");
  return Array.from({ length: 8 }, (_, index) => (bytes[index * 2]! * 256 + bytes[index * 2 + 1]!).toString(16)).join(
    ":",
  );
}

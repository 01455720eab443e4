// Compares our codec for VFs with `ip` and igb, as captures/capture-vfs.py recorded them.
import { readFileSync } from "node:fs";
import t from "tap";
import { Netlink } from "../../../lib/netlink/client.ts";
import { NetlinkError } from "../../../lib/netlink/errors.ts";
import { type VfInfo, type VfLinkMessage, vfLink } from "../../../lib/netlink/route/vf.ts";
import { reader } from "../../../lib/netlink/wire.ts";
import { fc } from "../../harness/fast-check.ts";
import { decode, encode, hexOf, payloads, type Shown } from "./captures.ts";

interface VfCapture {
  readonly states: Readonly<Record<string, { readonly datagram: string; readonly shown: Shown }>>;
  readonly requests: Readonly<Record<string, string>>;
  readonly refusals: Readonly<Record<string, { readonly request: string; readonly answer: string }>>;
}

const capture: VfCapture = JSON.parse(readFileSync(new URL("captures/vfs-6.1.json", import.meta.url), "utf8"));

function payloadOf(state: string): Uint8Array {
  return Uint8Array.from(payloads([capture.states[state]!.datagram])[0]!);
}

const full = "seven VFs, all kinds of settings";

for (const [name, { datagram, shown }] of Object.entries(capture.states)) {
  t.test(`a link with ${name} is decoded as ip prints it`, async (t) => {
    const message = decode(vfLink, payloads([datagram])[0]!);
    const rows: Shown[] = shown.vfinfo_list;
    t.match(message, { name: shown.ifname, mtu: shown.mtu, index: shown.ifindex, vfs: shown.num_vf ?? rows.length });
    t.strictSame(
      message.vfList?.list?.map(shownAs) ?? [],
      rows.map(({ vf, address, vlan_list, rate, spoofchk, link_state, trust }) => {
        const { vlan = 0, qos = 0, protocol = "802.1Q" } = vlan_list[0];
        return { vf, address, vlan, qos, protocol, rate, spoofchk, link_state, trust };
      }),
    );
  });
}

/**
 * Returns a VF as `ip` prints it.
 *
 * @throws If the VF's attributes do not all have the same VF number.
 */
function shownAs({ mac, vlans, rate, spoofCheck, trust, linkState }: VfInfo): Shown {
  const vlan = vlans!.vlan!;
  const numbers = new Set([mac, vlan, rate, spoofCheck, trust, linkState].map((one) => one!.vf));
  if (numbers.size !== 1) throw new Error(`one VF with the numbers ${[...numbers].join(", ")}`);
  return {
    vf: mac!.vf,
    address: mac!.mac,
    vlan: vlan.vlan,
    qos: vlan.qos,
    protocol: vlan.protocol === 0x8100 ? "802.1Q" : vlan.protocol,
    rate: { max_tx: rate!.most, min_tx: rate!.least },
    spoofchk: spoofCheck!.setting === 1,
    link_state: ["auto", "enable", "disable"][linkState!.setting],
    trust: trust!.setting === 1,
  };
}

/** The setting that each command requests. */
const asked: Readonly<Record<string, VfInfo>> = {
  "ip link set eth0 vf 0 mac 02:00:00:00:00:10": { mac: { vf: 0, mac: "02:00:00:00:00:10" } },
  "ip link set eth0 vf 0 mac 00:00:00:00:00:00": { mac: { vf: 0, mac: "00:00:00:00:00:00" } },
  "ip link set eth0 vf 2 max_tx_rate 100": { rate: { vf: 2, least: 0, most: 100 } },
  "ip link set eth0 vf 2 max_tx_rate 0": { rate: { vf: 2, least: 0, most: 0 } },
  "ip link set eth0 vf 3 spoofchk off": { spoofCheck: { vf: 3, setting: 0 } },
  "ip link set eth0 vf 3 spoofchk on": { spoofCheck: { vf: 3, setting: 1 } },
  "ip link set eth0 vf 4 trust on": { trust: { vf: 4, setting: 1 } },
  "ip link set eth0 vf 4 trust off": { trust: { vf: 4, setting: 0 } },
  "ip link set eth0 vf 0 vlan 100 proto 802.1ad": {
    vlans: { vlan: { vf: 0, vlan: 100, qos: 0, protocol: 0x88a8 } },
  },
  "ip link set eth0 vf 0 state enable": { linkState: { vf: 0, setting: 1 } },
  "ip link set eth0 vf 0 state disable": { linkState: { vf: 0, setting: 2 } },
  "ip link set eth0 vf 0 state auto": { linkState: { vf: 0, setting: 0 } },
  "ip link set eth0 vf 0 min_tx_rate 10 max_tx_rate 100": { rate: { vf: 0, least: 10, most: 100 } },
};

t.test("a VF's setting is encoded to the same bytes as ip's", async (t) => {
  for (const [command, setting] of Object.entries(asked)) {
    const request = Buffer.from(capture.requests[command] ?? capture.refusals[command]!.request, "hex");
    const sent = encode(vfLink, { index: request.readInt32LE(20), vfList: { list: [setting] } });
    t.equal(unflagged(sent), unflagged(request.subarray(16)), command);
  }
});

/** Clears NLA_F_NESTED: iproute2 omits it, because the kernel does not require it here. */
function unflagged(message: Uint8Array): string {
  const bytes = Buffer.from(message);
  for (let at = 16; at + 4 <= bytes.length && at < 32; at += 4)
    if ((bytes.readUInt16LE(at + 2) & 0x8000) !== 0) bytes.writeUInt16LE(bytes.readUInt16LE(at + 2) & 0x3fff, at + 2);
  return hexOf(bytes);
}

t.test("a VLAN is encoded with its protocol in network byte order", async (t) => {
  const vlan = { vf: 1, vlan: 100, qos: 3, protocol: 0x8100 };
  t.equal(
    unflagged(encode(vfLink, { index: 2, vfList: { list: [{ vlans: { vlan } }] } })).slice(32),
    "200016001c00010018000c001400010001000000640000000300000081000000",
  );
});

t.test("text that is not an Ethernet address is refused", async (t) => {
  for (const mac of ["", "02:00:00:00:00", "02:00:00:00:00:00:01", "nonsense"])
    t.throws(() => encode(vfLink, { index: 2, vfList: { list: [{ mac: { vf: 0, mac } }] } }), { code: "EINVAL" }, mac);
});

t.test("a refusal by igb is thrown with its code", async (t) => {
  const codes: Record<string, string> = {
    "ip link set eth0 vf 0 vlan 100 proto 802.1ad": "EPROTONOSUPPORT",
    "ip link set eth0 vf 0 state enable": "EOPNOTSUPP",
    "ip link set eth0 vf 0 min_tx_rate 10 max_tx_rate 100": "EINVAL",
    "ip link set eth0 vf 0 max_tx_rate 4000000": "EINVAL",
    "ip link set eth0 vf 9 vlan 1": "EINVAL",
  };
  for (const [command, code] of Object.entries(codes)) {
    const answer = Buffer.from(capture.refusals[command]!.answer, "hex");
    answer.writeUInt32LE(1, 8);
    t.throws(() => clientOf(answer).set(vfLink, { index: 2 }, "eth0 VF 0"), { name: "NetlinkError", code }, command);
  }
});

// ---- long lists and malformed lists

/** Returns a PF like the captured one, with `count` VFs. */
function pfWith(count: number): VfLinkMessage {
  const { vfList, ...link } = decode(vfLink, payloadOf(full));
  const [one] = vfList!.list!;
  const list = Array.from({ length: count }, (_, vf): VfInfo => {
    const mac = `02:00:00:00:${hex(vf >> 8)}:${hex(vf & 255)}`;
    return renumbered({ ...one!, mac: { vf, mac } }, vf);
  });
  return { ...link, vfs: count, vfList: { list } };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function renumbered({ mac, vlans, rate, spoofCheck, trust, linkState }: VfInfo, vf: number): VfInfo {
  return {
    mac: mac!,
    vlans: { vlan: { ...vlans!.vlan!, vf, vlan: vf % 4095 } },
    rate: { ...rate!, vf },
    spoofCheck: { ...spoofCheck!, vf },
    trust: { ...trust!, vf },
    linkState: { ...linkState!, vf },
  };
}

for (const count of [64, 128, 256]) {
  t.test(`a list of ${count} VFs is decoded whole`, async (t) => {
    const link = pfWith(count);
    const read = decode(vfLink, encode(vfLink, link));
    t.strictSame(read.vfList, link.vfList);
    t.equal(read.vfList!.list!.at(-1)!.mac!.vf, count - 1);
  });
}

t.test("a list of VFs with a wrapped length is refused or cut, and mixes up no VFs", async (t) => {
  // The length has 16 bits and wraps round in the kernel if there are more VFs than fit.
  const link = pfWith(200);
  const bytes = encode(vfLink, link);
  const at = Buffer.from(bytes).indexOf(Buffer.from([0x16, 0x80])) - 2;
  const length = Buffer.from(bytes).readUInt16LE(at);
  let refused = 0;
  for (let wrapped = 4; wrapped < length; wrapped += 4) {
    const damaged = Buffer.from(bytes);
    damaged.writeUInt16LE(wrapped, at);
    const found = outcome(() => decode(vfLink, damaged));
    if (found instanceof NetlinkError) refused += Number(found.code === "EBADMSG");
    else
      for (const { mac, vlans, trust } of found.vfList?.list ?? [])
        if (mac !== undefined && vlans?.vlan !== undefined && trust !== undefined && vlans.vlan.vf !== mac.vf)
          t.fail(`length ${wrapped}`);
  }
  t.ok(refused > (length / 4) * 0.9, `${refused} of ${length / 4}`);
});

function outcome<T>(call: () => T): T | NetlinkError {
  try {
    return call();
  } catch (failure) {
    if (failure instanceof NetlinkError) return failure;
    throw failure;
  }
}

/** Decodes bytes between two fillings and returns the outcome, or a report if it differs. */
function read(bytes: Uint8Array): string {
  const [one, other] = [0x00, 0xff].map((filling) => {
    const room = new Uint8Array(bytes.length + 128).fill(filling);
    room.set(bytes, 64);
    const found = outcome(() => vfLink.decode(reader(room), 64, 64 + bytes.length));
    return found instanceof NetlinkError ? found.code : JSON.stringify(found);
  });
  return one === other ? one! : `depends on what follows: ${one} or ${other}`;
}

t.test("a truncated list is refused as EBADMSG or decoded up to its last whole attribute", async (t) => {
  const bytes = payloadOf(full);
  const found = new Set<string>();
  for (let length = 0; length < bytes.length; length++) {
    const told = read(bytes.slice(0, length));
    found.add(told.startsWith("{") ? "a value" : told);
  }
  t.strictSame([...found].sort(), ["EBADMSG", "a value"]);
});

t.test("a VF's attribute of a wrong length is refused as EBADMSG", async (t) => {
  const bytes = Buffer.from(payloadOf(full));
  // The headers of IFLA_VF_SPOOFCHK, _RATE and _TRUST of VF 0 and of IFLA_VF_VLAN_INFO.
  // Second: the same header with a length of one word less.
  for (const [header, shorter] of [
    ["0c000400", "08000400"],
    ["10000600", "0c000600"],
    ["0c000900", "08000900"],
    ["14000100", "10000100"],
  ] as const) {
    const at = bytes.indexOf(Buffer.from(header, "hex"), bytes.indexOf(Buffer.from("28000100", "hex")));
    const damaged = Uint8Array.from(bytes);
    damaged.set(Buffer.from(shorter, "hex"), at);
    t.equal(read(damaged), "EBADMSG", header);
  }
});

t.test("a truncated MAC address is refused as EBADMSG", async (t) => {
  // IFLA_VFINFO_LIST > IFLA_VF_INFO > IFLA_VF_MAC with only the VF's index.
  const cutOff = Buffer.from("100016800c0001800800010000000000", "hex");
  t.equal(read(Uint8Array.from([...new Uint8Array(16), ...cutOff])), "EBADMSG");
});

t.test("decoding a damaged list returns a value or throws EBADMSG and reads only the list", async () => {
  const bytes = payloadOf(full);
  const writes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.constantFrom(0, 1, 3, 4, 5, 8, 12, 40, 0x80, 0xff)), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(writes, (list) => {
      const damaged = bytes.slice();
      for (const [at, byte] of list) damaged[at] = byte;
      const found = read(damaged);
      return found.startsWith("{") || found === "EBADMSG";
    }),
    { numRuns: 3000 },
  );
});

/** Creates a client that receives only this answer. */
function clientOf(answer: Uint8Array): Netlink {
  const left = [Uint8Array.from(answer)];
  return new Netlink({
    send: () => undefined,
    receive: () => left.shift() ?? t.fail("waits for more"),
    close: () => undefined,
  } as never);
}

// The rtnetlink of a node in memory: links by name, a PF's VFs and their settings, with igb's
// answers.
import { vfLink } from "../../../lib/netlink/route/vf.ts";
import { reader, writer } from "../../../lib/netlink/wire.ts";
import { type MemoryPci, type NetLink, noMac, type VfTable } from "./memory-pci.ts";

/** Errnos. */
const errnos = { noDevice: 19, exists: 17, busy: 16, invalid: 22, noProtocol: 93, notSupported: 95 } as const;
/** IFLA_VF_*. */
export const vfSetting = { mac: 1, spoofCheck: 4, linkState: 5, rate: 6, trust: 9, vlans: 12 } as const;
/** What a link of 1 Gbit/s can send, in Mbit/s. */
const speed = 1000;

type Body = ReturnType<typeof vfLink.decode>;
type Setting = NonNullable<NonNullable<Body["vfList"]>["list"]>[number];

/** The part of a node that answers. */
interface Answering {
  readonly pci: MemoryPci;
  /** Links that are down although they are set up. */
  readonly down: ReadonlySet<string>;
  /** The errno for each IFLA_VF_* that is refused. */
  readonly refusals: ReadonlyMap<number, number>;
  readonly isMacForEver: boolean;
}

/**
 * The kernel's answer to a request. `deed` is told of each that would change something, and may
 * throw.
 */
export function answerTo(node: Answering, datagram: Uint8Array, deed: (words: string) => void): Uint8Array {
  const request = Buffer.from(datagram);
  const type = request.readUInt16LE(4);
  const body = vfLink.decode(reader(datagram.slice()), 16, datagram.length);
  if (type === 18) {
    const found = told(node, body);
    return found === undefined ? acknowledged(request, errnos.noDevice) : found(request);
  }
  deed(`set ${JSON.stringify(body, (key, value) => (["family", "type", "index"].includes(key) ? undefined : value))}`);
  return acknowledged(request, changed(node, body));
}

/** RTM_GETLINK: gives what makes the answer; undefined where there is no such link. */
function told(node: Answering, { name, extMask = 0 }: Body): ((request: Buffer) => Uint8Array) | undefined {
  const link = node.pci.links.find((one) => one.name === name && one.netns === undefined);
  if (link === undefined) return undefined;
  const rows = node.pci.vfs.get(link.device);
  const list = rows?.map((row, vf) => infoOf(vf, row));
  return (request) => {
    const to = writer();
    to.length = 16;
    vfLink.encode(to, {
      index: link.index,
      type: 1,
      flags: isUp(node, link) ? 1 : 0,
      name: link.name,
      mtu: 1500,
      ...(rows !== undefined && { vfs: rows.length }),
      ...((extMask & 1) !== 0 && list !== undefined && { vfList: { list } }),
    });
    return datagramOf(16, request, to.bytes.slice(16, to.length));
  };
}

function isUp(node: Answering, { name, up }: NetLink): boolean {
  return up && !node.down.has(name);
}

function infoOf(vf: number, row: VfTable): Setting {
  const { mac, vlan, qos, protocol, least, most, spoofCheck, trust, linkState } = row;
  return {
    mac: { vf, mac },
    vlans: { vlan: { vf, vlan, qos, protocol } },
    rate: { vf, least, most },
    linkState: { vf, setting: linkState },
    spoofCheck: { vf, setting: spoofCheck },
    trust: { vf, setting: trust },
  };
}

/** RTM_SETLINK: the errno, or 0. */
function changed(node: Answering, { index, name, flags, change, vfList }: Body): number {
  const link = node.pci.links.find((one) => one.index === index);
  if (link === undefined) return errnos.noDevice;
  if ((change & 1) !== 0) link.up = (flags & 1) !== 0;
  if (name !== undefined) {
    if (link.up) return errnos.busy;
    if (node.pci.links.some((one) => one.name === name)) return errnos.exists;
    node.pci.rename(link.name, name);
  }
  for (const setting of vfList?.list ?? []) {
    const errno = configured(node, link, setting);
    if (errno !== 0) return errno;
  }
  return 0;
}

function configured(
  node: Answering,
  link: NetLink,
  { mac, vlans, rate, spoofCheck, trust, linkState }: Setting,
): number {
  const vlan = vlans?.vlan;
  const { vf } = (mac ?? vlan ?? rate ?? spoofCheck ?? trust ?? linkState)!;
  const row = node.pci.vfs.get(link.device)?.[vf];
  if (row === undefined) return errnos.invalid;
  for (const [setting, value] of Object.entries({ mac, vlans, rate, spoofCheck, trust, linkState })) {
    const errno = node.refusals.get(vfSetting[setting as keyof typeof vfSetting]);
    if (value !== undefined && errno !== undefined) return errno;
  }
  if (mac !== undefined) {
    if (/^.[13579bdf]/.test(mac.mac) || (node.isMacForEver && mac.mac === noMac)) return errnos.invalid;
    row.mac = mac.mac;
    row.isAdministrative = mac.mac !== noMac;
  }
  if (vlan !== undefined) {
    if (vlan.vlan > 4095 || vlan.qos > 7) return errnos.invalid;
    if (vlan.protocol !== 0x8100) return errnos.noProtocol;
    Object.assign(row, { vlan: vlan.vlan, qos: vlan.qos });
  }
  if (rate !== undefined) {
    if (rate.least > 0 || rate.most > speed || !isUp(node, link)) return errnos.invalid;
    Object.assign(row, { least: rate.least, most: rate.most });
  }
  if (spoofCheck !== undefined) row.spoofCheck = spoofCheck.setting;
  if (trust !== undefined) row.trust = trust.setting;
  return linkState === undefined ? 0 : errnos.notSupported;
}

/** NLMSG_ERROR, capped. */
function acknowledged(request: Buffer, errno: number): Uint8Array {
  const payload = Buffer.alloc(20);
  payload.writeInt32LE(-errno);
  request.copy(payload, 4, 0, 16);
  return datagramOf(2, request, payload, 0x100);
}

function datagramOf(type: number, request: Buffer, payload: Uint8Array, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, request.readUInt32LE(8), true);
  view.setUint32(12, 4242, true);
  bytes.set(payload, 16);
  return bytes;
}

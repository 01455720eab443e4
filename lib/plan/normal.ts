// Spells the addresses and neighbours of a plan as the kernel reports them, so that what ADD adds
// is what CHECK and DEL find. Throws a FactError for what the kernel would refuse, ignore or not
// report.
import { networkOf, parseIp } from "../net/ip.ts";
import { families } from "../netlink/message.ts";
import { addressFlags } from "../netlink/route/address.ts";
import { neighborFlags, neighborStates } from "../netlink/route/neighbor.ts";
import { addressText } from "./address.ts";
import { Fields } from "./refuse.ts";
import type { Address, Neighbor } from "./state.ts";
import { neighborText } from "./words.ts";

/** RT_SCOPE_* of <linux/rtnetlink.h>. */
const scopes = { universe: 0, site: 200, link: 253, host: 254 } as const;

/** The flags that the creator of an address chose; the others are the kernel's findings. */
export const chosenFlags =
  addressFlags.noDad |
  addressFlags.homeAddress |
  addressFlags.manageTemporary |
  addressFlags.noPrefixRoute |
  addressFlags.multicastAutoJoin;

/** @param link the name of the link */
export function normalAddress(link: string, address: Address): Address {
  const { message } = address;
  const { family, prefixLength, flags, lifetime } = message;
  const fields = new Fields(`${link}: address ${addressText(address)}`, family);
  fields.upTo(fields.isIpv6 ? 128 : 32, "prefixLength", prefixLength);
  const local = fields.ip(message.local === undefined ? "address" : "local", message.local ?? message.address);
  const peer = message.address === undefined ? local : fields.ip("address", message.address);
  checkLocal(fields, local, flags);
  fields.upTo(0xff, "scope", message.scope);
  if (lifetime !== undefined && (lifetime.valid === 0 || lifetime.preferred > lifetime.valid))
    fields.refuse("lifetime", lifetime, "preferred of at most valid, and valid of at least 1");
  const normal = {
    ...message,
    local,
    address: peer,
    flags: flags & chosenFlags,
    scope: fields.isIpv6 ? ipv6Scope(local) : message.scope,
  };
  return { ...address, message: normal, prefixRoute: address.prefixRoute || !wantsPrefixRoute(normal) };
}

/**
 * Whether the kernel adds a route to the address' network by itself (fib_add_ifaddr,
 * addrconf_prefix_route).
 */
export function wantsPrefixRoute({ family, flags, prefixLength, local, address }: Address["message"]): boolean {
  if ((flags & addressFlags.noPrefixRoute) !== 0) return false;
  if (family === families.ipv6) return true;
  const isHost = prefixLength === 32 && (address ?? local) === local;
  // ipv4_is_zeronet.
  const isZero = networkOf(address ?? local ?? "", prefixLength).startsWith("0.");
  return !isHost && !isZero && (flags & addressFlags.secondary) === 0;
}

/** As inet_rtm_newaddr and ipv6_add_addr. */
function checkLocal(fields: Fields, local: string, flags: number): void {
  const bytes = parseIp(local)!;
  if (bytes.every((byte) => byte === 0)) fields.refuse("local", local, "the address of a host");
  const isJoined = (flags & addressFlags.multicastAutoJoin) !== 0;
  if (fields.isIpv6 && bytes[0] === 0xff && !isJoined) fields.refuse("local", local, "the address of a host");
}

/** As net/ipv6/addrconf_core.c (__ipv6_addr_type) has it. */
function ipv6Scope(text: string): number {
  if (text === "::1") return scopes.host;
  const [first, second] = parseIp(text) as [number, number];
  // A multicast address contains its scope: 1 interface, 2 link, 5 site (RFC 4291 section 2.7).
  if (first === 0xff) return { 1: scopes.host, 2: scopes.link, 5: scopes.site }[second & 0xf] ?? scopes.universe;
  if (first !== 0xfe || second < 0x80) return scopes.universe;
  return second < 0xc0 ? scopes.link : scopes.site;
}

/** @param link the name of the link */
export function normalNeighbor(link: string, neighbor: Neighbor): Neighbor {
  const { flags, state, vlan, port, vni, ifindex, master, extendedFlags, rest } = neighbor;
  const fields = new Fields(`${link}: neighbor ${neighborText(neighbor)}`, neighbor.family);
  const destination = fields.ip("destination", neighbor.destination);
  fields.oneOf("flags", flags, 0, neighborFlags.proxy, ...(fields.isIpv6 ? [neighborFlags.router] : []));
  fields.without({ vlan, port, vni, ifindex, master, extendedFlags, rest });
  const { mac: _, ...others } = neighbor;
  // A proxy entry has neither (pneigh_fill_info).
  if (flags === neighborFlags.proxy) return { ...others, destination, state: 0 };
  fields.oneOf("state", state, neighborStates.permanent, neighborStates.noArp);
  return { ...others, destination, mac: normalMacOf(fields, neighbor.mac) };
}

function normalMacOf(fields: Fields, mac: string | undefined): string {
  if (mac === undefined || !/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac))
    return fields.refuse("mac", mac, "a MAC address such as 02:00:00:00:00:01");
  return mac.toLowerCase().replaceAll("-", ":");
}

// Settles the addresses, routes and neighbours of one link, as settle.ts does for the link.
import { FactError } from "../fact.ts";
import { families } from "../netlink/message.ts";
import { addressText, networkText } from "./address.ts";
import { addressIdentity, addressKey, neighborIdentity, neighborKey, routeIdentity, routeKey } from "./keys.ts";
import { normalAddress, normalNeighbor, wantsPrefixRoute } from "./normal.ts";
import { normalRoute, type RouteLink } from "./normal-route.ts";
import type { Address, KernelRoute, LinkSettings } from "./state.ts";
import { neighborText, routeText } from "./words.ts";

/** IPV6_MIN_MTU: with less, a link has no IPv6 (addrconf_notify). */
const leastIpv6Mtu = 1280;

type Objects = Pick<LinkSettings, "addresses" | "routes" | "neighbors">;

/** One list of a plan, and what was observed. */
interface Lists<T> {
  readonly from: readonly T[];
  readonly to: readonly T[];
  readonly observed: readonly T[];
}

/** How the objects of one kind are compared. */
interface ObjectKind<T> {
  /** The name of the link. */
  readonly name: string;
  readonly text: (one: T) => string;
  readonly key: (one: T) => string;
  readonly normal: (one: T) => T;
  /** Two objects of the same identity exclude each other. */
  readonly identity: (one: T) => string;
}

/**
 * Returns the lists in the kernel's spelling. What is observed and should stay is in both: DEL must
 * not remove it.
 *
 * @param routes all routes of the namespace that stay
 */
export function settledObjects(
  link: RouteLink,
  { from, to, observed }: { readonly from: Objects; readonly to: Objects; readonly observed: Objects },
  routes: readonly KernelRoute[],
): { from: Objects; to: Objects } {
  const { name, index } = link;
  const addresses = settledList<Address>(
    {
      name,
      text: (one) => `address ${addressText(one)}`,
      key: addressKey,
      normal: (one) => normalAddress(name, one),
      identity: addressIdentity,
    },
    { from: from.addresses, to: to.addresses, observed: observed.addresses },
  );
  for (const added of addresses.added) checkPrefixRoute(name, added, [...addresses.to, ...addresses.staying]);
  const kernelRoutes = settledList<KernelRoute>(
    {
      name,
      text: (one) => `route ${routeText(one)}`,
      key: (one) => routeKey(one, index),
      normal: (one) => normalRoute(link, one),
      identity: routeIdentity,
    },
    { from: from.routes, to: to.routes, observed: observed.routes },
    routes,
  );
  const neighbors = settledList(
    {
      name,
      text: (one) => `neighbor ${neighborText(one)}`,
      key: neighborKey,
      normal: (one) => normalNeighbor(name, one),
      identity: neighborIdentity,
    },
    { from: from.neighbors, to: to.neighbors, observed: observed.neighbors },
  );
  return {
    from: { addresses: addresses.from, routes: kernelRoutes.from, neighbors: neighbors.from },
    to: { addresses: addresses.to, routes: kernelRoutes.to, neighbors: neighbors.to },
  };
}

interface Settled<T> {
  readonly from: readonly T[];
  readonly to: readonly T[];
  readonly added: readonly T[];
  readonly staying: readonly T[];
}

/** @param elsewhere objects that exclude others too, although they are not of this link */
function settledList<T extends object>(kind: ObjectKind<T>, lists: Lists<T>, elsewhere: readonly T[] = []): Settled<T> {
  const { observed } = lists;
  // The usual case: all was observed. There may be thousands.
  const known = new Set(observed);
  const isObserved = (one: T): boolean => known.has(one);
  if (lists.to.every(isObserved) && lists.from.every(isObserved))
    return { from: [...new Set([...lists.from, ...lists.to])], to: lists.to, added: [], staying: [] };
  const present = new Map(observed.map((one) => [kind.key(one), one]));
  const find = (one: T): T | undefined => (isObserved(one) ? one : present.get(kind.key(kind.normal(one))));
  const from = lists.from.map((one) => {
    const found = find(one);
    if (found === undefined)
      throw new FactError(`${kind.name}: ${kind.text(one)}`, "is in the plan's from, but was not observed");
    return found;
  });
  const to = lists.to.map((one) => find(one) ?? kind.normal(one));
  const kept = new Set(to);
  const leaving = new Set(from.filter((one) => !kept.has(one)));
  const staying = observed.filter((one) => !leaving.has(one));
  const added = to.filter((one) => !isObserved(one));
  refuseConflicts(kind, added, [...staying, ...elsewhere.filter((one) => !leaving.has(one))]);
  return { from: [...new Set([...from, ...to.filter(isObserved)])], to, added, staying };
}

function refuseConflicts<T extends object>(
  { name, text, identity }: ObjectKind<T>,
  added: readonly T[],
  others: readonly T[],
): void {
  const known = new Map(others.map((one) => [identity(one), one]));
  for (const one of added) {
    const other = known.get(identity(one));
    if (other !== undefined)
      throw new FactError(`${name}: ${text(one)}`, `the kernel cannot have it next to ${text(other)}; remove one`);
    known.set(identity(one), one);
  }
}

/**
 * Two addresses of a network share the kernel's route to it: without the route of one, the other
 * address has none either.
 */
function checkPrefixRoute(name: string, added: Address, others: readonly Address[]): void {
  const { message, prefixRoute } = added;
  if (!wantsPrefixRoute(message)) return;
  const rival = others.find(
    (other) =>
      other !== added &&
      other.prefixRoute !== prefixRoute &&
      networkText(other) === networkText(added) &&
      wantsPrefixRoute(other.message),
  );
  // A second IPv4 address of a network gets no route.
  if (rival === undefined || (prefixRoute && message.family === families.ipv4)) return;
  throw new FactError(
    `${name}: address ${addressText(added)}`,
    `prefixRoute is ${prefixRoute}, expected ${rival.prefixRoute}, as that of ${addressText(rival)} in the same network`,
  );
}

/** Refuses what the kernel removes from a link with these settings, or does not add to it. */
export function checkLink({ name, index }: RouteLink, link: LinkSettings): void {
  if (link.ipv6Mtu !== undefined && link.ipv6Mtu > link.mtu)
    throw new FactError(name, `ipv6Mtu is ${link.ipv6Mtu}, expected at most ${link.mtu}, the link's MTU`);
  const hasIpv6 = link.ipv6 !== false && link.mtu >= leastIpv6Mtu;
  const remedy = "leave it out of the plan's to";
  const reason = link.ipv6 === false ? "IPv6 is off" : `IPv6 needs an MTU of ${leastIpv6Mtu}, not ${link.mtu}`;
  for (const one of link.addresses) {
    const subject = `${name}: address ${addressText(one)}`;
    if (one.message.family === families.ipv6 && !hasIpv6) throw new FactError(subject, `${reason}; ${remedy}`);
    if (!one.prefixRoute && !link.up)
      throw new FactError(subject, "prefixRoute is false, expected true on a link that is down");
  }
  for (const route of link.routes) {
    const subject = `${name}: route ${routeText(route)}`;
    const isOwn = (route.oif ?? index) === index && route.hops === undefined;
    if (isOwn && !link.up) throw new FactError(subject, `${name} is down; ${remedy}`);
    if (isOwn && route.family === families.ipv6 && !hasIpv6) throw new FactError(subject, `${reason}; ${remedy}`);
  }
}

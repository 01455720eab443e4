// Assigns an address to a link, with or without the route that the kernel adds for it.
import * as host from "host";
import { ignoring, succeeds } from "../errno.ts";
import { networkOf } from "../net/ip.ts";
import type { Netlink } from "../netlink/client.ts";
import { families } from "../netlink/message.ts";
import { type AddressMessage, address, addressFlags } from "../netlink/route/address.ts";
import { route } from "../netlink/route/route.ts";
import { addressText, prefixRouteOf } from "../plan/address.ts";
import { wantsPrefixRoute } from "../plan/normal.ts";
import type { Address } from "../plan/state.ts";
import type { Step } from "../plan/step.ts";

/** RTPROT_KERNEL of <linux/rtnetlink.h>. */
const byKernel = 2;

/** How long to wait for the kernel's route to the IPv6 peer of a new address. */
const peerRouteTimeoutMs = 1_000;

/** @param index the index of the link */
export function assign(rtnl: Netlink, index: number, step: Step & { do: "assign" }): void {
  const { message, prefixRoute } = step.address;
  const body: AddressMessage = { ...message, index };
  const subject = `${step.link}: ${addressText(step.address)}`;
  const detected = step.settled && message.family === families.ipv6 && (message.flags & addressFlags.noDad) === 0;
  // The pod used the address before. Duplicate address detection would make it unusable for a
  // second, and the kernel would refuse it as the source of routes.
  const flags = detected ? message.flags | addressFlags.noDad : message.flags;
  const isNew = succeeds(["EEXIST"], () => rtnl.create(address, { ...body, flags }, subject));
  const unwanted = { ...prefixRouteOf(body), subject };
  // Replacing adds the route to the peer at once, and the work queue would add it again.
  if (!prefixRoute && isNew && hasLateRoute(body))
    dropRoute(rtnl, body, { ...unwanted, timeoutMs: peerRouteTimeoutMs });
  // An earlier call may have been killed between the two.
  const isReplaced = detected || !isNew;
  if (isReplaced) replace(rtnl, body, subject);
  const timeoutMs = !isNew && hasLateRoute(body) ? peerRouteTimeoutMs : 0;
  if (!prefixRoute && (isReplaced || !hasLateRoute(body))) dropRoute(rtnl, body, { ...unwanted, timeoutMs });
}

/**
 * With an address that does not last, the kernel leaves its route to the network until that expires
 * (ipv6_del_addr).
 * @param index the index of the link
 */
export function unassign(
  rtnl: Netlink,
  index: number,
  { link, address: wanted, staying }: Step & { do: "unassign" },
): void {
  const body: AddressMessage = { ...wanted.message, index };
  const subject = `${link}: ${addressText(wanted)}`;
  // It may be missing, and so may the link.
  ignoring(["EADDRNOTAVAIL", "ENODEV"], () => rtnl.delete(address, body, subject));
  if (body.family !== families.ipv6 || body.lifetime === undefined) return;
  if (!wanted.prefixRoute || !wantsPrefixRoute(body)) return;
  const network = ownNetworkOf(wanted);
  const isShared = staying.some((other) => {
    const { destination, length } = ownNetworkOf(other);
    return destination === network.destination && length === network.length;
  });
  if (!isShared) dropRoute(rtnl, body, { ...network, subject, timeoutMs: 0 });
}

function ownNetworkOf({
  message: { local, address, prefixLength: length },
}: Address): Pick<Unwanted, "destination" | "length"> {
  return { destination: networkOf(local ?? address ?? "", length), length };
}

/** Replacing adds a route to the peer's network, which a new address does not have. */
function replace(rtnl: Netlink, body: AddressMessage, subject: string): void {
  rtnl.replace(address, body, subject);
  const { address: peer, prefixLength: length } = body;
  if (!hasLateRoute(body) || peer === undefined || length === prefixRouteOf(body).length) return;
  dropRoute(rtnl, body, { destination: networkOf(peer, length), length, subject, timeoutMs: 0 });
}

/** A route that the kernel adds with an address, to be removed. */
interface Unwanted {
  readonly destination: string;
  readonly length: number;
  readonly subject: string;
  /** How long to wait for it. */
  readonly timeoutMs: number;
}

function dropRoute(rtnl: Netlink, body: AddressMessage, { destination, length, subject, timeoutMs }: Unwanted): void {
  const { family, index } = body;
  const unwanted = { family, destination, destinationLength: length, oif: index, protocol: byKernel, table: 254 };
  // RT_SCOPE_NOWHERE matches every scope.
  const drop = (): boolean =>
    succeeds(["ESRCH", "ENODEV"], () =>
      rtnl.delete(route, { ...unwanted, scope: 255 }, `${subject}: route to its network`),
    );
  const end = host.monotonic() + timeoutMs;
  while (!drop() && host.monotonic() < end) host.sleep(2);
}

/**
 * Whether the kernel adds the route to the address' peer from a work queue (addrconf_dad_work),
 * after it has acknowledged the address.
 */
function hasLateRoute({ family, address, local }: AddressMessage): boolean {
  return family === families.ipv6 && local !== undefined && local !== address;
}

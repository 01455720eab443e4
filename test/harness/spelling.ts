// Spells addresses, routes and neighbours as the kernel reports them: a second implementation, by
// the WHATWG's URL parser, for the models of the kernel that plans are tested with.
import type { Address, KernelRoute, Neighbor } from "../../lib/plan/state.ts";

const ipv6 = 10;

/** Returns an address in the spelling of RFC 5952. */
function canonical(text: string): string {
  return text.includes(":") ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
}

/** Returns the network of an IPv6 address. */
function masked(text: string, length: number): string {
  const groups = expanded(canonical(text));
  const bits = groups.map((group, position) => {
    const kept = Math.min(16, Math.max(0, length - 16 * position));
    return group & (0xffff << (16 - kept));
  });
  return canonical(bits.map((group) => (group & 0xffff).toString(16)).join(":"));
}

function expanded(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return groups(head);
  const [first, last] = [groups(head), groups(tail)];
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

export function shownRoute(route: KernelRoute, index: number): KernelRoute {
  const { destination, destinationLength, gateway, via, preferredSource, hops, table } = route;
  const isIpv6 = route.family === ipv6;
  const { destination: _, ...rest } = route;
  return {
    ...rest,
    ...(destinationLength > 0 && {
      destination: isIpv6 ? masked(destination!, destinationLength) : destination!,
    }),
    ...(hops === undefined && { oif: route.oif ?? index }),
    ...(hops !== undefined && {
      hops: hops.map((hop) => ({
        ...hop,
        index: hop.index || index,
        ...(hop.gateway !== undefined && { gateway: canonical(hop.gateway) }),
      })),
    }),
    ...(gateway !== undefined && { gateway: canonical(gateway) }),
    ...(via !== undefined && { via: { ...via, address: canonical(via.address) } }),
    ...(preferredSource !== undefined && { preferredSource: canonical(preferredSource) }),
    table: table || 254,
    ...(isIpv6 && { metric: route.metric || 1024, preference: route.preference ?? 0, scope: 0 }),
  };
}

export function shownAddress({ message, ...rest }: Address): Address {
  const local = canonical(message.local ?? message.address!);
  const isLinkLocal = /^fe[89ab]/.test(local);
  return {
    ...rest,
    message: {
      ...message,
      local,
      address: canonical(message.address ?? local),
      ...(message.family === ipv6 && { scope: isLinkLocal ? 253 : 0 }),
    },
  };
}

export function shownNeighbor(neighbor: Neighbor): Neighbor {
  const { mac, ...rest } = neighbor;
  return {
    ...rest,
    destination: canonical(neighbor.destination!),
    ...(mac !== undefined && { mac: mac.toLowerCase().replaceAll("-", ":") }),
  };
}

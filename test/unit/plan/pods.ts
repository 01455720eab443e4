// Pods for tests of plans: as observed from the kernel, with the addresses and routes that a
// network plugin makes.
import type { Address, KernelRoute, NewDummy, ObservedLink, State } from "../../../lib/plan/state.ts";

export function address(text: string, more: object = {}): Address {
  const [local, prefixLength] = text.split("/") as [string, string];
  const family = local.includes(":") ? 10 : 2;
  return {
    message: {
      family,
      prefixLength: Number(prefixLength),
      flags: 0,
      scope: local.startsWith("fe80") ? 253 : 0,
      local,
      address: local,
      ...more,
    },
    prefixRoute: true,
  };
}

export function route(destination: string, gateway?: string): KernelRoute {
  const [dst, length] = destination.split("/") as [string, string];
  return {
    family: dst.includes(":") ? 10 : 2,
    destinationLength: Number(length),
    sourceLength: 0,
    tos: 0,
    table: 254,
    protocol: 3,
    scope: gateway === undefined && !dst.includes(":") ? 253 : 0,
    type: 1,
    flags: 0,
    ...(length !== "0" && { destination: dst }),
    ...(gateway !== undefined && { gateway }),
    oif: 2,
    ...(dst.includes(":") && { metric: 1024, preference: 0 }),
  };
}

export function link(more: Partial<ObservedLink> & Pick<ObservedLink, "name">): ObservedLink {
  return {
    index: 0,
    kind: "veth",
    mark: 0,
    mac: "0a:58:0a:f4:00:07",
    mtu: 1450,
    up: true,
    ipv6: true,
    addresses: [],
    routes: [],
    neighbors: [],
    ...more,
  };
}

/** The link as a plan creates it. */
export function dummy(more: Partial<NewDummy> & Pick<NewDummy, "name">): NewDummy {
  const { index: _, ...made } = link(more);
  return { ...made, kind: "dummy" };
}

export const loopback: ObservedLink = link({ name: "lo", index: 1, kind: "", mtu: 65536 });

/**
 * A dual-stack pod, with an on-link route and a default route of each family and a pinned gateway.
 */
export const eth0: ObservedLink = link({
  name: "eth0",
  index: 2,
  addresses: [
    address("10.244.0.7/24", { label: "eth0" }),
    address("10.244.0.8/24"),
    address("fd00::7/64"),
    address("fe80::858:aff:fef4:7/64"),
  ],
  routes: [route("169.254.1.1/32"), route("0.0.0.0/0", "169.254.1.1"), route("::/0", "fd00::1")],
  neighbors: [{ family: 2, state: 128, flags: 0, type: 1, destination: "169.254.1.1", mac: "ee:ee:ee:ee:ee:ee" }],
});

export function pod(
  links: readonly ObservedLink[] = [eth0],
  sysctls: State["sysctls"] = { "net.ipv4.conf.all.arp_ignore": "0" },
): State {
  return { links: [loopback, ...links], sysctls };
}

// Ages the lifetimes of addresses and routes by the time that a pod's link was bound.
import type { Change } from "./change.ts";
import { byKind, same } from "./kinds.ts";
import type { Address, KernelRoute, LinkSettings } from "./state.ts";

/** INFINITY_LIFE_TIME of <linux/if_addr.h>. */
const forever = 0xffffffff;

/**
 * Returns the changes to undo `seconds` after they were planned. Lifetimes are shorter by that
 * time, and expired addresses and routes are left out.
 */
export function aged(changes: readonly Change[], seconds: number): Change[] {
  return changes.map((change) =>
    byKind<Change, Change>(change, {
      create: same,
      set: (one) => ({ ...one, from: agedLink(one.from, seconds) }),
      sysctl: same,
    }),
  );
}

function agedLink(link: LinkSettings, seconds: number): LinkSettings {
  return {
    ...link,
    addresses: link.addresses.flatMap((address) => agedAddress(address, seconds)),
    routes: link.routes.flatMap((route) => agedRoute(route, seconds)),
  };
}

function agedAddress(address: Address, seconds: number): Address[] {
  const { lifetime } = address.message;
  if (lifetime === undefined) return [address];
  const valid = remaining(lifetime.valid, seconds);
  if (valid === 0) return [];
  return [
    {
      ...address,
      message: { ...address.message, lifetime: { preferred: remaining(lifetime.preferred, seconds), valid } },
    },
  ];
}

function agedRoute(route: KernelRoute, seconds: number): KernelRoute[] {
  if (route.expires === undefined) return [route];
  const expires = remaining(route.expires, seconds);
  return expires === 0 ? [] : [{ ...route, expires }];
}

function remaining(lifetime: number, seconds: number): number {
  return lifetime === forever ? forever : Math.max(0, lifetime - Math.floor(seconds));
}

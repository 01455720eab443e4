// Splits a change into steps: each is one message or one write, in an order that the kernel
// accepts.
import {
  type Change,
  type CreateLink,
  createdLinks,
  linkChanges,
  type SetLink,
  type SetSysctl,
  sysctlChanges,
} from "./change.ts";
import { addressIdentity, addressKey, Comparison, isSamePort, neighborKey, routeKey } from "./keys.ts";
import { byKind } from "./kinds.ts";
import type {
  Address,
  KernelRoute,
  LinkSettings,
  Neighbor,
  NewLink,
  ObservedLink,
  PortSettings,
  State,
} from "./state.ts";

/** One operation of the kernel. A link is identified by its name at the time of the step. */
export type Step =
  /**
   * `ip link add` with master, IPv6 and state, without port settings, addresses, routes and
   * neighbours.
   */
  | { readonly do: "create"; readonly link: NewLink }
  /** `ip link del`. With a mark: `ip link del group MARK`. */
  | { readonly do: "delete"; readonly links: readonly string[]; readonly mark: number | undefined }
  /** `ip link set`. A master of null removes the link from its bridge. */
  | { readonly do: "configure"; readonly link: string; readonly settings: Configuration }
  /** `bridge link set`, `bridge vlan add`, `bridge fdb replace`. */
  | { readonly do: "port"; readonly link: string; readonly port: PortSettings }
  /** `sysctl net.ipv6.conf.LINK.disable_ipv6`. */
  | { readonly do: "ipv6"; readonly link: string; readonly on: boolean }
  /**
   * `ip address add`. `settled`: without duplicate address detection, because the address was in
   * use before.
   */
  | { readonly do: "assign"; readonly link: string; readonly address: Address; readonly settled: boolean }
  /** `ip address del`. `staying` are the addresses that stay on the link. */
  | { readonly do: "unassign"; readonly link: string; readonly address: Address; readonly staying: readonly Address[] }
  /**
   * `ip route add`. A route without a link leads out of this one. `isNew`: no route may exist that
   * excludes it. Otherwise another process's route stays.
   */
  | { readonly do: "addRoute"; readonly link: string; readonly route: KernelRoute; readonly isNew: boolean }
  /** `ip route del`. */
  | { readonly do: "removeRoute"; readonly link: string; readonly route: KernelRoute }
  /** `ip neighbor add`, which replaces what the kernel has learnt. `isNew` as for routes. */
  | { readonly do: "addNeighbor"; readonly link: string; readonly neighbor: Neighbor; readonly isNew: boolean }
  /** `ip neighbor del`. */
  | { readonly do: "removeNeighbor"; readonly link: string; readonly neighbor: Neighbor }
  | { readonly do: "sysctl"; readonly key: string; readonly value: string };

/** The fields of a link that one message sets. */
export interface Configuration {
  readonly name?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly master?: string | null;
  readonly up?: boolean;
}

/** Returns the steps that perform one change, starting from the observed state. */
export function stepsOf(change: Change, state: State): Step[] {
  return byKind(change, {
    create: creation,
    set: (one) => setting(one, linkOf(one, state), { isNew: true }),
    sysctl: ({ key, to }) => (state.sysctls[key] === to ? [] : [{ do: "sysctl", key, value: to }]),
  });
}

/**
 * Returns the steps that undo the changes, one list for each change.
 *
 * The observed state may be anywhere between no change and all changes: what already has its old
 * value needs no step, so that undoing after a crash, or twice, is correct.
 *
 * Links that the changes created are deleted first and with one message, because the kernel needs
 * some 15 ms for each deletion (`netdev_run_todo` waits for RCU). Nothing else of them needs
 * undoing.
 *
 * A sysctl that another process has changed is left alone. So is a link whose name is neither the
 * old nor the new one.
 */
export function undoing(changes: readonly Change[], state: State): Step[][] {
  const backwards = [...changes].reverse();
  const deletion = deletionOf(changes, state);
  // In this order: a bridge that is deleted releases its ports.
  const undone = {
    sysctl: sysctlChanges(backwards).map((change) => resetting(change, state)),
    create: deletion === undefined ? [] : [[deletion]],
    set: linkChanges(backwards).map((change) => returning(change, state, deletion?.links ?? [])),
  } satisfies Record<Change["do"], Step[][]>;
  return Object.values(undone).flat();
}

function resetting({ key, from, to }: SetSysctl, { sysctls }: State): Step[] {
  return from !== to && sysctls[key] === to ? [{ do: "sysctl", key, value: from }] : [];
}

function returning(change: SetLink, { links }: State, deleted: readonly string[]): Step[] {
  const observed = links.find((link) => link.index === change.index);
  if (observed === undefined || (observed.name !== change.from.name && observed.name !== change.to.name)) return [];
  const inverse: SetLink = { ...change, from: change.to, to: change.from };
  return setting(inverse, deleted.includes(observed.master ?? "") ? released(observed) : observed, { isNew: false });
}

/**
 * Deletes the remaining links that the changes created: those that have both their name and their
 * mark.
 */
function deletionOf(changes: readonly Change[], state: State): (Step & { do: "delete" }) | undefined {
  const made = createdLinks(changes);
  const mark = made[0]?.mark;
  const left = made.filter((link) => state.links.some((other) => other.name === link.name && other.mark === mark));
  if (left.length === 0) return undefined;
  const marked = state.links.filter((link) => link.mark === mark);
  return { do: "delete", links: left.map((link) => link.name), mark: marked.length === left.length ? mark : undefined };
}

/** Returns the link as it will be after its bridge is deleted. */
function released({ master: _, port: __, ...link }: ObservedLink): ObservedLink {
  return link;
}

function linkOf(change: SetLink, state: State): ObservedLink {
  const link = state.links.find((link) => link.index === change.index);
  if (link === undefined) throw new Error(`${change.from.name}: the link with index ${change.index} is gone`);
  return link;
}

function creation({ link }: CreateLink): Step[] {
  const steps: Step[] = [{ do: "create", link }];
  if (link.port !== undefined) steps.push({ do: "port", link: link.name, port: link.port });
  for (const address of link.addresses) steps.push({ do: "assign", link: link.name, address, settled: true });
  for (const neighbor of link.neighbors) steps.push({ do: "addNeighbor", link: link.name, neighbor, isNew: true });
  for (const route of link.routes) steps.push({ do: "addRoute", link: link.name, route, isNew: true });
  return steps;
}

/**
 * Returns the steps that bring a link from one state to the other. They touch only what differs
 * between `from` and `to` and is not yet done.
 *
 * Routes and addresses are removed one by one before the link goes down, which would flush them.
 * They are added after it is up again, and with them those that stay and were flushed.
 *
 * @param isNew whether what is missing is new: `false` if it is restored
 */
function setting({ from, to }: SetLink, observed: ObservedLink, { isNew }: { readonly isNew: boolean }): Step[] {
  const listsOf = <K extends "addresses" | "routes" | "neighbors">(name: K) =>
    [from[name], to[name], observed[name]] as const;
  const keyOfRoute = (route: KernelRoute): string => routeKey(route, observed.index);
  const routes = new Comparison([keyOfRoute, keyOfRoute], listsOf("routes"));
  const neighbors = new Comparison([neighborKey, neighborKey], listsOf("neighbors"));
  const addresses = new Comparison([addressKey, addressIdentity], listsOf("addresses"));
  const settings = differing(from, to, observed);
  const down = observed.up && (!to.up || settings.name !== undefined || settings.mac !== undefined);
  const steps = removals(observed, { routes, neighbors, addresses });
  steps.push(...configuring({ from, to, observed, settings, down }));
  // Undoing may find the link after it was flushed.
  const isFlushed = to.up && (from.name !== to.name || from.mac !== to.mac);
  const again = <T>(compared: Comparison<T>): T[] => (isFlushed ? compared.flushed(down) : []);
  const link = to.name;
  for (const address of [...again(addresses), ...addresses.missing()])
    steps.push({ do: "assign", link, address, settled: to.up && address.duplicate !== true });
  for (const neighbor of again(neighbors)) steps.push({ do: "addNeighbor", link, neighbor, isNew: false });
  for (const neighbor of neighbors.missing()) steps.push({ do: "addNeighbor", link, neighbor, isNew });
  for (const route of again(routes)) steps.push({ do: "addRoute", link, route, isNew: false });
  for (const route of routes.missing()) steps.push({ do: "addRoute", link, route, isNew });
  return steps;
}

/** The objects of a link that are compared one by one. */
interface Compared {
  readonly routes: Comparison<KernelRoute>;
  readonly neighbors: Comparison<Neighbor>;
  readonly addresses: Comparison<Address>;
}

/**
 * Backwards: a route is removed before the route that its gateway needs. Without the first address
 * of an IPv4 subnet the kernel would remove the other ones too.
 */
function removals({ name: link, addresses: all }: ObservedLink, { routes, neighbors, addresses }: Compared): Step[] {
  const leaving = new Set(addresses.leaving().reverse());
  const staying = leaving.size === 0 ? [] : all.filter((address) => !leaving.has(address));
  return [
    ...routes
      .leaving()
      .reverse()
      .map((route): Step => ({ do: "removeRoute", link, route })),
    ...neighbors.leaving().map((neighbor): Step => ({ do: "removeNeighbor", link, neighbor })),
    ...[...leaving].map((address): Step => ({ do: "unassign", link, address, staying })),
  ];
}

interface Configuring {
  readonly from: LinkSettings;
  readonly to: LinkSettings;
  readonly observed: ObservedLink;
  readonly settings: Configuration;
  readonly down: boolean;
}

/** Returns the steps for everything except addresses, routes and neighbours. */
function configuring({ from, to, observed, settings, down }: Configuring): Step[] {
  const steps: Step[] = [];
  const old = observed.name;
  if (down) steps.push({ do: "configure", link: old, settings: { up: false } });
  const ipv6 = from.ipv6 !== to.ipv6 && to.ipv6 !== undefined && observed.ipv6 !== to.ipv6;
  if (ipv6 && !to.ipv6) steps.push({ do: "ipv6", link: old, on: false });
  if (Object.keys(settings).length > 0) steps.push({ do: "configure", link: old, settings });
  if (ipv6 && to.ipv6) steps.push({ do: "ipv6", link: to.name, on: true });
  if (to.port !== undefined && !isSamePort(observed.port, to.port))
    steps.push({ do: "port", link: to.name, port: to.port });
  const rises = to.up && (down || !observed.up);
  if (rises) steps.push({ do: "configure", link: to.name, settings: { up: true } });

  if (to.ipv6Mtu !== undefined && (rises || settings.mtu !== undefined || observed.ipv6Mtu !== to.ipv6Mtu))
    steps.push({ do: "sysctl", key: `net.ipv6.conf.${to.name}.mtu`, value: `${to.ipv6Mtu}` });
  return steps;
}

function differing(from: LinkSettings, to: LinkSettings, observed: ObservedLink): Configuration {
  return {
    ...(from.name !== to.name && observed.name !== to.name && { name: to.name }),
    ...(from.mac !== to.mac && to.mac !== undefined && observed.mac !== to.mac && { mac: to.mac }),
    ...(from.mtu !== to.mtu && observed.mtu !== to.mtu && { mtu: to.mtu }),
    ...(from.master !== to.master && observed.master !== to.master && { master: to.master ?? null }),
  };
}

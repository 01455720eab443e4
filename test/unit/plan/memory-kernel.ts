// A fake of the kernel: a namespace in memory that changes with each step as far as plans depend on
// it, and that fails on request.

import { withUndoFailures } from "../../../lib/failures.ts";
import { apply, type Kernel, undo } from "../../../lib/plan/apply.ts";
import type { Change } from "../../../lib/plan/change.ts";
import { addressKey, routeIdentity } from "../../../lib/plan/keys.ts";
import type { NewLink, ObservedLink, State } from "../../../lib/plan/state.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { shownAddress, shownNeighbor, shownRoute } from "../../harness/spelling.ts";

/**
 * Returns the state after a step. A link that goes down loses its routes and IPv6 addresses, and a
 * port loses a deleted bridge, as in the kernel.
 */
export function fold(state: State, step: Step): State {
  switch (step.do) {
    case "create": {
      if (named(state, step.link.name) !== undefined) throw new Error(`${step.link.name}: File exists (EEXIST)`);
      const index = Math.max(0, ...state.links.map((link) => link.index)) + 1;
      return {
        links: [...state.links, bare(step.link, index)],
        sysctls: { ...state.sysctls, ...step.link.sysctls },
      };
    }
    case "delete": {
      // With a mark, the kernel deletes the whole group, whatever the links' names are.
      const isDeleted = ({ name, mark }: ObservedLink): boolean =>
        step.mark === undefined ? step.links.includes(name) : mark === step.mark;
      const deleted = state.links.filter(isDeleted).map(({ name }) => name);
      return {
        ...state,
        links: state.links.filter((link) => !isDeleted(link)).map((link) => without(link, deleted)),
        // The sysctls of a link end with it.
        sysctls: Object.fromEntries(
          Object.entries(state.sysctls).filter(([key]) => !deleted.some((name) => key.includes(`.conf.${name}.`))),
        ),
      };
    }
    case "configure":
      return changed(state, step.link, (link) => {
        const { name, mac, mtu, master, up } = step.settings;
        if (name !== undefined && (link.up || named(state, name) !== undefined))
          throw new Error(`${name}: Busy or taken`);
        const next: { -readonly [K in keyof ObservedLink]: ObservedLink[K] } = {
          ...link,
          ...(name !== undefined && { name }),
          ...(mac !== undefined && { mac }),
          ...(mtu !== undefined && { mtu }),
          ...(up !== undefined && { up }),
          ...(up === false && {
            routes: [],
            neighbors: [],
            addresses: link.addresses.filter(({ message }) => message.family === 2),
          }),
        };
        if (up) delete next.ipv6Mtu; // the kernel sets it anew
        if (master === undefined) return next;
        if (master === null) return without(next, [next.master ?? ""]);
        if (named(state, master)?.kind !== "bridge") throw new Error(`${master}: Invalid argument (EINVAL)`);
        return { ...next, master };
      });
    case "port":
      return changed(state, step.link, (link) => ({ ...link, port: step.port }));
    case "ipv6":
      return changed(state, step.link, (link) => ({ ...link, ipv6: step.on }));
    case "assign":
      return changed(state, step.link, (link) => {
        const address = shownAddress(step.address);
        return {
          ...link,
          addresses: [...link.addresses.filter((one) => addressKey(one) !== addressKey(address)), address],
        };
      });
    case "unassign":
      return changed(state, step.link, (link) => ({ ...link, addresses: less(link.addresses, step.address) }));
    case "addRoute":
      return changed(state, step.link, (link) => {
        if (!link.up) throw new Error(`${link.name}: Network is down (ENETDOWN)`);
        const route = shownRoute(step.route, link.index);
        const other = state.links
          .flatMap(({ routes }) => routes)
          .find((one) => routeIdentity(one) === routeIdentity(route));
        if (other !== undefined && step.isNew) throw new Error(`${link.name}: File exists (EEXIST)`);
        return other === undefined ? { ...link, routes: [...link.routes, route] } : link;
      });
    case "removeRoute":
      return changed(state, step.link, (link) => ({ ...link, routes: less(link.routes, step.route) }));
    case "addNeighbor":
      return changed(state, step.link, (link) => ({
        ...link,
        neighbors: [...less(link.neighbors, step.neighbor), shownNeighbor(step.neighbor)],
      }));
    case "removeNeighbor":
      return changed(state, step.link, (link) => ({ ...link, neighbors: less(link.neighbors, step.neighbor) }));
    case "sysctl": {
      const ipv6Mtu = /^net\.ipv6\.conf\.(.*)\.mtu$/.exec(step.key)?.[1];
      if (ipv6Mtu !== undefined) return changed(state, ipv6Mtu, (link) => ({ ...link, ipv6Mtu: Number(step.value) }));
      return { ...state, sysctls: { ...state.sysctls, [step.key]: step.value } };
    }
  }
}

/** Performs the changes as ADD does: a failure undoes them. */
export function allOrNothing(changes: readonly Change[], kernel: Kernel, state: State): void {
  try {
    apply(changes, kernel, state);
  } catch (failure) {
    throw withUndoFailures(failure, undo(changes, kernel));
  }
}

/** A kernel that can be made to fail. */
export class MemoryKernel implements Kernel {
  state: State;
  /** The number of steps so far. */
  performed = 0;
  /** Called before each step. The step fails with what this throws. */
  before: ((position: number, step: Step) => void) | undefined;

  constructor(state: State) {
    this.state = state;
  }

  observe(): State {
    return this.state;
  }

  perform(step: Step): void {
    const position = this.performed++;
    this.before?.(position, step);
    this.state = fold(this.state, step);
  }
}

/**
 * Returns a link right after its creation, without what needs steps of its own. The kernel does not
 * report a tap's SELinux context.
 */
function bare({ port: _, sysctls: ___, ...link }: NewLink, index: number): ObservedLink {
  const created = { ...link, index, addresses: [], routes: [], neighbors: [] };
  if (created.kind !== "tap") return created;
  const { selinuxContext: __, ...tap } = created.tap;
  return { ...created, tap };
}

function named(state: State, name: string): ObservedLink | undefined {
  return state.links.find((link) => link.name === name);
}

function changed(state: State, name: string, change: (link: ObservedLink) => ObservedLink): State {
  if (named(state, name) === undefined) throw new Error(`${name}: No such device (ENODEV)`);
  return { ...state, links: state.links.map((link) => (link.name === name ? change(link) : link)) };
}

function without(link: ObservedLink, bridges: readonly string[]): ObservedLink {
  if (link.master === undefined || !bridges.includes(link.master)) return link;
  const { master: _, port: __, ...rest } = link;
  return rest;
}

function less<T>(list: readonly T[], one: T): T[] {
  const text = JSON.stringify(one);
  return list.filter((other) => JSON.stringify(other) !== text);
}

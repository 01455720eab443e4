// A plan is a list of changes. Each change holds the state before and after it, so that it can be
// undone and checked.
import { addressIdentity, neighborIdentity, routeIdentity } from "./keys.ts";
import { byKind, none } from "./kinds.ts";
import type { BridgeSettings, LinkSettings, NewLink, ObservedLink, ObservedTap, State } from "./state.ts";

/** One change. {@link stepsOf} in step.ts computes its steps from the observed state. */
export type Change = CreateLink | SetLink | SetSysctl;

export const changeKinds = Object.keys({ create: true, set: true, sysctl: true } satisfies Record<Change["do"], true>);

/** Creates a link with its master and addresses. Undoing deletes it. */
export interface CreateLink {
  readonly do: "create";
  readonly link: NewLink;
}

/** Changes a link that existed before. Its index identifies it, because its name may change. */
export interface SetLink {
  readonly do: "set";
  readonly index: number;
  readonly from: LinkSettings;
  readonly to: LinkSettings;
}

/** Writes a sysctl. */
export interface SetSysctl {
  readonly do: "sysctl";
  /** Such as `net.ipv4.conf.all.arp_ignore`. */
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** The part of the state to observe. */
export interface Scope {
  readonly links: boolean;
  /** Default: all links with all of their objects. */
  readonly detail?: Detail;
  readonly sysctls: readonly string[];
}

/**
 * The links to observe with addresses, routes and neighbours. Other links are observed without: a
 * pod can have any number of them.
 */
export interface Detail {
  isWanted(link: Pick<ObservedLink, "index" | "name">): boolean;
  /** The identities of the objects to observe: see keys.ts. Absent: all objects. */
  readonly objects?: ReadonlySet<string>;
}

/**
 * Returns the part of the state that these changes need in order to be performed, checked or
 * undone.
 */
export function scope(changes: readonly Change[]): Scope {
  return {
    detail: detailOf(changes),
    links: changes.some((change) => byKind(change, { create: () => true, set: () => true, sysctl: () => false })),
    sysctls: [
      ...sysctlChanges(changes).map(({ key }) => key),
      ...createdLinks(changes).flatMap(({ sysctls }) => Object.keys(sysctls ?? {})),
    ],
  };
}

function detailOf(changes: readonly Change[]): Detail {
  const indexes = new Set(linkChanges(changes).map(({ index }) => index));
  const names = new Set(createdLinks(changes).map(({ name }) => name));
  const settings = [...linkChanges(changes).flatMap(({ from, to }) => [from, to]), ...createdLinks(changes)];
  return {
    isWanted: ({ index, name }) => indexes.has(index) || names.has(name),
    objects: new Set(settings.flatMap(identitiesOf)),
  };
}

function identitiesOf({ addresses, routes, neighbors }: LinkSettings): string[] {
  return [...addresses.map(addressIdentity), ...routes.map(routeIdentity), ...neighbors.map(neighborIdentity)];
}

/** Returns the links that the changes create. */
export function createdLinks(changes: readonly Change[]): NewLink[] {
  return changes.flatMap((change) => byKind(change, { create: ({ link }) => [link], set: none, sysctl: none }));
}

/** Returns the changes to links that existed before. */
export function linkChanges(changes: readonly Change[]): SetLink[] {
  return changes.flatMap((change) => byKind(change, { create: none, set: (one) => [one], sysctl: none }));
}

export function sysctlChanges(changes: readonly Change[]): SetSysctl[] {
  return changes.flatMap((change) => byKind(change, { create: none, set: none, sysctl: (one) => [one] }));
}

/**
 * A link that a plan leaves behind. Only a link that existed before has `index`. Only a link that
 * the plan creates has the other fields.
 */
export interface ExpectedLink extends LinkSettings {
  readonly index?: number;
  readonly kind?: string;
  readonly mark?: number;
  readonly bridge?: BridgeSettings;
  readonly tap?: ObservedTap;
  /** By name. */
  readonly sysctls?: State["sysctls"];
}

/** The state that the changes should have produced, and nothing else. */
export interface Expectation {
  readonly links: readonly ExpectedLink[];
  readonly sysctls: State["sysctls"];
}

export function expectation(changes: readonly Change[]): Expectation {
  return {
    links: changes.flatMap((change) =>
      byKind<Change, ExpectedLink[]>(change, {
        create: ({ link }) => [link],
        set: ({ to, index }) => [{ ...to, index }],
        sysctl: none,
      }),
    ),
    sysctls: Object.fromEntries(sysctlChanges(changes).map(({ key, to }) => [key, to])),
  };
}

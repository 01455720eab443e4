// A plan: a list of changes, each of which says what was and what is to be, so that it can be
// undone and checked.
import { byKind, none } from "./kinds.ts";
import type { BridgeSettings, LinkSettings, NewLink, ObservedTap, State } from "./state.ts";

/**
 * One change. Its steps are computed from what the kernel shows at that moment: {@link stepsOf} in
 * step.ts.
 */
export type Change = CreateLink | SetLink | SetSysctl;

export const changeKinds = Object.keys({ create: true, set: true, sysctl: true } satisfies Record<Change["do"], true>);

/** A link is made, complete with master and addresses. It is ours: undoing deletes it. */
export interface CreateLink {
  readonly do: "create";
  readonly link: NewLink;
}

/**
 * A link that was there is changed. It is known by its index, because its name may be what changes.
 */
export interface SetLink {
  readonly do: "set";
  readonly index: number;
  readonly from: LinkSettings;
  readonly to: LinkSettings;
}

/** A sysctl is written. */
export interface SetSysctl {
  readonly do: "sysctl";
  /** Such as `net.ipv4.conf.all.arp_ignore`. */
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** What of the kernel's state some changes need to see. */
export interface Scope {
  readonly links: boolean;
  readonly sysctls: readonly string[];
}

/** What must be observed to perform, check or undo these changes. */
export function scope(changes: readonly Change[]): Scope {
  return {
    links: changes.some((change) => byKind(change, { create: () => true, set: () => true, sysctl: () => false })),
    sysctls: sysctlChanges(changes).map(({ key }) => key),
  };
}

/** The links that the changes create. */
export function createdLinks(changes: readonly Change[]): NewLink[] {
  return changes.flatMap((change) => byKind(change, { create: ({ link }) => [link], set: none, sysctl: none }));
}

/** The changes to links that were there before. */
export function linkChanges(changes: readonly Change[]): SetLink[] {
  return changes.flatMap((change) => byKind(change, { create: none, set: (one) => [one], sysctl: none }));
}

export function sysctlChanges(changes: readonly Change[]): SetSysctl[] {
  return changes.flatMap((change) => byKind(change, { create: none, set: none, sysctl: (one) => [one] }));
}

/**
 * A link that a plan leaves behind. A link that was there before has `index`, a link that the plan
 * creates has the other fields.
 */
export interface ExpectedLink extends LinkSettings {
  readonly index?: number;
  readonly kind?: string;
  readonly mark?: number;
  readonly bridge?: BridgeSettings;
  readonly tap?: ObservedTap;
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

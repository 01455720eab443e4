// A plan: a list of changes, each of which says what was and what is to be, so that it can be undone and checked.
import type { Link, LinkSettings, State } from "./state.ts";

/** One change. What it takes to get there is computed from what the kernel shows at that moment (transition.ts). */
export type Change = CreateLink | SetLink | SetSysctl;

/** All kinds of them. */
export const changeKinds: readonly Change["do"][] = ["create", "set", "sysctl"];

/** A link is made, complete with master and addresses. It is ours: undoing deletes it. */
export interface CreateLink {
  readonly do: "create";
  readonly link: Link;
}

/** A link that was there is changed. It is known by its index, because its name may be what changes. */
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
    links: changes.some((change) => change.do !== "sysctl"),
    sysctls: changes.flatMap((change) => (change.do === "sysctl" ? [change.key] : [])),
  };
}

/** A link that a plan leaves behind: `index` is absent for one that it makes. */
export type ExpectedLink = Partial<Link> & LinkSettings;

/** The state that the changes ought to have produced, and nothing else. */
export function expectation(changes: readonly Change[]): { links: ExpectedLink[]; sysctls: State["sysctls"] } {
  const links: ExpectedLink[] = [];
  const sysctls: Record<string, string> = {};
  for (const change of changes) {
    switch (change.do) {
      case "create":
        links.push(change.link);
        break;
      case "set":
        links.push({ ...change.to, index: change.index });
        break;
      case "sysctl":
        sysctls[change.key] = change.to;
        break;
    }
  }
  return { links, sysctls };
}

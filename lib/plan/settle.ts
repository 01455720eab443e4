// Settles a plan before it is recorded: what it found must be what was observed, and what it adds
// is spelled as the kernel reports it. Then DEL restores the former and finds the latter.
import { FactError } from "../fact.ts";
import type { Change, CreateLink, SetLink, SetSysctl } from "./change.ts";
import { createdLinks, linkChanges, sysctlChanges } from "./change.ts";
import { isSamePort } from "./keys.ts";
import { byKind } from "./kinds.ts";
import { isMark } from "./mark.ts";
import { podChanges } from "./record-shapes.ts";
import { checkLink, settledObjects } from "./settle-objects.ts";
import type { LinkSettings, NewLink, ObservedLink, State } from "./state.ts";

/**
 * Returns the plan with the changes to record and to perform.
 *
 * @throws FactError that names the field if a plan cannot be undone as it is: if a `from` is not
 *   the observed state, or if the kernel would refuse, ignore or not report what the plan adds
 */
export function settled<P extends { readonly changes: readonly Change[]; readonly state: State }>(planned: P): P {
  const { changes, state } = planned;
  refuseRepetition(changes);
  const leaving = new Set(
    linkChanges(changes).flatMap(({ from, to }) => {
      const kept = new Set(to.routes);
      return from.routes.filter((one) => !kept.has(one));
    }),
  );
  const staying = state.links.flatMap(({ routes }) => routes.filter((route) => !leaving.has(route)));
  const renames = linkChanges(changes)
    .filter(({ from, to }) => from.name !== to.name)
    .map(({ from, to }): Rename => ({ from: from.name, to: to.name }));
  const found = changes.map((change) =>
    byKind<Change, Change>(change, {
      create: (one) => settledCreation(one, state, staying),
      set: (one) => settledSetting(one, state, staying),
      sysctl: (one) => settledSysctl(one, state, renames),
    }),
  );
  // DEL could not read the record of anything else.
  const fault = podChanges(found);
  if (fault !== undefined) throw new FactError("plan", `changes${fault}`);
  return { ...planned, changes: found };
}

/** After a crash, nothing tells a second change of the same object from the first one. */
function refuseRepetition(changes: readonly Change[]): void {
  const subjects = [
    ...linkChanges(changes).map(({ index, from }) => ({ subject: from.name, key: `link ${index}` })),
    ...sysctlChanges(changes).map(({ key }) => ({ subject: key, key: `sysctl ${key}` })),
    ...createdLinks(changes).map(({ name }) => ({ subject: name, key: `created ${name}` })),
  ];
  const seen = new Set<string>();
  for (const { subject, key } of subjects) {
    if (seen.has(key)) throw new FactError(subject, "is changed twice in one plan; join the two changes");
    seen.add(key);
  }
}

type Routes = LinkSettings["routes"];

function settledCreation({ link, ...change }: CreateLink, state: State, staying: Routes): CreateLink {
  const { name, mark } = link;
  if (!isMark(mark)) throw new FactError(name, `mark is ${mark}, expected one of markOf`);
  if (state.links.some((other) => other.name === name && other.mark === mark))
    throw new FactError(name, "exists already, from an attachment without a record; delete the pod");
  const spelled: NewLink = spelledLink(link);
  checkLink({ name }, spelled);
  const { addresses, routes, neighbors } = settledObjects(
    { name },
    { from: nothing, to: spelled, observed: nothing },
    staying,
  ).to;
  return { ...change, link: { ...spelled, addresses, routes, neighbors } };
}

const nothing: Pick<LinkSettings, "addresses" | "routes" | "neighbors"> = { addresses: [], routes: [], neighbors: [] };

function settledSetting(change: SetLink, state: State, staying: Routes): SetLink {
  const { index, from } = change;
  const observed = state.links.find((link) => link.index === index);
  if (observed === undefined) throw new FactError(from.name, `the link with index ${index} was not observed`);
  checkFrom(from, observed);
  const to = spelledLink(change.to);
  const link = { name: to.name, index };
  const objects = settledObjects(link, { from, to, observed }, staying);
  checkLink(link, { ...to, ...objects.to });
  return { ...change, from: { ...from, ...objects.from }, to: { ...to, ...objects.to } };
}

/** Returns the link with its MAC addresses in the kernel's spelling. */
function spelledLink<T extends LinkSettings>(link: T): T {
  const { mac, port } = link;
  return {
    ...link,
    ...(mac !== undefined && { mac: lowerCase(mac) }),
    ...(port !== undefined && { port: { ...port, stations: port.stations.map(lowerCase) } }),
  };
}

function lowerCase(mac: string): string {
  return mac.toLowerCase().replaceAll("-", ":");
}

const comparedFields = ["name", "mac", "mtu", "up", "master", "ipv6", "ipv6Mtu"] as const;

function checkFrom(from: LinkSettings, observed: ObservedLink): void {
  for (const field of comparedFields)
    if (from[field] !== observed[field])
      throw new FactError(
        observed.name,
        `${field} is ${observed[field] ?? "absent"}, but the plan's from says ${from[field] ?? "absent"}`,
      );
  if (!isSamePort(from.port, observed.port))
    throw new FactError(
      observed.name,
      `port is ${JSON.stringify(observed.port)}, but the plan's from says ${JSON.stringify(from.port)}`,
    );
}

interface Rename {
  readonly from: string;
  readonly to: string;
}

function settledSysctl(change: SetSysctl, { sysctls }: State, renames: readonly Rename[]): SetSysctl {
  const { key, from } = change;
  const observed = sysctls[nameBefore(key, renames)];
  if (observed === undefined) throw new FactError(key, "was not observed; name it in the scope of observe");
  if (observed !== from) throw new FactError(key, `is ${observed}, but the plan's from says ${from}`);
  // As readSysctl returns it.
  return { ...change, to: change.to.trim().replace(/\s+/g, " ") };
}

/**
 * Returns the name that a sysctl has before the plan renames links: a sysctl of a link contains its
 * name. DEL finds such a sysctl by the new name only.
 */
function nameBefore(key: string, renames: readonly Rename[]): string {
  for (const { from, to } of renames) {
    if (partsOf(key, from) !== undefined)
      throw new FactError(key, `the plan renames ${from} to ${to}; change the sysctl by the new name`);
    const parts = partsOf(key, to);
    if (parts !== undefined) return parts.join(from);
  }
  return key;
}

/** Returns what is before and after the link's name in a sysctl of that link. */
function partsOf(key: string, link: string): [before: string, after: string] | undefined {
  const before = /^net\.ipv[46]\.(?:conf|neigh)\./.exec(key)?.[0];
  if (before === undefined || !key.startsWith(`${before}${link}.`)) return undefined;
  const after = key.slice(before.length + link.length);
  return after.lastIndexOf(".") === 0 ? [before, after] : undefined;
}

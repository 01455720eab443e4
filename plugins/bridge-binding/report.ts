// What ADD tells the runtime.
import type { Interface, Result } from "../../lib/cni/results.ts";
import type { LinkNames } from "../../lib/kubevirt/names.ts";
import { type Change, expectation } from "../../lib/plan/change.ts";

/**
 * As a binding nothing but the version: an interface with a sandbox would be taken for the
 * network's own, and an empty list of them makes Multus look for a default gateway to delete.
 * In a chain prevResult, every entry at its place because `ips` refers to the places, with the
 * links that are new behind it.
 */
export function report(
  changes: readonly Change[],
  { names, sandbox, prevResult }: { names: LinkNames; sandbox: string; prevResult?: Result },
): Result {
  if (prevResult === undefined) return {};
  const { links } = expectation(changes);
  const reported = links.map(
    ({ name, mac, mtu }): Interface => ({ name, ...(mac !== undefined && { mac }), mtu, sandbox }),
  );
  const before = prevResult.interfaces ?? [];
  const isPodLink = (one: Interface): boolean => one.name === names.podLink && one.sandbox === sandbox;
  return {
    ...prevResult,
    interfaces: [
      ...before.map((one) => (isPodLink(one) ? { ...one, ...reported.find(isPodLink) } : one)),
      ...reported.filter((one) => !(isPodLink(one) && before.some(isPodLink))),
    ],
  };
}

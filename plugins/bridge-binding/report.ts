// What ADD reports to the runtime.
import type { Interface, Result } from "../../lib/cni/results.ts";
import type { LinkNames } from "../../lib/kubevirt/names.ts";
import { type Change, expectation } from "../../lib/plan/change.ts";

/**
 * Returns the result.
 *
 * For a binding, only the version: KubeVirt would take an interface with a sandbox for the
 * network's own, and with an empty list of interfaces Multus would look for a default gateway to
 * delete.
 *
 * In a chain, prevResult with each entry at its position, because `ips` refers to positions,
 * followed by the new links.
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

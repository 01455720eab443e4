// What STATUS checks, and how its failures are reported.
import { CniError, code } from "../cni/errors.ts";
import { faultsOf } from "../cni/failure.ts";
import { checkCanEnterNetns } from "../kernel/namespaces.ts";
import type { Requirement } from "./operator.ts";

/** Every plugin enters the namespaces of pods. */
export const canEnterNetns: Requirement = { what: "network namespaces can be entered", check: checkCanEnterNetns };

/** The journal's directory holds another record. */
export function roomForRecord(dataDir: string, probe: () => void): Requirement {
  return { what: `${dataDir}: has room for a record`, check: probe };
}

/** Throws a CniError 50 that names every requirement that is not met. */
export function requireAll(requirements: readonly Requirement[]): void {
  const faults = requirements.flatMap(({ check }) => faultsOf(check));
  if (faults.length > 0) throw new CniError(code.unavailable, faults);
}

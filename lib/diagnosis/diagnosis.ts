// From what is seen of a pod to its wiring, and to what is wrong with it.
import type { Sha256 } from "../kubevirt/names.ts";
import * as bridge from "./bridge-findings.ts";
import { commandsIn, type Finding, type Report, severities } from "./finding.ts";
import * as guest from "./guest-findings.ts";
import { differenceFindings, passtFindings, recordFindings } from "./record-findings.ts";
import type { Sight } from "./survey.ts";
import { type Wire, wiresOf } from "./topology.ts";
import { vfFindings } from "./vf-findings.ts";

/** What became of a look at a pod. */
export interface Diagnosis {
  readonly sight: Sight;
  readonly wires: readonly Wire[];
  /** Errors before warnings. */
  readonly findings: readonly Finding[];
}

/** Pure: the same sight gives the same diagnosis. */
export function diagnosisOf(sight: Sight, sha256: Sha256): Diagnosis {
  const findings: Finding[] = [];
  const report: Report = (code, subject, fact, remedy) =>
    findings.push({ code, severity: severities[code], subject, fact, remedy });
  const inPod = commandsIn(sight.netns.path);
  const wires = wiresOf(sight, sha256);
  for (const wire of wires) {
    const look = { wire, sight, report, inPod };
    bridge.stateFindings(look);
    if (wire.kind === "passt" || wire.kind === "link" || wire.kind === "macvtap") continue;
    bridge.partsFindings(look);
    bridge.tapFindings(look);
    guest.macFindings(look);
    guest.mtuFindings(look);
    guest.addressFindings(look);
    bridge.masqueradeFindings(look);
  }
  bridge.linkFindings(sight, report);
  passtFindings(sight, report);
  for (const vf of sight.vfs) vfFindings(vf, report);
  recordFindings(sight, report);
  differenceFindings(sight, [...findings], report);
  // Sorting keeps the order of those that are alike.
  return { sight, wires, findings: findings.sort((one, other) => rank(one) - rank(other)) };
}

function rank({ severity }: Finding): number {
  return severity === "error" ? 0 : 1;
}

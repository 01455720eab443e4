// Turns the survey of a pod into paths and findings.
import type { Sha256 } from "../kubevirt/names.ts";
import * as bridge from "./bridge-findings.ts";
import { commandsIn, type Finding, type Report, severities } from "./finding.ts";
import * as guest from "./guest-findings.ts";
import { differenceFindings, passtFindings, recordFindings } from "./record-findings.ts";
import type { PodSurvey } from "./survey.ts";
import { type NicPath, nicPathsOf } from "./topology.ts";
import { vfFindings } from "./vf-findings.ts";

/** The result of a diagnosis. */
export interface Diagnosis {
  readonly survey: PodSurvey;
  readonly nicPaths: readonly NicPath[];
  /** Errors before warnings. */
  readonly findings: readonly Finding[];
}

/** Pure: the same survey leads to the same diagnosis. */
export function diagnosisOf(survey: PodSurvey, sha256: Sha256): Diagnosis {
  const findings: Finding[] = [];
  const report: Report = (code, subject, fact, remedy) =>
    findings.push({ code, severity: severities[code], subject, fact, remedy });
  const inPod = commandsIn(survey.netns.path);
  const nicPaths = nicPathsOf(survey, sha256);
  for (const nicPath of nicPaths) {
    const look = { nicPath, survey, report, inPod };
    bridge.stateFindings(look);
    if (nicPath.kind === "passt" || nicPath.kind === "link" || nicPath.kind === "macvtap") continue;
    bridge.partsFindings(look);
    bridge.tapFindings(look);
    guest.macFindings(look);
    guest.mtuFindings(look);
    guest.addressFindings(look);
    bridge.masqueradeFindings(look);
  }
  bridge.linkFindings(survey, report);
  passtFindings(survey, report);
  for (const vf of survey.vfs) vfFindings(vf, report);
  recordFindings(survey, report);
  differenceFindings(survey, [...findings], report);
  // Sorting keeps the order of findings with equal severity.
  return { survey, nicPaths, findings: findings.sort((one, other) => rank(one) - rank(other)) };
}

function rank({ severity }: Finding): number {
  return severity === "error" ? 0 : 1;
}

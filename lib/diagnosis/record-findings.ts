// Checks the records of a pod, and compares them with the state.
import { createdLinks, expectation, sysctlChanges } from "../plan/change.ts";
import { differences } from "../plan/differences.ts";
import { isMark } from "../plan/mark.ts";
import { withShared } from "../plan/shared.ts";
import { commandsIn, type Finding, type Report } from "./finding.ts";
import type { PodSurvey } from "./survey.ts";
import { isPassts } from "./topology.ts";

/**
 * Checks that every record is complete and belongs to this pod, and that every link of ours is
 * recorded.
 */
export function recordFindings(
  { records, allocations, unreadable, busy, links, netns }: PodSurvey,
  report: Report,
): void {
  if (busy)
    report(
      "another-call",
      netns.path,
      "another plugin call is running in this pod: the state below may be incomplete",
      "look again",
    );
  for (const { subject, fact } of unreadable)
    report(
      "record-unreadable",
      subject,
      fact,
      "a DEL that needs it fails: delete the pod, then move the file away, and the next DEL succeeds; a VF that it is about has to be given back by hand (docs/upgrading.md)",
    );
  for (const { directory, entry, pending, here } of [...records, ...allocations]) {
    const subject = `${directory}/${entry.containerId}/${entry.ifname}`;
    if (!here)
      report(
        "record-stale",
        subject,
        "belongs to a namespace that was at this path before, and no longer exists",
        "nothing, if the runtime sends DEL or GC for it; or gc",
      );
    else if (pending)
      report(
        "record-pending",
        subject,
        "its ADD has not ended: it is under way, or was killed",
        "if it lasts: delete the pod; DEL undoes what was done, and so does the next ADD",
      );
  }
  // By the mark, because a recorded link may have been renamed after ADD.
  const recorded = new Set(records.flatMap(({ entry }) => createdLinks(entry.changes).map(({ mark }) => mark)));
  const left = links.filter(({ mark }) => isMark(mark) && !recorded.has(mark));
  for (const mark of new Set(left.map((link) => link.mark)))
    report(
      "record-missing",
      left.flatMap(({ name, mark: own }) => (own === mark ? [name] : [])).join(", "),
      "created by bridge-binding but not in any record: DEL will not remove it",
      "if dataDir is set in the configuration, look again with --data-dir; else delete the pod: they go with its namespace",
    );
}

/** Reports differences from the records, except on subjects that have a finding already. */
export function differenceFindings(
  { records, links, sysctls }: PodSurvey,
  found: readonly Finding[],
  report: Report,
): void {
  const here = records.filter((record) => record.here && !record.pending);
  for (const { entry } of here.filter((record) => !isPassts(record))) {
    const siblings = here.flatMap((other) => (other.entry === entry ? [] : [other.entry]));
    const state = { links, sysctls };
    const due = withShared(entry.changes, siblings, state);
    for (const { subject, fact } of differences(expectation(due), state))
      if (!found.some((one) => one.subject === subject))
        report("record-differs", subject, fact, "find out who changed it; or delete the pod");
  }
}

/** Checks that the sysctls are still as wide as ADD set them for passt. */
export function passtFindings({ records, sysctls, netns }: PodSurvey, report: Report): void {
  const passts = records.filter((one) => one.here && isPassts(one));
  for (const { key, to } of passts.flatMap(({ entry }) => sysctlChanges(entry.changes))) {
    const found = sysctls[key] ?? "absent";
    const remedy = commandsIn(netns.path)`sysctl -w ${`${key}=${to}`}`;
    const [first, last] = found.split(" ").map(Number);
    const [dueFirst, dueLast] = to.split(" ").map(Number);
    if (key.endsWith("ip_unprivileged_port_start") && !(first! <= dueFirst!))
      report(
        "passt-ports",
        key,
        `is ${found}, not ${to}: passt cannot take ports below ${found} for the guest`,
        remedy,
      );
    if (key.endsWith("ping_group_range") && !(first! <= dueFirst! && last! >= dueLast!))
      report("passt-ping", key, `is ${found}, not ${to}: passt cannot ping for the guest`, remedy);
  }
}

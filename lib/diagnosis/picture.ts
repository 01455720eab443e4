// Draws the paths of a pod for an operator, with what each link is and what is wrong.
import { detailsOf, partsOf, passtDetails, vfDetails } from "./details.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { Finding } from "./finding.ts";
import type { PodSurvey, SurveyedLink, SurveyedVf } from "./survey.ts";
import type { NicPath } from "./topology.ts";

/** Colours a text, or returns it unchanged. */
export type Brush = Readonly<Record<"good" | "doubtful" | "bad" | "strong" | "faint", (text: string) => string>>;

/** Returns the lines of the picture and of the findings. */
export function linesOf(diagnosis: Diagnosis, brush: Brush): string[] {
  const { survey, nicPaths, findings } = diagnosis;
  const said = findings.flatMap((finding) => findingLines(finding, brush));
  return [
    ...nicPaths.flatMap((nicPath) => [...wireLines(nicPath, survey, brush), ""]),
    ...survey.vfs.flatMap((vf) => [...vfLines(vf, brush), ""]),
    ...(nicPaths.length + survey.vfs.length === 0 ? ["The pod has no links but its loopback.", ""] : []),
    ...(said.length === 0 ? [brush.good("No problems found.")] : said),
  ];
}

function wireLines(nicPath: NicPath, survey: PodSurvey, brush: Brush): string[] {
  const links = partsOf(nicPath);
  const rows = links.map((link) => [
    link.name,
    link.kind || "device",
    link.up ? "up" : "down",
    link.mac ?? "",
    `mtu ${link.mtu}`,
    detailsOf(link, nicPath, survey).join(", "),
  ]);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  const maker = nicPath.maker === "" ? "" : `    ${brush.faint(makerText(nicPath))}`;
  return [
    `${chain(nicPath, brush)}${maker}`,
    "",
    ...rows.map((row, position) => {
      const text = row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ");
      return (links[position]!.up ? brush.strong : brush.faint)(text.trimEnd());
    }),
    ...(nicPath.kind === "passt" ? [passtDetails(survey)] : []),
  ];
}

function makerText({ maker, record }: NicPath): string {
  return record === undefined ? maker : `${maker}, ${record.entry.ifname} of ${record.entry.containerId}`;
}

/**
 * Returns `network ─── eth0-nic ─── k6t-eth0 ─── tap0 ─── guest`. A joint that forwards nothing is
 * ` ╳ `, a joint that is not used yet is dotted.
 */
function chain(nicPath: NicPath, brush: Brush): string {
  const { kind, names, nic, bridge, tap, podLink } = nicPath;
  const whole = " ─── ";
  const cut = ` ${brush.bad("─╳─")} `;
  const passes = (link: SurveyedLink | undefined): boolean => link?.up === true && link.carrier;
  const hangs = (link: SurveyedLink | undefined): string =>
    link?.up && bridge?.up && link.master === bridge.name ? whole : cut;
  const called = (link: SurveyedLink | undefined, due: string): string => link?.name ?? brush.bad(`(${due})`);
  const end = `${tap?.carrier ? whole : " ┄┄┄ "}guest`;
  const first = `network${passes(kind === "bridge" ? nic : podLink) ? whole : cut}`;
  switch (kind) {
    case "bridge":
      return `${first}${called(nic, names.nic)}${hangs(nic)}${called(bridge, names.bridge)}${hangs(tap)}${called(tap, names.tap)}${end}`;
    case "masquerade":
      return `${first}${called(podLink, names.podLink)} ─NAT─ ${names.bridge}${hangs(tap)}${called(tap, names.tap)}${end}`;
    case "prepared":
      return `${first}${names.podLink}   ${names.bridge} ┄┄┄ for KubeVirt's NIC and tap`;
    case "macvtap":
      return `${first}${names.podLink}${whole}guest`;
    case "passt":
      return `${first}${names.podLink}${whole}passt${whole}guest`;
    case "link":
      return `${first}${names.podLink}`;
  }
}

function vfLines(vf: SurveyedVf, brush: Brush): string[] {
  const { device, driver, pf, handedOver } = vf;
  const [whole, cut] = [" ─── ", ` ${brush.bad("─╳─")} `];
  const join = (isWhole: boolean | undefined): string => (isWhole ? whole : cut);
  const link = pf === undefined ? brush.bad("(PF)") : pf.link;
  return [
    `network${join(pf?.up && pf.carrier)}${link}${join(vf.there)}VF ${pf?.index ?? "?"}${join(handedOver)}${driver ?? brush.bad("(VFIO)")}${vf.users.length > 0 ? whole : " ┄┄┄ "}guest    ${brush.faint("sriov-vfio")}`,
    "",
    ...(pf === undefined ? [] : [`${pf.link}  ${pf.up ? "up" : "down"}  mtu ${pf.mtu}`]),
    `${device}  ${vfDetails(vf).join(", ")}`,
  ];
}

function findingLines({ code, severity, subject, fact, remedy }: Finding, brush: Brush): string[] {
  const colour = severity === "error" ? brush.bad : brush.doubtful;
  return [
    `${colour(severity.padEnd(7))}  ${subject}: ${fact} ${brush.faint(`[${code}]`)}`,
    `         ${brush.faint("do:")} ${remedy}`,
  ];
}

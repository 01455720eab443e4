// Finds the paths of a pod: how VMs' NICs are attached to its networks. It uses KubeVirt's names,
// the ports of bridges, and the records.

import { type LinkNames, linkNames, type Sha256 } from "../kubevirt/names.ts";
import { createdLinks, sysctlChanges } from "../plan/change.ts";
import { isMark } from "../plan/mark.ts";
import type { PodSurvey, SurveyedLink, SurveyedRecord } from "./survey.ts";

/** How a VM's NIC is attached, or may be attached, to a network of the pod. */
export interface NicPath {
  /**
   * The kind of path.
   *
   * - `bridge`: network, NIC, bridge, tap, guest.
   * - `masquerade`: KubeVirt's own binding: the pod's link, and a bridge with a tap, with NAT
   *   between them.
   * - `prepared`: a bridge for managedTap, before KubeVirt has created NIC and tap.
   * - `macvtap`: the guest uses the pod's link itself.
   * - `passt`: a process serves the guest.
   * - `link`: a link without a VM, as far as can be seen.
   */
  readonly kind: "bridge" | "masquerade" | "prepared" | "macvtap" | "passt" | "link";
  /** KubeVirt's names of the links. Without a bridge only `podLink` is meaningful. */
  readonly names: LinkNames;
  /** Whether it is the pod's primary network. */
  readonly primary: boolean;
  readonly bridge?: SurveyedLink;
  readonly nic?: SurveyedLink;
  readonly tap?: SurveyedLink;
  /**
   * The link with the pod link's name: the placeholder, which KubeVirt reads, or the pod's link
   * itself.
   */
  readonly podLink?: SurveyedLink;
  /** The program that created bridge and tap. */
  readonly maker: "bridge-binding" | "passt-binding" | "KubeVirt" | "KubeVirt on bridge-binding's bridge" | "";
  readonly record?: SurveyedRecord;
}

/** The address of the bridge of KubeVirt's masquerade binding (setup/netpod/masquerade). */
const masqueradeMac = "02:00:00:00:00:00";

/** Returns the paths with a bridge, then those of the remaining links, in the kernel's order. */
export function nicPathsOf({ links, records }: Pick<PodSurvey, "links" | "records">, sha256: Sha256): NicPath[] {
  const here = records.filter((record) => record.here);
  const bridges = new Set([
    ...links.filter(({ kind, name }) => kind === "bridge" && name.startsWith("k6t-")).map(({ name }) => name),
    ...links.filter(({ name }) => name.endsWith("-nic")).map(({ name }) => `k6t-${name.slice(0, -4)}`),
    ...here.flatMap((record) => bridgeOf(record) ?? []),
  ]);
  const at = (name: string): NicPath => wireAt(name, { links, records: here }, sha256);
  const named = [...bridges].map(at);
  // Bridges of other programs, unless the tap belongs to one of these paths.
  const others = links.flatMap(({ name, kind, master }) =>
    kind !== "tap" || master === undefined || bridges.has(master) || named.some(({ tap }) => tap?.name === name)
      ? []
      : [master],
  );
  const nicPaths = [...named, ...[...new Set(others)].map(at)];
  const wired = new Set(
    nicPaths.flatMap(({ bridge, nic, tap, podLink, names }) => [
      ...[bridge, nic, tap, podLink].map((link) => link?.name),
      ...links.filter(({ master }) => master === names.bridge).map(({ name }) => name),
    ]),
  );
  const left = links.filter(({ name }) => name !== "lo" && !wired.has(name));
  const passt = here.find(isPassts);
  // With a user-defined primary network, eth0 exists as well and is not the primary link.
  const served = left.find(leadsOut) ?? left.find(isPrimary) ?? left[0];
  return [
    ...nicPaths,
    ...left.map((podLink): NicPath => {
      const isServed = passt !== undefined && podLink === served;
      return {
        kind: podLink.kind === "macvtap" ? "macvtap" : isServed ? "passt" : "link",
        names: linkNames(podLink.name, isPrimary(podLink), sha256),
        primary: isPrimary(podLink),
        podLink,
        maker: isServed ? "passt-binding" : "",
        ...(isServed && { record: passt }),
      };
    }),
  ];
}

/** Whether the record is one of passt-binding: it changes only sysctls. */
export function isPassts({ entry: { changes } }: SurveyedRecord): boolean {
  return changes.length > 0 && sysctlChanges(changes).length === changes.length;
}

/** Returns the link with that name that the record created. */
export function recordedLink({ entry: { changes } }: SurveyedRecord, name: string) {
  return createdLinks(changes).find((link) => link.name === name);
}

/** Returns the bridge of the record. Undefined if it has none. */
function bridgeOf({ entry: { changes } }: SurveyedRecord): string | undefined {
  // A placeholder may be a bridge too. It is created last.
  return createdLinks(changes).find(({ kind }) => kind === "bridge")?.name;
}

/** Whether a default route uses the link. */
function leadsOut({ routes }: SurveyedLink): boolean {
  return routes.some(({ destination }) => destination === undefined);
}

/** By its name: a secondary network's link is `pod` and a hash, or `net` and a number. */
function isPrimary({ name }: { readonly name: string }): boolean {
  return !/^(pod[0-9a-f]{11}|net\d{1,4})$/.test(name);
}

function wireAt(bridgeName: string, { links, records }: Pick<PodSurvey, "links" | "records">, sha256: Sha256): NicPath {
  const named = (name: string): SurveyedLink | undefined => links.find((link) => link.name === name);
  const record = records.find((one) => bridgeOf(one) === bridgeName);
  const bridge = named(bridgeName);
  const ports = links.filter(({ master }) => master === bridgeName);
  const podLinkName = podLinkOf(bridgeName, links, sha256);
  const [asPrimary, asSecondary] = [true, false].map((primary) => linkNames(podLinkName, primary, sha256));
  // A link of a secondary network may have any name.
  const primary = isPrimary({ name: podLinkName }) && !ports.some(({ name }) => name === asSecondary!.tap);
  const names = { ...(primary ? asPrimary! : asSecondary!), bridge: bridgeName };
  // A bridge that KubeVirt does not know has no other name.
  const podLink = podLinkName === bridgeName ? undefined : named(podLinkName);
  const tap = named(names.tap) ?? ports.find(({ kind }) => kind === "tap" || kind === "tun");
  const nic = named(names.nic) ?? ports.find((port) => port !== tap);
  const isOriginal = podLink !== undefined && !isPlaceholder(podLink, links);
  const isOurs = record !== undefined || (bridge !== undefined && isMark(bridge.mark));
  const isWhole = nic !== undefined || !isOriginal || bridge === undefined;
  const kind = isWhole || (isOurs && tap) ? "bridge" : bridge.mac === masqueradeMac || tap ? "masquerade" : "prepared";
  const isTapOurs = tap === undefined || isMark(tap.mark);
  return {
    kind,
    names,
    primary,
    maker: !isOurs ? "KubeVirt" : isTapOurs ? "bridge-binding" : "KubeVirt on bridge-binding's bridge",
    ...(bridge !== undefined && { bridge }),
    ...(nic !== undefined && { nic }),
    ...(tap !== undefined && { tap }),
    ...(podLink !== undefined && { podLink }),
    ...(record !== undefined && { record }),
  };
}

/**
 * Returns the pod link of a bridge: an existing link, or the one that the bridge's name stands for.
 */
function podLinkOf(bridge: string, links: readonly SurveyedLink[], sha256: Sha256): string {
  const there = links.find(({ name }) => linkNames(name, true, sha256).bridge === bridge);
  if (there !== undefined) return there.name;
  const stem = bridge.replace(/^k6t-/, "");
  return /^[0-9a-f]{11}$/.test(stem) ? `pod${stem}` : stem;
}

/**
 * Whether the link is a placeholder: a dummy, or a bridge without ports on a kernel without
 * dummies.
 */
export function isPlaceholder({ kind, name }: SurveyedLink, links: readonly SurveyedLink[]): boolean {
  return kind === "dummy" || (kind === "bridge" && !links.some(({ master }) => master === name));
}

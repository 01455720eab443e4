// From a pod's links to the ways in which VMs' NICs hang on its networks: by KubeVirt's names, by
// who is whose port, and by what is recorded.

import { type LinkNames, linkNames, type Sha256 } from "../kubevirt/names.ts";
import { createdLinks, sysctlChanges } from "../plan/change.ts";
import { isMark } from "../plan/mark.ts";
import type { PodSurvey, SurveyedLink, SurveyedRecord } from "./survey.ts";

/** How a VM's NIC hangs, or may come to hang, on a network of the pod. */
export interface NicPath {
  /**
   * `bridge`: network, NIC, bridge, tap, guest. `masquerade`: KubeVirt's own, the pod's link and a
   * bridge with a tap, and NAT between them. `prepared`: a bridge for managedTap, before KubeVirt
   * has made NIC and tap. `macvtap`: the guest has the pod's link itself. `passt`: a process serves
   * the guest. `link`: a link that no VM hangs on, as far as can be seen.
   */
  readonly kind: "bridge" | "masquerade" | "prepared" | "macvtap" | "passt" | "link";
  /** What KubeVirt calls the links; of those without a bridge only `podLink` means something. */
  readonly names: LinkNames;
  /** Whether it is the pod's primary network. */
  readonly primary: boolean;
  readonly bridge?: SurveyedLink;
  readonly nic?: SurveyedLink;
  readonly tap?: SurveyedLink;
  /**
   * What has the pod link's name: the placeholder, which tells KubeVirt of the guest, or the pod's
   * link itself.
   */
  readonly podLink?: SurveyedLink;
  /** Who made bridge and tap. */
  readonly maker: "bridge-binding" | "passt-binding" | "KubeVirt" | "KubeVirt on bridge-binding's bridge" | "";
  readonly record?: SurveyedRecord;
}

/** KubeVirt's own masquerade binding gives its bridge this one (setup/netpod/masquerade). */
const masqueradeMac = "02:00:00:00:00:00";

/** All of them: those with a bridge first, then the links that are left, in the kernel's order. */
export function nicPathsOf({ links, records }: Pick<PodSurvey, "links" | "records">, sha256: Sha256): NicPath[] {
  const here = records.filter((record) => record.here);
  const bridges = new Set([
    ...links.filter(({ kind, name }) => kind === "bridge" && name.startsWith("k6t-")).map(({ name }) => name),
    ...links.filter(({ name }) => name.endsWith("-nic")).map(({ name }) => `k6t-${name.slice(0, -4)}`),
    ...here.flatMap((record) => bridgeOf(record) ?? []),
  ]);
  const at = (name: string): NicPath => wireAt(name, { links, records: here }, sha256);
  const named = [...bridges].map(at);
  // And those of others, unless it is a tap of one of these that went astray.
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
  // With a user-defined primary network eth0 is there as well, and not the one.
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

/** Whether the record is one of passt-binding: it changes sysctls alone. */
export function isPassts({ entry: { changes } }: SurveyedRecord): boolean {
  return changes.length > 0 && sysctlChanges(changes).length === changes.length;
}

/** The link of the name in what a record made. */
export function recordedLink({ entry: { changes } }: SurveyedRecord, name: string) {
  return createdLinks(changes).find((link) => link.name === name);
}

/** The bridge that the record is about; undefined where it is about none. */
function bridgeOf({ entry: { changes } }: SurveyedRecord): string | undefined {
  // A placeholder may be a bridge, too: it is made last.
  return createdLinks(changes).find(({ kind }) => kind === "bridge")?.name;
}

/** Whether a default route goes by the link. */
function leadsOut({ routes }: SurveyedLink): boolean {
  return routes.some(({ destination }) => destination === undefined);
}

/** By its name: a secondary network's is `pod` and a hash, or `net` and a number. */
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
  // A secondary network's link may have any name.
  const primary = isPrimary({ name: podLinkName }) && !ports.some(({ name }) => name === asSecondary!.tap);
  const names = { ...(primary ? asPrimary! : asSecondary!), bridge: bridgeName };
  // The bridge's own name is what is left of one that KubeVirt does not know.
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
 * The pod link whose bridge is called so: that of a link that is there, or what the name stands
 * for.
 */
function podLinkOf(bridge: string, links: readonly SurveyedLink[], sha256: Sha256): string {
  const there = links.find(({ name }) => linkNames(name, true, sha256).bridge === bridge);
  if (there !== undefined) return there.name;
  const stem = bridge.replace(/^k6t-/, "");
  return /^[0-9a-f]{11}$/.test(stem) ? `pod${stem}` : stem;
}

/**
 * What stands in for a pod's link: a dummy, or a bridge without ports where the kernel has no
 * dummies.
 */
export function isPlaceholder({ kind, name }: SurveyedLink, links: readonly SurveyedLink[]): boolean {
  return kind === "dummy" || (kind === "bridge" && !links.some(({ master }) => master === name));
}

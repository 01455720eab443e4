// A diagnosis for machines. What is here stays as it is; there may come more.
import { factText } from "../fact.ts";
import { addressText } from "../plan/address.ts";
import type { ObservedTap } from "../plan/state.ts";
import { detailsOf, partsOf } from "./details.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { Finding } from "./finding.ts";
import type { SurveyedVf } from "./survey.ts";
import type { NicPath } from "./topology.ts";

/** What `diagnose --json` prints. */
export interface Document {
  /** Of this shape; another number where something that is here changes or goes. */
  readonly version: 1;
  readonly netns: { readonly path: string; readonly inode: number };
  /** Whether there are no findings: exit status 0. */
  readonly healthy: boolean;
  readonly wires: readonly DocumentWire[];
  readonly vfs: readonly DocumentVf[];
  /** By name, as the kernel shows them. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Errors before warnings; `code` is one of those that docs/diagnose.md lists. */
  readonly findings: readonly Finding[];
}

/** One way in which a VM's NIC hangs, or may come to hang, on a network. */
export interface DocumentWire {
  readonly kind: NicPath["kind"];
  /**
   * `bridge-binding`, `passt-binding`, `KubeVirt`, `KubeVirt on bridge-binding's bridge`, or
   * nothing.
   */
  readonly maker: NicPath["maker"];
  /** The attachment that the record is of; absent without one. */
  readonly attachment?: { readonly containerId: string; readonly ifname: string; readonly pending: boolean };
  /** What KubeVirt expects the links to be called. */
  readonly names: NicPath["names"];
  /** From the network to the guest; last what has the pod link's name. */
  readonly links: readonly DocumentLink[];
}

export interface DocumentLink {
  readonly name: string;
  /** Its role in the path. */
  readonly role: "nic" | "bridge" | "tap" | "podLink";
  /** `veth`, `bridge`, `tap`, `dummy`, ...; empty for a device that has no kind. */
  readonly kind: string;
  readonly up: boolean;
  /** Of a tap: whether it is open. */
  readonly carrier: boolean;
  readonly mac?: string;
  readonly mtu: number;
  readonly master?: string;
  /** Such as `10.244.0.7/24`, link-local ones among them. */
  readonly addresses: readonly string[];
  readonly tap?: ObservedTap;
  /** In words, for people. */
  readonly details: readonly string[];
}

/** A VF, its PF's differences in words. */
export interface DocumentVf extends Omit<SurveyedVf, "pf"> {
  readonly pf?: Omit<NonNullable<SurveyedVf["pf"]>, "differences"> & { readonly differences: readonly string[] };
}

/** The document of a diagnosis. */
export function documentOf({ survey, nicPaths, findings }: Diagnosis): Document {
  const { netns, vfs, sysctls } = survey;
  return {
    version: 1,
    netns,
    healthy: findings.length === 0,
    wires: nicPaths.map((nicPath) => {
      const { kind, maker, names, record } = nicPath;
      const roles = (["nic", "bridge", "tap", "podLink"] as const).map((role) => [role, nicPath[role]] as const);
      return {
        kind,
        maker,
        ...(record && {
          attachment: {
            containerId: record.entry.containerId,
            ifname: record.entry.ifname,
            pending: record.pending,
          },
        }),
        names,
        links: partsOf(nicPath).map((link): DocumentLink => {
          const { name, up, carrier, mac, mtu, master, tap } = link;
          const role = roles.find(([, one]) => one === link)![0];
          return {
            name,
            role,
            kind: link.kind,
            up,
            carrier,
            ...(mac !== undefined && { mac }),
            mtu,
            ...(master !== undefined && { master }),
            addresses: link.addresses.map(addressText),
            ...(tap && { tap }),
            details: detailsOf(link, nicPath, survey),
          };
        }),
      };
    }),
    vfs: vfs.map(({ pf, ...vf }) => ({
      ...vf,
      ...(pf && { pf: { ...pf, differences: pf.differences.map(factText) } }),
    })),
    sysctls,
    findings,
  };
}

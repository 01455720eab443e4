// A diagnosis as a JSON document. Its fields are stable; new ones may be added.
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
  /** The version of the shape. It changes if a field changes or is removed. */
  readonly version: 1;
  readonly netns: { readonly path: string; readonly inode: number };
  /** Whether there are no findings: exit status 0. */
  readonly healthy: boolean;
  readonly wires: readonly DocumentWire[];
  readonly vfs: readonly DocumentVf[];
  /** By name, with the kernel's values. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Errors before warnings. docs/diagnose.md lists every `code`. */
  readonly findings: readonly Finding[];
}

/** How a VM's NIC is attached, or may be attached, to a network. */
export interface DocumentWire {
  readonly kind: NicPath["kind"];
  /**
   * `bridge-binding`, `passt-binding`, `KubeVirt`, `KubeVirt on bridge-binding's bridge`, or empty.
   */
  readonly maker: NicPath["maker"];
  /** The attachment of the record. Absent without a record. */
  readonly attachment?: { readonly containerId: string; readonly ifname: string; readonly pending: boolean };
  /** The names that KubeVirt expects of the links. */
  readonly names: NicPath["names"];
  /** From the network to the guest, then the link with the pod link's name. */
  readonly links: readonly DocumentLink[];
}

export interface DocumentLink {
  readonly name: string;
  /** Its role in the path. */
  readonly role: "nic" | "bridge" | "tap" | "podLink";
  /** `veth`, `bridge`, `tap`, `dummy`, .... Empty for a device without a kind. */
  readonly kind: string;
  readonly up: boolean;
  /** For a tap: whether a process has it open. */
  readonly carrier: boolean;
  readonly mac?: string;
  readonly mtu: number;
  readonly master?: string;
  /** Such as `10.244.0.7/24`, including link-local ones. */
  readonly addresses: readonly string[];
  readonly tap?: ObservedTap;
  /** For operators, in words. */
  readonly details: readonly string[];
}

/** A VF. The differences at its PF are in words. */
export interface DocumentVf extends Omit<SurveyedVf, "pf"> {
  readonly pf?: Omit<NonNullable<SurveyedVf["pf"]>, "differences"> & { readonly differences: readonly string[] };
}

/** Returns the document of a diagnosis. */
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

// What a real kernel has in its sysfs, and answered, as captures/capture.py recorded it.
import { readFileSync } from "node:fs";

type Refused = { readonly code: string };

export interface Capture {
  readonly kernel: string;
  /**
   * The PCI addresses of the physical function eth0, of eth1, of eth0's root port and of eth0's
   * VFs.
   */
  readonly pf: string;
  readonly other: string;
  readonly port: string;
  readonly vfs: readonly string[];
  /** The IOMMU group of VF 1. */
  readonly group: string;
  readonly tree: Readonly<Record<string, string | { readonly link: string } | { readonly names: string[] } | Refused>>;
  /** What was done, on what, and its outcome. */
  readonly deeds: readonly (readonly [what: string, ...rest: unknown[]])[];
}

export const capture: Capture = JSON.parse(
  readFileSync(new URL("captures/igb-6.1.json", import.meta.url), "utf8"),
  // Python's name of the same number.
  (key, value) => (key === "code" && value === "ENOTSUP" ? "EOPNOTSUPP" : value),
);

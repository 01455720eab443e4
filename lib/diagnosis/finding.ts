// Findings: each has a stable code for alerts and runbooks.
import { shellWord } from "../shell.ts";

/**
 * Every code, with its severity. An `error` means that the guest has no network, or that the VM
 * does not start. A `warning` may lead to that. docs/diagnose.md lists all of them.
 */
export const severities = {
  "another-call": "warning",
  "record-unreadable": "warning",
  "record-stale": "warning",
  "record-pending": "error",
  "record-missing": "warning",
  "record-differs": "warning",
  "bridge-missing": "error",
  "nic-missing": "error",
  "tap-missing": "error",
  "pod-link-missing": "error",
  "not-a-port": "error",
  "link-down": "error",
  "no-carrier": "error",
  "port-state": "error",
  "port-isolated": "error",
  "placeholder-up": "warning",
  "name-unexpected": "error",
  "name-ordinal": "error",
  "tap-type": "error",
  "tap-owner": "error",
  "tap-persist": "error",
  "tap-unused": "warning",
  "tap-offload": "warning",
  "mac-doubled": "error",
  "mac-macvlan": "error",
  "mac-unseen": "warning",
  "mtu-shrinks": "error",
  "address-lost": "error",
  "address-none": "warning",
  "address-on-plumbing": "error",
  "address-learnt": "warning",
  "address-duplicate": "error",
  "ipv6-off": "error",
  "arp-ignore": "error",
  "forwarding-off": "error",
  "learning-on": "warning",
  "stp-on": "warning",
  "vlan-gap": "error",
  "passt-ports": "error",
  "passt-ping": "error",
  "vf-gone": "error",
  "vf-driver": "error",
  "vf-group": "error",
  "vf-file": "error",
  "vf-settings": "error",
  "vf-twin": "warning",
  "pf-fault": "error",
  "pf-down": "error",
  "pf-no-carrier": "error",
} as const;

export type Code = keyof typeof severities;

/** One finding of a diagnosis. */
export interface Finding {
  readonly code: Code;
  readonly severity: "error" | "warning";
  /** A link, a sysctl, a device, or a record. */
  readonly subject: string;
  /** What is wrong: `is down`. */
  readonly fact: string;
  /** What to do: a command if one repairs it. */
  readonly remedy: string;
}

/** Reports a finding. */
export type Report = (code: Code, subject: string, fact: string, remedy: string) => void;

/**
 * Returns the command line that runs a command in the pod's namespace. It is the tag of a template,
 * whose values are quoted for the shell.
 */
export type InPod = (texts: readonly string[], ...values: readonly (string | number | undefined)[]) => string;

/** Returns the tag for the namespace at a path. */
export function commandsIn(path: string): InPod {
  return (texts, ...values) =>
    `nsenter --net=${shellWord(path)} ${texts.map((text, at) => (at < values.length ? text + shellWord(`${values[at]}`) : text)).join("")}`;
}

// What a diagnosis finds: each kind by a code that stays the same from release to release, so that
// alerts and runbooks can go by it.
import { shellWord } from "../shell.ts";

/**
 * Every code. An `error` keeps the guest, or the VM's start, from what is due to it; a `warning`
 * does so under circumstances, or will. docs/diagnose.md lists them all.
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

/** One finding. */
export interface Finding {
  readonly code: Code;
  readonly severity: "error" | "warning";
  /** What it is about: a link, a sysctl, a device, a record. */
  readonly subject: string;
  /** What is so, and ought not to be: `is down`. */
  readonly fact: string;
  /** What to do about it, as a command where one does it. */
  readonly remedy: string;
}

/** Takes what was found. */
export type Report = (code: Code, subject: string, fact: string, remedy: string) => void;

/**
 * The command line that runs a command in the pod's namespace: a template, whose values are for the
 * shell as they are, whatever is in them.
 */
export type InPod = (texts: readonly string[], ...values: readonly (string | number | undefined)[]) => string;

/** Makes commands for the namespace at a path. */
export function commandsIn(path: string): InPod {
  return (texts, ...values) =>
    `nsenter --net=${shellWord(path)} ${texts.map((text, at) => (at < values.length ? text + shellWord(`${values[at]}`) : text)).join("")}`;
}

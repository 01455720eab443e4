// Writes one line of logfmt about a call: to standard error, and to a file if the netconf names
// one.

import { printable, printableJson } from "../printable.ts";
import { openTrusted } from "../trusted-directory.ts";
import { parseArgs, type Variables } from "./environment.ts";
import { explainFailure } from "./failure.ts";
import type { Logging } from "./netconf.ts";
import { roots } from "./roots.ts";
import type { System } from "./system.ts";
import type { Verb, Version } from "./versions.ts";

/** The outcome of a call. */
export interface Account {
  readonly plugin: string;
  readonly env: Variables;
  readonly verb: Verb | undefined;
  readonly version: Version;
  /** The network's name, if it is known. */
  readonly network?: string | undefined;
  /** The warnings for the operator. */
  readonly warnings: readonly string[];
  /** The thrown value. Absent if the call succeeded. */
  readonly failure?: { readonly thrown: unknown } | undefined;
  /** The duration in milliseconds. */
  readonly took: number;
}

const ranks = { error: 0, warn: 1, info: 2 } as const;

/**
 * Writes the line about a call if the netconf asks for its level: `error` for a failure, `warn` for
 * a success with warnings, otherwise `info`.
 *
 * Apart from messages and warnings, the line contains only the network's name of the netconf, and
 * only the pod of CNI_ARGS. If it cannot be written, the call does not fail.
 */
export function log(account: Account, { logLevel, logFile }: Logging, system: System): void {
  const level = account.failure !== undefined ? "error" : account.warnings.length > 0 ? "warn" : "info";
  if (ranks[level] > ranks[logLevel]) return;
  const line = `${lineOf(account, level, system.time())}\n`;
  system.writeStderr(line);
  if (logFile === undefined) return;
  try {
    const directory = openTrusted(system, roots().log, { create: true })!;
    system.appendFile(logFile.slice(logFile.lastIndexOf("/") + 1), line, { in: directory });
    system.close(directory);
  } catch (failure) {
    system.writeStderr(`${account.plugin}: logFile: ${printable((failure as Error).message)}\n`);
  }
}

function lineOf({ plugin, env, verb, version, network, warnings, failure, took }: Account, level: string, now: number) {
  const why = failure && explainFailure(failure.thrown);
  const facts = {
    time: timestamp(now),
    level,
    plugin,
    verb: verb ?? env.CNI_COMMAND,
    network,
    containerID: env.CNI_CONTAINERID,
    ifname: env.CNI_IFNAME,
    netns: env.CNI_NETNS,
    pod: podIn(env.CNI_ARGS),
    cniVersion: version,
    ms: took.toFixed(1),
    warning: warnings.join("; "),
    code: why?.code.toString(),
    msg: why?.msg,
    details: why?.details,
  };
  return Object.entries(facts)
    .flatMap(([name, value]) => (value === undefined || value === "" ? [] : [`${name}=${worded(value)}`]))
    .join(" ");
}

/**
 * Returns the pod as `namespace/name`, from the keys that kubelet's CRI sets. Undefined without
 * them.
 */
function podIn(text: string | undefined): string | undefined {
  try {
    const { K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name } = parseArgs(text);
    return name === undefined ? undefined : `${namespace ?? ""}/${name}`;
  } catch {
    return undefined;
  }
}

/** The longest value that is written whole, in characters. */
const longest = 2000;

/** Formats a value for logfmt: bare if it is one word, otherwise quoted, and printable. */
function worded(value: string): string {
  const text = value.length > longest ? `${value.slice(0, longest)}…` : value;
  return /^[\w./:+-]+$/.test(text) ? text : printableJson(text);
}

/** Formats milliseconds since 1970 as RFC 3339 in UTC: the engine has no Date. */
export function timestamp(milliseconds: number): string {
  const days = Math.floor(milliseconds / 86_400_000);
  const rest = Math.floor(milliseconds - days * 86_400_000);
  // Counted from 0000-03-01, so that a leap day is the last day of a year: eras of 400 years,
  // years, months of 30.6 days.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const years = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = years + era * 400 + (month <= 2 ? 1 : 0);
  const two = (number: number): string => `${number}`.padStart(2, "0");
  const [hours, minutes, seconds] = [rest / 3_600_000, (rest / 60_000) % 60, (rest / 1000) % 60].map(Math.floor);
  const clock = `${two(hours!)}:${two(minutes!)}:${two(seconds!)}.${`${rest % 1000}`.padStart(3, "0")}`;
  return `${`${year}`.padStart(4, "0")}-${two(month)}-${two(day)}T${clock}Z`;
}

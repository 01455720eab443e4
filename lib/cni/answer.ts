// Answers one call of a runtime: reads the environment and standard input, prints one JSON document
// or none, and returns the exit status.
import { isErrno } from "../errno.ts";
import { decodeConfiguration, maxConfiguration, networkName } from "./configuration.ts";
import { requireEnvironment, type Variables, verbOf } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import { errorDocument } from "./failure.ts";
import { log } from "./log.ts";
import { loggingOf } from "./netconf.ts";
import type { Call, Plugin } from "./plugin.ts";
import type { System } from "./system.ts";
import { type ParsedCall, type Progress, verbs } from "./verbs.ts";
import { configVersion, newest, requireVerb, type Verb, versions } from "./versions.ts";

/**
 * Serves the verb in CNI_COMMAND. Returns the exit status: 0, or 1 after an error was printed.
 *
 * VERSION reads nothing and calls no other plugin. Without CNI_COMMAND an operator runs the plugin
 * by hand: it prints what it is to standard error.
 *
 * @param prepare is called before any other verb; what it throws is the call's failure
 */
export function answer<C, D>(plugin: Plugin<C, D>, system: System, prepare: () => void = () => undefined): number {
  const env = system.env();
  const command = env.CNI_COMMAND;
  if (command === "VERSION") {
    system.writeStdout(`${JSON.stringify({ cniVersion: newest, supportedVersions: versions })}\n`);
    return 0;
  }
  if (command === undefined || command === "") {
    system.writeStderr(`${plugin.name}: ${plugin.about}\nCNI protocol versions supported: ${versions.join(", ")}\n`);
    return 0;
  }
  const start = system.monotonic();
  const progress: Progress = { version: newest, verb: undefined, object: {}, warnings: [], printing: false };
  let failure: { readonly thrown: unknown } | undefined;
  try {
    const verb = verbOf(command);
    progress.verb = verb;
    prepare();
    verbs[verb](request(plugin, system, { env, verb, progress }));
  } catch (thrown) {
    failure = { thrown };
  }
  try {
    // Part of the result may be printed already. With an error after it the runtime could parse
    // neither.
    if (failure !== undefined && !progress.printing)
      system.writeStdout(`${errorDocument(failure.thrown, progress.version, progress.verb)}\n`);
  } finally {
    const { version, verb, object, warnings } = progress;
    const network = typeof object.name === "string" ? object.name : undefined;
    const took = system.monotonic() - start;
    log({ plugin: plugin.name, env, verb, version, network, warnings, failure, took }, loggingOf(object), system);
  }
  return failure === undefined ? 0 : 1;
}

function request<C, D>(
  plugin: Plugin<C, D>,
  system: System,
  { env, verb, progress }: { env: Variables; verb: Exclude<Verb, "VERSION">; progress: Progress },
): ParsedCall<C, D> {
  requireEnvironment(verb, env);
  const raw = readConfiguration(system);
  const object = decodeConfiguration(raw);
  progress.object = object;
  progress.version = configVersion(object.cniVersion);
  requireVerb(verb, progress.version);
  const warn = (text: string): void => {
    progress.warnings.push(text);
  };
  const call: Call = {
    network: networkName(object),
    cniVersion: progress.version,
    object,
    warn,
  };
  return { plugin, system, env, progress, call, raw };
}

function readConfiguration(system: System): string {
  try {
    return system.readStdin(maxConfiguration);
  } catch (cause) {
    if (isErrno(cause, "EFBIG")) throw new CniError(code.decoding, "netconf: is longer than 1 MiB");
    if (isErrno(cause, "EILSEQ")) throw new CniError(code.decoding, "netconf: is not UTF-8");
    throw new CniError(code.io, "netconf: standard input cannot be read", "", { cause });
  }
}

// The verbs: what each of them demands of a call that is well formed, and what it does around the
// plugin's own part.
import { asOne, failuresOf, throwAll } from "../failures.ts";
import { ipamType, validAttachments } from "./configuration.ts";
import { nowhere, readResult, writeResult } from "./conversion.ts";
import { type Delegation, delegate, delegateAdd } from "./delegation.ts";
import { parseArgs, type Variables } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import { openNetns, openNetnsIfThere } from "./netns.ts";
import type { AddCall, AttachmentParameters, Call, DelCall, Plugin } from "./plugin.ts";
import type { Result } from "./results.ts";
import type { System } from "./system.ts";
import type { Verb, Version } from "./versions.ts";

/** How far a call has come, for the one who tells of its failure. */
export interface Progress {
  version: Version;
  verb: Verb | undefined;
  /** The configuration, empty until it is decoded. */
  object: JsonObject;
  /** What the operator is to be told. */
  readonly warnings: string[];
  /** Whether some of the result may be out. */
  printing: boolean;
}

/** A call that is well formed. */
export interface ParsedCall<C, D> {
  readonly plugin: Plugin<C, D>;
  readonly system: System;
  readonly env: Variables;
  readonly progress: Progress;
  readonly call: Call;
  /** The configuration's text. */
  readonly raw: string;
}

/** What serves each verb. What it throws is the call's failure. */
export const verbs = { ADD: add, DEL: del, CHECK: check, GC: gc, STATUS: status } as const;

function add<C, D>(request: ParsedCall<C, D>): void {
  const { plugin, system, env, progress, call } = request;
  const delegation = ipamOf(request);
  const conf = plugin.schema.parse(call.object);
  const target = targetOf(env, call);
  const netns = openNetns(env, system);

  let assigned = false;
  const assign = (): Result => {
    const result = delegateAdd(delegation!, system);
    assigned = true;
    return result;
  };
  const release = (): void => {
    if (assigned) delegate("DEL", delegation!, system);
  };
  const attachment: AddCall<C> = {
    ...call,
    ...target,
    conf,
    netns,
    ...(delegation !== undefined && { ipam: { add: assign } }),
  };

  const undone = (failure: unknown, ...undo: readonly (() => void)[]): unknown => {
    system.ignoreSignals();
    return asOne([failure, ...failuresOf(undo)]);
  };
  let result: Result;
  try {
    result = plugin.add(attachment);
  } catch (failure) {
    throw undone(failure, release);
  }
  try {
    const document = `${JSON.stringify(documentOf(result, call, target.prevResult))}\n`;
    progress.printing = true;
    system.writeStdout(document);
  } catch (failure) {
    // Nobody has read a result, so the runtime takes the ADD for failed: nothing may be left of it.
    const detachment: DelCall<D> = { ...call, ...target, netns, conf: plugin.schema.salvage(call.object) };
    throw undone(failure, () => plugin.del(detachment), release);
  }
}

/**
 * Whatever has become of the configuration since ADD, of prevResult and of CNI_ARGS must not keep
 * DEL from cleaning up: of the configuration only the name and the version are demanded,
 * the plugin is given what else of it is valid, and the rest is passed over.
 */
function del<C, D>(request: ParsedCall<C, D>): void {
  const { plugin, system, env, call } = request;
  const delegation = orNothing(call, () => ipamOf(request));
  const conf = plugin.schema.salvage(call.object, call.warn);
  const target = salvagedTarget(env, call);
  const netns = openNetnsIfThere(env, system);
  system.ignoreSignals();
  runAll(
    () => plugin.del({ ...call, ...target, conf, ...(netns !== undefined && { netns }) }),
    () => passOn("DEL", delegation, system),
  );
}

function check<C, D>(request: ParsedCall<C, D>): void {
  const { plugin, system, env, call } = request;
  const delegation = ipamOf(request);
  const conf = plugin.schema.parse(call.object);
  const { prevResult, ...target } = targetOf(env, call);
  if (prevResult === undefined)
    throw new CniError(code.badConfiguration, "prevResult: is missing, CHECK needs the result of ADD");
  const netns = openNetns(env, system);
  runAll(
    () => plugin.check({ ...call, ...target, prevResult, conf, netns }),
    () => passOn("CHECK", delegation, system),
  );
}

/**
 * As lenient as DEL, for the same reason; but what is not a list of attachments is no reason to
 * remove any.
 */
function gc<C, D>(request: ParsedCall<C, D>): void {
  const { plugin, system, call } = request;
  const valid = validAttachments(call.object);
  const delegation = orNothing(call, () => ipamOf(request));
  const conf = plugin.schema.salvage(call.object, call.warn);
  runAll(
    () => {
      if (valid !== undefined) plugin.gc({ ...call, conf, valid });
    },
    () => passOn("GC", delegation, system),
  );
}

function status<C, D>(request: ParsedCall<C, D>): void {
  const { plugin, system, call } = request;
  const delegation = ipamOf(request);
  const conf = plugin.schema.parse(call.object);
  runAll(
    () => plugin.status({ ...call, conf }),
    () => passOn("STATUS", delegation, system),
  );
}

// ---- what several of them need

/**
 * The IPAM plugin that the configuration names. Throws a CniError 2 where the plugin has no use for
 * one.
 */
export function ipamTypeFor({ name, ipam }: { readonly name: string; readonly ipam?: boolean }, object: JsonObject) {
  const type = ipamType(object);
  if (type === undefined || ipam === true) return type;
  throw new CniError(code.unsupportedField, `ipam.type: ${type} is not used: ${name} assigns no addresses`);
}

/** The IPAM plugin to delegate to. Throws as {@link ipamTypeFor} does. */
function ipamOf<C, D>({ plugin, env, call, raw }: ParsedCall<C, D>): Delegation | undefined {
  const type = ipamTypeFor(plugin, call.object);
  return type === undefined ? undefined : { type, env, raw, cniVersion: call.cniVersion };
}

function passOn(verb: "DEL" | "CHECK" | "GC" | "STATUS", delegation: Delegation | undefined, system: System): void {
  if (delegation !== undefined) delegate(verb, delegation, system);
}

function targetOf(env: Variables, call: Call): AttachmentParameters {
  const prevResult = previousOf(call);
  return { ...attachmentOf(env), args: parseArgs(env.CNI_ARGS), ...(prevResult !== undefined && { prevResult }) };
}

function salvagedTarget(env: Variables, call: Call): AttachmentParameters {
  const prevResult = orNothing(call, () => previousOf(call));
  const args = orNothing(call, () => parseArgs(env.CNI_ARGS)) ?? {};
  return { ...attachmentOf(env), args, ...(prevResult !== undefined && { prevResult }) };
}

function attachmentOf(env: Variables): Pick<AttachmentParameters, "containerId" | "ifname"> {
  return { containerId: env.CNI_CONTAINERID!, ifname: env.CNI_IFNAME! };
}

/**
 * Throws a CniError 7 where prevResult is there, and is no result, or one that cannot be put into
 * the version that is asked for.
 */
export function previousOf({
  object: { prevResult },
  cniVersion,
}: Pick<Call, "object" | "cniVersion">): Result | undefined {
  if (prevResult === undefined || prevResult === null) return undefined;
  if (isObject(prevResult)) {
    const result = readResult(prevResult, cniVersion, "prevResult");
    // In the same version it is passed on as it came, whatever is in it.
    const faults = (prevResult.cniVersion ?? cniVersion) === cniVersion ? [] : nowhere(result);
    if (faults.length === 0) return result;
    throw new CniError(
      code.badConfiguration,
      faults.map((fault) => `prevResult.${fault}`),
    );
  }
  throw new CniError(code.badConfiguration, "prevResult: must be an object");
}

/** The document that ADD prints. A prevResult that is passed on is printed as it came. */
function documentOf(result: Result, { object, cniVersion }: Call, previous: Result | undefined): JsonObject {
  const came = object.prevResult as JsonObject | undefined;
  const same = previous !== undefined && (came?.cniVersion ?? cniVersion) === cniVersion;
  if (same && result === previous) return { ...came, cniVersion };
  return writeResult(result, cniVersion, same ? previous : undefined);
}

/**
 * For the verbs that clean up: what cannot be read is as if it were not there, and the operator is
 * told.
 */
function orNothing<T>({ warn }: Call, read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (failure) {
    warn(`${(failure as Error).message}; ignored`);
    return undefined;
  }
}

/** Runs all of them, whatever becomes of the others, and throws what failed. */
function runAll(...tasks: readonly (() => void)[]): void {
  throwAll(failuresOf(tasks));
}

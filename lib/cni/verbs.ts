// The verbs: what each requires of a well-formed call, and what it does before and after the
// plugin's own part.
import { asOne, failuresOf, throwAll } from "../failures.ts";
import { printableJson } from "../printable.ts";
import { ipamType, validAttachments } from "./configuration.ts";
import { danglingIps, readResult, writeResult } from "./conversion.ts";
import { type Delegation, delegate, delegateAdd } from "./delegation.ts";
import { parseArgs, type Variables } from "./environment.ts";
import { CniError, code } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import { openNetns, openNetnsIfThere } from "./netns.ts";
import type { AddCall, AttachmentParameters, Call, DelCall, Plugin } from "./plugin.ts";
import type { Result } from "./results.ts";
import type { System } from "./system.ts";
import type { Verb, Version } from "./versions.ts";

/** How far a call has come. The report of a failure uses it. */
export interface Progress {
  version: Version;
  verb: Verb | undefined;
  /** The netconf, empty until it is decoded. */
  object: JsonObject;
  /** Warnings for the operator. */
  readonly warnings: string[];
  /** Whether a part of the result may have been printed. */
  printing: boolean;
}

/** A well-formed call. */
export interface ParsedCall<C, D> {
  readonly plugin: Plugin<C, D>;
  readonly system: System;
  readonly env: Variables;
  readonly progress: Progress;
  readonly call: Call;
  /** The netconf's text. */
  readonly raw: string;
}

/** The function of each verb. Whatever it throws is the call's failure. */
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
    const document = `${printableJson(documentOf(result, call, target.prevResult))}\n`;
    progress.printing = true;
    system.writeStdout(document);
  } catch (failure) {
    // The runtime has read no result and takes the ADD for failed: nothing of it may remain.
    const detachment: DelCall<D> = { ...call, ...target, netns, conf: plugin.schema.salvage(call.object) };
    throw undone(failure, () => plugin.del(detachment), release);
  }
}

/**
 * DEL must clean up even if the netconf, prevResult or CNI_ARGS have become invalid. It requires
 * only the name and the version, passes on the fields that are valid, and ignores the rest.
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

/** As lenient as DEL. But if the attachments are not a list, nothing is removed. */
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

// ---- shared by several verbs

/**
 * Returns the IPAM plugin that the netconf names. Throws a CniError 2 if the plugin does not use
 * one.
 */
export function ipamTypeFor({ name, ipam }: { readonly name: string; readonly ipam?: boolean }, object: JsonObject) {
  const type = ipamType(object);
  if (type === undefined || ipam === true) return type;
  throw new CniError(code.unsupportedField, `ipam.type: ${type} is not used: ${name} assigns no addresses`);
}

/** Returns the IPAM plugin to delegate to. Throws as {@link ipamTypeFor} does. */
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
 * Returns prevResult. Throws a CniError 7 if it is not a result, or cannot be converted to the
 * version of the call.
 */
export function previousOf({
  object: { prevResult },
  cniVersion,
}: Pick<Call, "object" | "cniVersion">): Result | undefined {
  if (prevResult === undefined || prevResult === null) return undefined;
  if (isObject(prevResult)) {
    const result = readResult(prevResult, cniVersion, "prevResult");
    // In the same version it is passed on unchanged.
    const faults = (prevResult.cniVersion ?? cniVersion) === cniVersion ? [] : danglingIps(result);
    if (faults.length === 0) return result;
    throw new CniError(
      code.badConfiguration,
      faults.map((fault) => `prevResult.${fault}`),
    );
  }
  throw new CniError(code.badConfiguration, "prevResult: must be an object");
}

/**
 * Returns the document that ADD prints. A prevResult that is passed on is printed as it was
 * received.
 */
function documentOf(result: Result, { object, cniVersion }: Call, previous: Result | undefined): JsonObject {
  const came = object.prevResult as JsonObject | undefined;
  const same = previous !== undefined && (came?.cniVersion ?? cniVersion) === cniVersion;
  if (same && result === previous) return { ...came, cniVersion };
  return writeResult(result, cniVersion, same ? previous : undefined);
}

/** For the verbs that clean up: treats an invalid value as absent, and warns the operator. */
function orNothing<T>({ warn }: Call, read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (failure) {
    warn(`${(failure as Error).message}; ignored`);
    return undefined;
  }
}

/** Runs every task, even if others fail, and throws what failed. */
function runAll(...tasks: readonly (() => void)[]): void {
  throwAll(failuresOf(tasks));
}

// The error that a runtime receives, and its codes.

/**
 * Error codes. Below 100 they are the specification's (SPEC.md, section 5, "Error"; 8 and 50 as in
 * its Go library), from 100 on ours.
 */
export const code = {
  incompatibleVersion: 1,
  /** The message must contain the field's key and value. */
  unsupportedField: 2,
  /** The runtime need not call DEL. */
  unknownContainer: 3,
  /** The message must name all of the variables. */
  badEnvironment: 4,
  io: 5,
  decoding: 6,
  badConfiguration: 7,
  badNetns: 8,
  /** A temporary condition: the runtime should try again. */
  tryAgain: 11,
  /** STATUS: no ADD can be served. */
  unavailable: 50,
  /** STATUS: no ADD can be served, and attached containers may have lost connectivity. */
  limited: 51,
  /** The kernel refused a change. */
  refused: 100,
  /** CHECK: the state differs from what ADD left. */
  differs: 101,
  /** The state of the namespace or of the node does not allow what the call asks for. */
  obstructed: 102,
  /** A delegate is missing, cannot be run, or does not implement CNI. */
  delegate: 103,
  /** A fault of this program. */
  internal: 199,
} as const;

/**
 * A failure as the runtime reads it: a code, what failed in one line, and details such as causes
 * and hints.
 */
export class CniError extends Error {
  override readonly name = "CniError";
  /** One of {@link code}, or a delegate's own. */
  readonly code: number;
  /** What the message joins, such as one fault for each wrong field. At least one. */
  readonly faults: readonly string[];
  readonly details: string;

  constructor(code: number, faults: string | readonly string[], details = "", options?: ErrorOptions) {
    const each = typeof faults === "string" ? [faults] : faults;
    super(each.join("; "), options);
    this.code = code;
    this.faults = each;
    this.details = details;
  }
}

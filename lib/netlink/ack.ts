// Reads the messages that end an answer: NLMSG_ERROR, which is the ACK if its error is 0, and
// NLMSG_DONE, each with what the kernel says about a failure.
import { excerpt } from "./attributes.ts";
import { malformed, type NetlinkError, refusal } from "./errors.ts";
import { string, u32 } from "./scalars.ts";
import type { Reader } from "./wire.ts";

/**
 * struct nlmsghdr of <linux/netlink.h>: length, type (16 bits), flags (16 bits), sequence number,
 * port.
 */
export const headerSize = 16;

/** NLMSG_*: the message types that are not the protocol's own. */
export const controlTypes = { error: 2, done: 3, overrun: 4 } as const;

/** NLM_F_CAPPED: the request does not follow the error. NLM_F_ACK_TLVS: attributes follow. */
const capped = 0x100;
const extended = 0x200;

/** NLMSGERR_ATTR_MSG and NLMSGERR_ATTR_OFFS. */
const details = excerpt({ words: [1, string], offset: [2, u32] });

/** One message of an answer. Its payload is from `start` to `end`. */
export interface Part {
  readonly from: Reader;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the failure that a message of type `error` or `done` reports. Undefined if it reports
 * none.
 *
 * `locate` names what is at a byte of the request. Throws a NetlinkError (EBADMSG) if the message
 * is too short.
 */
export function failureOf(part: Part, locate: (at: number) => string | undefined): NetlinkError | undefined {
  const { from, type, start, end } = part;
  // An empty NLMSG_DONE: kernels before 4.9 reported nothing there.
  if (type === controlTypes.done && start === end) return undefined;
  if (end - start < 4) throw malformed(`an ACK of ${end - start} bytes, expected 4 or more`);
  const errno = -(from.words[start >> 2]! | 0);
  if (errno === 0) return undefined;
  const { words, offset } = detailsOf(part);
  const error = refusal(errno, words);
  const attribute = offset === undefined ? undefined : locate(offset);
  return attribute === undefined ? error : error.about(attribute);
}

function detailsOf({ from, type, flags, start, end }: Part): { words?: string; offset?: number } {
  if ((flags & extended) === 0) return {};
  let at = start + 4;
  if (type === controlTypes.error)
    at += (flags & capped) !== 0 || at + 4 > end ? headerSize : (from.words[at >> 2]! + 3) & ~3;
  try {
    return at < end ? details.decode(from, at, end) : {};
  } catch {
    // The errno matters more than unreadable words.
    return {};
  }
}

// Makes the kernel refuse a change that rtnetlink was asked for: strace makes the request an empty
// one, and puts the errno into its ACK.
import { meddled, type SystemCall, watch } from "../../harness/faults.ts";
import type { Scope } from "../../harness/scope.ts";

/**
 * What rtnetlink's changes are refused with: those that a caller may not take for "it is so
 * already".
 */
export const refusals: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOMEM: 12,
  EBUSY: 16,
  ENODEV: 19,
  ENOSPC: 28,
  EOPNOTSUPP: 95,
  ENOBUFS: 105,
};

/** A request for a change, with its ACK. */
export interface Change {
  readonly request: SystemCall;
  /** RTM_NEWLINK and so on, of <linux/rtnetlink.h>. */
  readonly type: number;
  readonly length: number;
  readonly sequence: number;
  readonly answer: SystemCall;
  /** The socket's port, which every answer names. */
  readonly port: number;
}

/**
 * In a PID namespace of its own the process has the same number each time, which the kernel makes
 * its socket's port.
 */
const alone = ["unshare", "--pid", "--fork", "--kill-child", "--"];

/** NLMSG_NOOP and NLMSG_ERROR of <linux/netlink.h>; NLM_F_REQUEST | NLM_F_ACK, and NLM_F_CAPPED. */
const types = { nothing: 1, error: 2 } as const;
const flags = { request: 5, capped: 0x100 } as const;
/** An nlmsghdr, the errno, and the request's nlmsghdr. */
const lengthOfAck = 36;

/**
 * Watches a run: pass `under` to callPlugin, then ask for the changes that it asked for, in order.
 */
export async function watchChanges(
  scope: Scope,
): Promise<{ under: readonly string[]; changes: () => Promise<Change[]> }> {
  const { under, calls } = await watch(scope, ["sendto", "recvfrom"]);
  return { under: [...alone, ...under], changes: async () => changesIn(await calls()) };
}

/**
 * A run in which the kernel does not make that change, and says why. ENODEV of a deletion would say
 * that it is made.
 */
export function refusing({ request, length, sequence, answer, port }: Change, errno: string): readonly string[] {
  const asked = header(length, types.nothing, flags.request) + words(sequence, 0);
  const told = header(lengthOfAck, types.error, flags.capped) + words(sequence, port, -refusals[errno]!);
  return [
    ...alone,
    ...meddled(
      `sendto:poke_enter=@arg2=${asked}:when=${request.nth}`,
      `recvfrom:poke_exit=@arg2=${told}:when=${answer.nth}`,
    ),
  ];
}

function changesIn(calls: readonly SystemCall[]): Change[] {
  return calls.flatMap((request, position) => {
    const asked =
      /^sendto\(.*nlmsg_len=(?<length>\d+), nlmsg_type=0x(?<type>\w+).*NLM_F_ACK.*nlmsg_seq=(?<sequence>\d+)/.exec(
        request.text,
      )?.groups;
    const answer = calls[position + 1];
    if (asked === undefined || answer === undefined) return [];
    const told = /^recvfrom\(.*NLMSG_ERROR.*?nlmsg_seq=(?<sequence>\d+), nlmsg_pid=(?<port>\d+)/.exec(
      answer.text,
    )?.groups;
    if (told?.["sequence"] !== asked["sequence"]) throw new Error(`${request.text}: is not followed by its ACK`);
    const type = Number.parseInt(asked["type"]!, 16);
    const [length, sequence, port] = [asked["length"], asked["sequence"], told!["port"]].map(Number);
    return [{ request, type, length: length!, sequence: sequence!, answer, port: port! }];
  });
}

function header(length: number, type: number, flag: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(length);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flag, 6);
  return bytes.toString("hex");
}

function words(...values: readonly number[]): string {
  return Buffer.from(Int32Array.from(values).buffer).toString("hex");
}

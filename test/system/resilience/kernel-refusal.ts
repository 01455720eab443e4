// Makes the kernel refuse a change requested through rtnetlink: strace overwrites the request with
// NLMSG_NOOP, and writes the errno into the ACK.
import { meddled, type SystemCall, watch } from "../../harness/faults.ts";
import type { Scope } from "../../harness/scope.ts";

/** The errnos that a caller must not take for "the change is made already" (as EEXIST). */
export const refusals: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOMEM: 12,
  EBUSY: 16,
  ENODEV: 19,
  ENOSPC: 28,
  EOPNOTSUPP: 95,
  ENOBUFS: 105,
};

/** A request for a change, and its ACK. */
export interface Change {
  readonly request: SystemCall;
  /** An RTM_* number of <linux/rtnetlink.h>. */
  readonly type: number;
  readonly length: number;
  readonly sequence: number;
  readonly answer: SystemCall;
  /** The socket's port number, which is in each answer. */
  readonly port: number;
}

/**
 * In its own PID namespace the process always has the same PID. The kernel uses the PID as the
 * socket's port number, so the port is the same in each run.
 */
const samePid = ["unshare", "--pid", "--fork", "--kill-child", "--"];

/** The sequence numbers are random. Here they are the same in each run. */
const numbered = "getrandom:poke_exit=@arg1=00000000";

/** NLMSG_NOOP and NLMSG_ERROR of <linux/netlink.h>; NLM_F_REQUEST | NLM_F_ACK, and NLM_F_CAPPED. */
const types = { nothing: 1, error: 2 } as const;
const flags = { request: 5, capped: 0x100 } as const;
/** An nlmsghdr, the errno, and the request's nlmsghdr. */
const lengthOfAck = 36;

/** Watches a run: pass `under` to callPlugin; then `changes` returns its requests, in order. */
export async function watchChanges(
  scope: Scope,
): Promise<{ under: readonly string[]; changes: () => Promise<Change[]> }> {
  const { under, calls } = await watch(scope, ["sendto", "recvfrom", "getrandom"], [numbered]);
  return { under: [...samePid, ...under], changes: async () => changesIn(await calls()) };
}

/**
 * The command line under which the kernel refuses that change with that errno. Do not use ENODEV
 * for a deletion: it means that the object is deleted already.
 */
export function refusing({ request, length, sequence, answer, port }: Change, errno: string): readonly string[] {
  const noop = header(length, types.nothing, flags.request) + words(sequence, 0);
  const ack = header(lengthOfAck, types.error, flags.capped) + words(sequence, port, -refusals[errno]!);
  return [
    ...samePid,
    ...meddled(
      numbered,
      `sendto:poke_enter=@arg2=${noop}:when=${request.nth}`,
      `recvfrom:poke_exit=@arg2=${ack}:when=${answer.nth}`,
    ),
  ];
}

function changesIn(calls: readonly SystemCall[]): Change[] {
  return calls.flatMap((request, position) => {
    const requested =
      /^sendto\(.*nlmsg_len=(?<length>\d+), nlmsg_type=0x(?<type>\w+).*NLM_F_ACK.*nlmsg_seq=(?<sequence>\d+)/.exec(
        request.text,
      )?.groups;
    const answer = calls[position + 1];
    if (requested === undefined || answer === undefined) return [];
    const ack = /^recvfrom\(.*NLMSG_ERROR.*?nlmsg_seq=(?<sequence>\d+), nlmsg_pid=(?<port>\d+)/.exec(
      answer.text,
    )?.groups;
    if (ack?.["sequence"] !== requested["sequence"])
      throw new Error(`${request.text}: the next recvfrom is not its ACK`);
    const type = Number.parseInt(requested["type"]!, 16);
    const [length, sequence, port] = [requested["length"], requested["sequence"], ack!["port"]].map(Number);
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

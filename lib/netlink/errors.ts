// The errors of netlink: the kernel's refusals, in the kernel's own words if it reports any, and
// bytes that form no message.

/** Such as `create k6t-eth0: Name already taken (EEXIST)`. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";

  /**
   * @param code the errno's name, such as `EEXIST`: decide by this, never by the message
   * @param errno the errno, positive
   * @param detail the message without the code
   * @param kernel the kernel's own words (NLMSGERR_ATTR_MSG), if it reported any
   */
  constructor(
    readonly code: string,
    readonly errno: number,
    readonly detail: string,
    readonly kernel?: string,
  ) {
    super(`${detail} (${code})`);
  }

  /** Returns the same error with a subject: `subject: detail (CODE)`. */
  about(subject: string): NetlinkError {
    return new NetlinkError(this.code, this.errno, `${subject}: ${this.detail}`, this.kernel);
  }
}

/** Adds the subject to a NetlinkError. Returns any other error unchanged. */
export function about(subject: string, error: unknown): unknown {
  return error instanceof NetlinkError && subject !== "" ? error.about(subject) : error;
}

/** Runs `run`, and adds the subject to the NetlinkErrors that it throws. */
export function within<T>(subject: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw about(subject, error);
  }
}

/** Bytes from the kernel that form no message: EBADMSG. */
export function malformed(fact: string): NetlinkError {
  return new NetlinkError("EBADMSG", 74, fact);
}

/** A value that cannot be written: EINVAL. */
export function unwritable(fact: string): NetlinkError {
  return new NetlinkError("EINVAL", 22, fact);
}

/** The kernel's refusal. `errno` is positive; `kernel` is the text of the extended ACK. */
export function refusal(errno: number, kernel: string | undefined): NetlinkError {
  const [code, words] = meanings()[errno] ?? [`errno ${errno}`, "Unknown error"];
  return new NetlinkError(code, errno, kernel?.replace(/[.\s]+$/, "") || words, kernel);
}

/**
 * Names and meanings of the errnos that rtnetlink and netlink sockets return. They are the same on
 * all architectures except Alpha, MIPS, PA-RISC and SPARC.
 */
function meanings(): Record<number, readonly [code: string, words: string]> {
  return {
    // Every change checks for it first (rtnetlink_rcv_msg). Otherwise only drivers return it.
    1: ["EPERM", "Not permitted, CAP_NET_ADMIN may be missing"],
    2: ["ENOENT", "No such entry"],
    3: ["ESRCH", "No such entry"],
    4: ["EINTR", "Interrupted"],
    5: ["EIO", "Input or output error"],
    6: ["ENXIO", "No such device or address"],
    7: ["E2BIG", "Too many"],
    11: ["EAGAIN", "Try again"],
    12: ["ENOMEM", "Out of memory"],
    13: ["EACCES", "Permission denied"],
    14: ["EFAULT", "Bad address"],
    16: ["EBUSY", "Busy"],
    17: ["EEXIST", "Already there"],
    18: ["EXDEV", "On another device"],
    19: ["ENODEV", "No such link"],
    20: ["ENOTDIR", "Not a directory"],
    21: ["EISDIR", "Is a directory"],
    22: ["EINVAL", "Invalid argument"],
    23: ["ENFILE", "Too many open files on the node"],
    24: ["EMFILE", "Too many open files"],
    25: ["ENOTTY", "Not supported by this device"],
    28: ["ENOSPC", "No space left"],
    34: ["ERANGE", "Out of range"],
    36: ["ENAMETOOLONG", "Name too long"],
    38: ["ENOSYS", "Not in this kernel"],
    40: ["ELOOP", "Too many levels"],
    42: ["ENOMSG", "No such message"],
    61: ["ENODATA", "No data"],
    62: ["ETIME", "Timed out"],
    71: ["EPROTO", "Protocol error"],
    74: ["EBADMSG", "Malformed message"],
    75: ["EOVERFLOW", "Too large"],
    90: ["EMSGSIZE", "Message too long"],
    93: ["EPROTONOSUPPORT", "Protocol not supported"],
    95: ["EOPNOTSUPP", "Not supported"],
    97: ["EAFNOSUPPORT", "Address family not supported"],
    98: ["EADDRINUSE", "Address already in use"],
    99: ["EADDRNOTAVAIL", "No such address"],
    100: ["ENETDOWN", "Link is down"],
    101: ["ENETUNREACH", "Network is unreachable"],
    105: ["ENOBUFS", "No buffer space"],
    106: ["EISCONN", "Already connected"],
    107: ["ENOTCONN", "Not connected"],
    110: ["ETIMEDOUT", "Timed out"],
    113: ["EHOSTUNREACH", "No route to host"],
    114: ["EALREADY", "Already under way"],
    132: ["ERFKILL", "Switched off by rfkill"],
    // Not meant for user space, but some drivers return it.
    524: ["ENOTSUPP", "Not supported"],
  };
}

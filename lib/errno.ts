// Errors that carry an errno's name: the host's system calls and netlink's refusals.

/** The errno's name, such as `ENOENT`. Undefined for an error without one. */
export function codeOf(failure: unknown): string | undefined {
  const { code } = (failure ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** Whether the failure carries one of these errnos. */
export function isErrno(failure: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(codeOf(failure) ?? "");
}

/**
 * Returns what `work` returns, or undefined if it fails with one of these errnos. Throws any other
 * failure.
 */
export function ignoring<T>(codes: readonly string[], work: () => T): T | undefined {
  try {
    return work();
  } catch (failure) {
    if (isErrno(failure, ...codes)) return undefined;
    throw failure;
  }
}

/** Returns whether `work` succeeds: false if it fails with one of these errnos. */
export function succeeds(codes: readonly string[], work: () => unknown): boolean {
  return (
    ignoring(codes, () => {
      work();
      return true;
    }) ?? false
  );
}

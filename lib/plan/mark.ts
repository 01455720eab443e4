// The link group that marks the links that plans create.

/**
 * Returns the group for the links created for the pod link with this index. No other known program
 * uses groups that begin with 0x6b74 ("kt").
 */
export function markOf(index: number): number {
  return 0x6b740000 + (index % 0x10000);
}

/** Whether a link group is such a mark. */
export function isMark(group: number): boolean {
  return group >= 0x6b740000 && group < 0x6b750000;
}

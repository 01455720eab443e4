// Of many measurements: the middle, the bad end, a random order.

/** The value in the middle; the mean of the two there where their number is even. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The smallest value that at least `share` of all are not above (the nearest rank): 0.95 for p95.
 */
export function quantile(values: readonly number[], share: number): number {
  return ascending(values)[Math.max(0, Math.ceil(share * values.length) - 1)]!;
}

/** The same values in a random order, each order as likely as another. */
export function shuffled<T>(values: readonly T[], random: () => number = Math.random): T[] {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

function ascending(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("no values");
  return values.toSorted((a, b) => a - b);
}

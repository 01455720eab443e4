// Statistics of measurements: median, quantile, random order.

/** Returns the middle value, or the mean of the two middle values. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Returns the smallest value that at least `share` of all values do not exceed (the nearest rank).
 * 0.95 for p95.
 */
export function quantile(values: readonly number[], share: number): number {
  return ascending(values)[Math.max(0, Math.ceil(share * values.length) - 1)]!;
}

/** Returns the values in a random order. All orders are equally likely. */
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

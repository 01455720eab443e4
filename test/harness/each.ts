// Works on a list with limited concurrency.

/** Calls `work` for each element, at most 16 at a time. Results are in the order of `list`. */
export async function each<T, R>(list: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < list.length) {
      const position = next++;
      results[position] = await work(list[position]!);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return results;
}

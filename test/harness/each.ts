// Many at once, but not all.

/** Does something with each, at most 16 at a time. */
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

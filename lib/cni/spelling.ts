// Guesses which known word a misspelled one stands for.

/**
 * Returns the most likely word of `known`: one that differs in case alone, otherwise
 * the nearest with at most one edit for three characters. Undefined if none is near.
 */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const lower = written.toLowerCase();
  const limit = Math.max(1, Math.floor(written.length / 3));
  let best: string | undefined;
  let least = limit + 1;
  for (const word of known) {
    // Words of very different lengths are far apart, and the table below grows with the product of
    // the lengths.
    if (Math.abs(word.length - written.length) > limit) continue;
    const away = distance(lower, word.toLowerCase());
    if (away < least) {
      best = word;
      least = away;
    }
  }
  return best;
}

/**
 * The number of edits (insert, delete, replace, swap of neighbours) between two words:
 * Damerau-Levenshtein, restricted.
 */
function distance(one: string, other: string): number {
  let earlier: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      let least = Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) least = Math.min(least, earlier[column - 2]! + 1);
      current.push(least);
    }
    earlier = above;
    above = current;
  }
  return above[other.length]!;
}

/** Returns that a field is unknown, and the field that its author probably meant. */
export function unknownField(written: string, known: readonly string[]): string {
  const fact = `unknown field ${JSON.stringify(written)}`;
  const suggestion = nearest(written, known);
  if (suggestion === undefined) return fact;
  return suggestion.toLowerCase() === written.toLowerCase()
    ? `${fact}, it is spelled ${JSON.stringify(suggestion)}`
    : `${fact}, did you mean ${JSON.stringify(suggestion)}?`;
}

// The form of a Markdown page: one sentence per line, and no paragraph in a table's cell.

/** A line that breaks the form. */
export interface Breach {
  readonly line: number;
  readonly what: string;
}

/** How many characters a table's cell may have. */
const longestCell = 200;

export function breachesOf(markdown: string): Breach[] {
  let fence = false;
  return markdown.split("\n").flatMap((text, index): Breach[] => {
    if (text.startsWith("```")) fence = !fence;
    if (fence || text.startsWith("#")) return [];
    const line = index + 1;
    if (text.startsWith("|"))
      return text.split(/(?<!\\)\|/).some((cell) => cell.length > longestCell)
        ? [{ line, what: `a cell of more than ${longestCell} characters` }]
        : [];
    // Inside code and links a full stop ends no sentence.
    const bare = text
      .replace(/^\s*(\d+\.|[-*]) /, "")
      .replaceAll(/`[^`]*`/g, "x")
      .replaceAll(/\]\([^)]*\)/g, "]");
    return /[a-z0-9)\]"*x][.?!] +[A-Z[`*"]/.test(bare) ? [{ line, what: "two sentences" }] : [];
  });
}

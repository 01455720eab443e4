// The links of a Markdown file, and the anchors that its headings make on GitHub.

/** A link as it is written: `../README.md#install`, on that line. */
export interface Link {
  readonly target: string;
  readonly line: number;
}

/** Links that lead to no other host, outside code. */
export function localLinks(markdown: string): Link[] {
  return prose(markdown).flatMap((text, index) =>
    [...text.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\s*\[[^\]]+\]:\s*(\S+)/g)]
      .map(([, inline, reference]) => ({ target: inline ?? reference!, line: index + 1 }))
      .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/.test(target)),
  );
}

/**
 * What may follow `#`: headings in lower case, without punctuation, spaces as hyphens; the second
 * one of a name has `-1`.
 */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  const seen = new Map<string, number>();
  for (const text of prose(markdown)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(text)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    found.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return found;
}

/** The lines; those in fenced code are empty. */
function prose(markdown: string): string[] {
  let fence: string | undefined;
  return markdown.split("\n").map((text) => {
    const mark = /^\s*(```+|~~~+)/.exec(text)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return "";
    }
    return fence === undefined ? text : "";
  });
}

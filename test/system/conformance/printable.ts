// Makes names of assertions printable.

/**
 * Returns the text in ASCII, at most one line long: a Unicode line separator would end the line of
 * the test's output.
 */
export function printable(text: string): string {
  const ascii = text.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return ascii.length > 150 ? `${ascii.slice(0, 150)}...` : ascii;
}

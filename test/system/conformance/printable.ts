// The names of assertions.

/**
 * In ASCII, since a line separator of Unicode would end the line of a test's output that it is in,
 * and no longer than a line.
 */
export function printable(text: string): string {
  const ascii = text.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return ascii.length > 150 ? `${ascii.slice(0, 150)}...` : ascii;
}

// Quotes text as one word of a POSIX shell's command line.

/**
 * The text as it is if a shell takes it as one word, otherwise in single quotes. The kernel allows
 * almost any byte in a link's name.
 */
export function shellWord(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// What verbs for people ask of the system: calls of `host`, by which tests put a machine of their own in its place.

/** Every failure is an Error with `code`, the errno's name. */
export interface System {
  awaitEnd(timeout: number): boolean;
  close(fd: number): void;
  copyFile(from: string, to: string, mode: number): void;
  identify(path: string): { readonly machine: number; readonly label: string } | undefined;
  lock(path: string, timeout: number): number;
  machine(): string;
  readDirectory(path: string): string[];
  readFile(path: string): string;
  readLink(path: string): string;
  rename(from: string, to: string): void;
  sameContent(one: string, other: string): boolean;
  stat(path: string): { readonly kind: string; readonly mode: number };
  sync(path: string): void;
  unlink(path: string): void;
}

// Decides by the kind of a change. A new kind does not compile until every decision covers it.

/** A member of a union that `do` tells apart. */
export interface Kinded {
  readonly do: string;
}

/** One function per kind of the union `C`. */
export type Cases<C extends Kinded, T> = { readonly [K in C["do"]]: (change: Extract<C, { readonly do: K }>) => T };

/** Calls the function for the change's kind. */
export function byKind<C extends Kinded, T>(change: C, cases: Cases<C, T>): T {
  return (cases[change.do as C["do"]] as (change: C) => T)(change);
}

/** For a kind that a view of the changes does not contain. */
export const none = (): never[] => [];

/** For a kind that a mapping of the changes leaves as it is. */
export const same = <T>(change: T): T => change;

// Who ends a thing's life: a tap test, or a script with a list of its own.

/** Anything that calls back when it ends, last callback first. A tap test (`t`) is one. */
export interface Scope {
  teardown(callback: () => unknown): void;
}

/**
 * Runs `work` with a scope of its own, for scripts: ends everything that was made in it, whether
 * `work` fails or not.
 */
export async function withScope<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
  const callbacks: (() => unknown)[] = [];
  try {
    return await work({ teardown: (callback) => callbacks.push(callback) });
  } finally {
    for (const callback of callbacks.reverse()) await callback();
  }
}

// Defines when the resources of a test or a script are released.

/**
 * An owner of resources, which calls the callbacks when it ends, the last one first. A tap test
 * (`t`) is a scope.
 */
export interface Scope {
  teardown(callback: () => unknown): void;
}

/** Runs `work` with its own scope, for scripts. The scope ends when `work` returns or throws. */
export async function withScope<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
  const callbacks: (() => unknown)[] = [];
  try {
    return await work({ teardown: (callback) => callbacks.push(callback) });
  } finally {
    for (const callback of callbacks.reverse()) await callback();
  }
}

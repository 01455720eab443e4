// The seed of a test run, from which all random values of tests are derived.
import { randomInt } from "node:crypto";

/**
 * TEST_SEED, or a random number.
 *
 * scripts/test prints it and passes it to every stage, so that the second run of a failed file has
 * the seed of the first run.
 */
export const seed = Number(process.env["TEST_SEED"] ?? randomInt(2 ** 31));

/**
 * Returns a generator of numbers from 0 to below 1, the same for the same seed (a Lehmer
 * generator).
 */
export function chance(): () => number {
  const modulus = 2 ** 31 - 1;
  let state = (seed % (modulus - 1)) + 1;
  return () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
}

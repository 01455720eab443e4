// The seed of a test run: everything that a test leaves to chance is derived from it.
import { randomInt } from "node:crypto";

/**
 * TEST_SEED, or a random number. scripts/test prints it, and gives it to every stage: the second
 * run of a failed file has the seed of the first.
 */
export const seed = Number(process.env["TEST_SEED"] ?? randomInt(2 ** 31));

/** Returns numbers from 0 to below 1, the same ones for the same seed (a Lehmer generator). */
export function chance(): () => number {
  const modulus = 2 ** 31 - 1;
  let state = (seed % (modulus - 1)) + 1;
  return () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
}

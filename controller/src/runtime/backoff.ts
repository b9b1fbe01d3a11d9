/**
 * Capped exponential back-off with jitter, as a pure function.
 */

export interface BackoffPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** The share of the delay that is random, 0 to 1: those who failed together must not come back together. */
  readonly jitter: number;
}

/**
 * @param attempt how many attempts have failed so far, from 1
 * @param random  a random number in [0, 1)
 * @returns milliseconds to wait before the next attempt, never above `policy.maxMs`
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const uncappedMs = policy.initialMs * policy.factor ** Math.max(0, attempt - 1);
  const cappedMs = Math.min(uncappedMs, policy.maxMs);
  return cappedMs * (1 - policy.jitter + policy.jitter * random);
}

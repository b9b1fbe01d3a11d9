/**
 * When to ask again: capped, jittered exponential back-off by the flow's retry policy.
 *
 * "Equal jitter": half of the delay is certain, so a participant that is down is left alone for a while, and half is
 * random, so the transactions that failed together do not come back together.
 */
import type { Retry } from '../../../crds/generated/transactionflow.ts';

/**
 * @param attempts finished attempts of this operation, from 1
 * @param jitter   a random number in [0, 1)
 * @returns milliseconds until the next attempt
 */
export function retryDelayMs(retry: Retry, attempts: number, jitter: number): number {
  const uncapped = retry.initialDelaySeconds * retry.factor ** Math.max(0, attempts - 1);
  const capped = Math.min(uncapped, retry.maxDelaySeconds);
  return Math.round(capped * 1000 * (0.5 + jitter / 2));
}

export function longestDelayMs(retry: Retry, jitter: number): number {
  return Math.round(retry.maxDelaySeconds * 1000 * (0.5 + jitter / 2));
}

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

/**
 * The first pause between two publications, at least. Receipts of a busy shop take some hundred milliseconds: sooner, a tenth of its
 * messages was published again while their receipts were on the way; later, an order waits longer after the broker has lost its message.
 */
const RECEIPT_PATIENCE_SECONDS = 1;

/** When to publish again what has no receipt: the flow's policy, which was made for answers, with the patience that receipts need. */
export function republishDelayMs(retry: Retry, attempts: number, jitter: number): number {
  const initialDelaySeconds = Math.max(retry.initialDelaySeconds, RECEIPT_PATIENCE_SECONDS);
  const maxDelaySeconds = Math.max(retry.maxDelaySeconds, RECEIPT_PATIENCE_SECONDS);
  return retryDelayMs({ ...retry, initialDelaySeconds, maxDelaySeconds }, attempts, jitter);
}

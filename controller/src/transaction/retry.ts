/**
 * When to ask again: capped, jittered exponential back-off by the flow's retry policy.
 *
 * "Equal jitter": half of the delay is certain, so a participant that is down is left alone for a while, and half is
 * random, so the transactions that failed together do not come back together.
 */
import type { Retry } from '../../../crds/generated/transactionflow.ts';
import { timeOf } from './step.ts';

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

/**
 * A participant's own wish (Retry-After): honoured up to the flow's longest delay, which nothing exceeds, and spread by up
 * to a quarter, so that those told the same do not come together. One that is no time to come is no wish: the back-off holds.
 */
export function askedForDelayMs(retry: Retry, attempts: number, retryAfterMs: number, jitter: number): number {
  if (!(retryAfterMs > 0)) return retryDelayMs(retry, attempts, jitter);
  const longestMs = retry.maxDelaySeconds * 1000;
  const [fromMs, toMs] =
    retryAfterMs < longestMs ? [retryAfterMs, Math.min(retryAfterMs * 1.25, longestMs)] : [longestMs * 0.75, longestMs];
  return Math.ceil(fromMs + (toMs - fromMs) * jitter);
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

/** Between the clocks by which a time was written and is read: less would ask early now and then, more would wait longer than need be. */
const CLOCKS_APART_MS_MAX = 5_000;

/**
 * When something is due that stands in the status with its next attempt. Nothing is ever put off for longer than the
 * longest delay, so a time further ahead is not one to wait for: it was written by a clock that ran fast, or under a
 * retry policy that has been changed since.
 */
export function dueMs(nextAttemptTime: string | undefined, retry: Retry, nowMs: number): number {
  const atMs = timeOf(nextAttemptTime);
  const longestMs = Math.max(retry.maxDelaySeconds, RECEIPT_PATIENCE_SECONDS) * 1000;
  return atMs - nowMs > longestMs + CLOCKS_APART_MS_MAX ? nowMs : atMs;
}

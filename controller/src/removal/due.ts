/**
 * When a transaction may go: whole minutes, by the API server's clock.
 *
 * `status.expires` names a minute, and its transactions go after it: while it lasts, others may still join it.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { isFinal } from '../transaction/phase.ts';

export const MINUTE_MS = 60_000;
/** `2026-11-22T23:15` of an ISO time. */
const MINUTE_CHARS = 16;

/** The minute that holds this moment, as `status.expires` spells it. */
export function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, MINUTE_CHARS)}Z`;
}

/** When this minute begins, in milliseconds since the epoch; NaN for what is no minute. */
export function startOf(expires: string): number {
  return Date.parse(expires);
}

/** From when a transaction of this minute may go, likewise. */
export function dueMs(expires: string): number {
  return startOf(expires) + MINUTE_MS;
}

/** Whether nothing is left to do for it and its minute has passed. One that somebody is removing already is not ours to remove. */
export function mayGo({ metadata, status }: OrderTransaction, nowMs: number): boolean {
  if (metadata.deletionTimestamp !== undefined || status?.expires === undefined) return false;
  return isFinal(status.phase) && dueMs(status.expires) <= nowMs;
}

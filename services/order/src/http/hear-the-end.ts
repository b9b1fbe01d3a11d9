/**
 * Waiting with a request until an order has come where its caller wants to hear of it.
 */
import type { Pool } from 'pg';
import { passing } from '../../../kit/src/index.ts';
import { getOutcome, type Outcome } from '../orders.ts';
import type { WaitingRequest } from '../waiting-requests.ts';

export interface Awaited {
  readonly pool: Pool;
  readonly orderId: string;
  readonly waitSeconds: number;
  readonly signal: AbortSignal;
  readonly isOver: (outcome: Outcome) => boolean;
}

/** The outcome that is over, or the present one when time is up or nobody waits any more. */
export async function hearTheEnd(awaited: Awaited, waiter: WaitingRequest, present: Outcome): Promise<Outcome> {
  const { pool, orderId, waitSeconds, signal, isOver } = awaited;
  const untilMs = performance.now() + waitSeconds * 1000;
  let outcome = present;
  while (!isOver(outcome) && !signal.aborted) {
    const restMs = untilMs - performance.now();
    if (restMs <= 0) break;
    outcome = (await waiter.hint(restMs, signal)) ?? (await lookAgain(pool, orderId, outcome));
  }
  return outcome;
}

/** A database that is away for a moment takes nothing back of what was accepted: the caller goes on waiting, for a 202 in the end. */
async function lookAgain(pool: Pool, orderId: string, last: Outcome): Promise<Outcome> {
  try {
    return await getOutcome(pool, orderId);
  } catch (error) {
    if (passing(error) === undefined) throw error;
    return last;
  }
}

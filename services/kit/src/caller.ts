/**
 * Whether whoever asked for something still waits for it.
 *
 * Under overload most of the time is spent waiting for a turn, and by then many a caller has gone. What nobody waits for is not begun:
 * it would take the turn of somebody who does.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';

const answers = new AsyncLocalStorage<ServerResponse>();

/** Runs `work` on behalf of the caller who waits for this answer. */
export function forCaller<T>(answer: ServerResponse, work: () => T): T {
  return answers.run(answer, work);
}

export type CallerCheck = () => boolean;

/** Of the caller on whose behalf this runs; false where there is none. */
export function callerCheck(): CallerCheck {
  const answer = answers.getStore();
  return () => answer !== undefined && hasGone(answer);
}

export function hasGone(answer: ServerResponse): boolean {
  return answer.closed || answer.destroyed;
}

/** Thrown instead of beginning what nobody waits for any more. */
export class CallerGone extends Error {
  constructor() {
    super('the caller has gone before its turn came');
    this.name = 'CallerGone';
  }
}

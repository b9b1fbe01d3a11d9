/**
 * Waiting for a condition instead of for a time: asks again until the answer is there or the deadline has passed.
 */
import { setTimeout as pause } from 'node:timers/promises';

export type WaitOptions = {
  /** What is waited for, as it should read after "waited 30 s in vain for". */
  readonly what: string;
  readonly deadlineMs: number;
  readonly everyMs?: number;
  /** Ends the wait early by throwing, for example because the process that should answer has died. */
  readonly giveUp?: () => void;
  /** Ends the wait by throwing when it aborts: what was waited for has not come. */
  readonly signal?: AbortSignal;
};

/** Resolves with the first answer of `ask` that is not undefined or false. A throw counts as "not yet" and is quoted at the end. */
export async function waitFor<T>(ask: () => Promise<T | undefined | false>, options: WaitOptions): Promise<T> {
  const { what, deadlineMs, everyMs = 50, giveUp, signal } = options;
  const endsAt = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < endsAt) {
    giveUp?.();
    if (signal?.aborted === true) throw new Error(`interrupted while waiting for ${what}`);
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    await pause(everyMs);
  }
  const because = last instanceof Error ? `; the last try said: ${last.message}` : '';
  throw new Error(`waited ${Math.round(deadlineMs / 1000)} s in vain for ${what}${because}`, { cause: last });
}

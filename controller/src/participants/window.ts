/**
 * How many calls an endpoint is sent at once when it does not answer that many in time, as a pure state machine.
 *
 * Sent more than it manages within timeoutSeconds, a participant answers none of them, and each is sent again: the work it does is
 * for nobody, and it never gets out. So the number follows what is answered, as TCP's congestion window does (RFC 5681): half as many
 * when calls time out, one more for each round of answers.
 *
 * 1. It is unbounded until TIMED_OUT_MIN calls in ANSWERED_PER_TIME_OUT_MAX times as many answers have timed out: a transaction that
 *    always times out, beside others that are answered, makes nothing narrower.
 * 2. Then it is half of what was running, at least SIZE_MIN.
 * 3. Calls that began before it was made narrower say nothing of what it is now.
 * 4. Each round of answers makes it wider by one, until it bounds nobody any more.
 */

/** Fewer, and one transaction's attempts would do. */
export const TIMED_OUT_MIN = 3;
/** A tenth of the calls: what times out now and then is slow by itself. */
const ANSWERED_PER_TIME_OUT_MAX = 10;
/** After so many answers it is counted anew. */
const ANSWERED_MAX = TIMED_OUT_MIN * ANSWERED_PER_TIME_OUT_MAX;
/** A participant that answers four at once too late has another trouble than load. */
export const SIZE_MIN = 4;

export interface Window {
  /** Calls that may run at once, not always whole; Infinity where nothing bounds them but maxConcurrency. */
  readonly size: number;
  /** Calls that have timed out, and answers, since it was last made narrower or counted anew. */
  readonly timedOut: number;
  readonly answered: number;
  /** How often it has been made narrower. */
  readonly reductions: number;
}

export const UNBOUNDED: Window = { size: Infinity, timedOut: 0, answered: 0, reductions: 0 };

/** @param fullSize from which on it bounds nobody; asked only where something is bounded */
export function afterAnswer(window: Window, fullSize: () => number): Window {
  if (window.size === Infinity && window.timedOut === 0) return window;
  const grown = window.size + 1 / window.size;
  const size = window.size < Infinity && grown < fullSize() ? grown : Infinity;
  const isCounted = window.answered + 1 < ANSWERED_MAX;
  return { ...window, size, ...(isCounted ? { answered: window.answered + 1 } : { timedOut: 0, answered: 0 }) };
}

/**
 * @param running how many run at the endpoint, this one included
 * @param reductions the window's when the call began
 */
export function afterTimeOut(window: Window, running: number, reductions: number): Window {
  if (reductions < window.reductions) return window;
  const timedOut = window.timedOut + 1;
  if (timedOut < TIMED_OUT_MIN) return { ...window, timedOut };
  const size = Math.max(SIZE_MIN, Math.floor(Math.min(running, window.size) / 2));
  return { size, timedOut: 0, answered: 0, reductions: window.reductions + 1 };
}

/** Nobody calls any more: what it was then says nothing of the next load. */
export function forgotten({ reductions }: Window): Window {
  return { ...UNBOUNDED, reductions };
}

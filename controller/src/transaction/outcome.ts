/**
 * What a participant's answer means, or why there is none.
 *
 * One call (a branch's try, confirm or cancel) ends in exactly one of these values; nothing here throws and nothing is
 * "failed". Section 4 of docs/reference/participant-protocol.md says which HTTP answer is which outcome;
 * participants/classify.ts is the only place that decides it.
 */

export type Operation = 'try' | 'confirm' | 'cancel';

/** A 425 in words. No trouble by itself; a person reads it after trouble, and where it takes too long. */
export const WORKING_ON_IT = 'answered 425: it is working on it, or waits for another transaction of the same order';

/** How the detail begins of what was not sent (`unsent`, `blocked`): nobody was asked, so no deadline decides by it (T5). */
export const NOT_CALLED = 'is not called: ';

/** How a refusal is told that may not be one. */
export const REFUSED = 'refused: ';

/** Of a message that could not be published. */
export const BROKER_AWAY = 'Redis did not take it: check that the Redis of REDIS_URL is up, writable and not full';

/** Nothing to mend at a participant: the flow's endpoint names none. */
export const HOST_UNKNOWN = 'its host name is unknown';

export type Outcome =
  /**
   * The operation is done, now or before. A try that finds its branch already Confirmed has succeeded as well, and more is
   * known by it: this transaction was decided before, Confirm, and the store has forgotten it.
   */
  | { readonly kind: 'succeeded'; readonly confirmedBefore?: true }
  /** A business no, for good. `detail` is a sentence for people and never changes from attempt to attempt. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  /** 425: the participant works on it, or cannot yet; ask again. */
  | { readonly kind: 'ongoing'; readonly detail: string; readonly retryAfterMs?: number }
  /** No usable answer: it may or may not have happened. `detail` is a stable sentence: no ids, times or counters. */
  | { readonly kind: 'unknown'; readonly detail: string; readonly retryAfterMs?: number }
  /** It was not sent, for want of something of our own: the participant has not been asked, and cannot be blamed for silence (T5). */
  | { readonly kind: 'unsent'; readonly detail: string }
  /** The call was never sent, and will not be until a person changes something. `reason` becomes the Stuck reason. */
  | { readonly kind: 'blocked'; readonly reason: 'EndpointForbidden' | 'PayloadTooLarge'; readonly detail: string };

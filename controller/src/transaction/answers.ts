/**
 * What came back since the status was last stored.
 *
 * Answers are kept in memory and applied, in order, to whatever copy of the transaction is newest; losing them costs
 * repeated calls and nothing else (T3). They carry their own time and randomness, so that applying them stays pure.
 */
import type { Operation, Outcome } from './outcome.ts';

export type MessageOutcome =
  /** On the stream; its consumer's receipt is awaited (T7). */
  | { readonly kind: 'published' }
  /** The broker did not take it. */
  | { readonly kind: 'unpublished'; readonly detail: string }
  /** Receipts: */
  | { readonly kind: 'delivered' }
  | { readonly kind: 'refused'; readonly detail: string }
  /** Best effort only: the consumer could not just now. */
  | { readonly kind: 'failed'; readonly detail: string };

interface Received {
  /** The branch's or the message's name. */
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** A random number in [0, 1). */
  readonly jitter: number;
}

export interface BranchAnswer extends Received {
  readonly on: 'branch';
  readonly operation: Operation;
  readonly outcome: Outcome;
}

export interface MessageAnswer extends Received {
  readonly on: 'message';
  readonly outcome: MessageOutcome;
}

export type Answer = BranchAnswer | MessageAnswer;

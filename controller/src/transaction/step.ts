/**
 * What decide is asked with, and what it answers.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Operation } from './outcome.ts';
import { keepStoredAnswers } from './stored-answers.ts';

/** One transaction as this process knows it. Everything but `transaction` may be lost at any moment (T3). */
export interface View {
  /** The newest stored copy. */
  readonly transaction: OrderTransaction;
  /** Its status with the answers that came since applied. */
  readonly status: OrderTransactionStatus;
  /** Branches and messages with a call or publication under way: each has at most one at a time. */
  readonly busy: Pick<ReadonlySet<string>, 'has' | 'size'>;
  /** Branches whose call was due and has not been sent yet: it is named again for as long as it is wanted. */
  readonly waiting: Pick<ReadonlySet<string>, 'has'>;
  /** Branches whose try this process has sent, and seen end, however it ended. */
  readonly asked: Pick<ReadonlySet<string>, 'has'>;
  /** Those, and the ones whose try it has begun but could not send. */
  readonly attempted: Pick<ReadonlySet<string>, 'has'>;
  /**
   * Branches last called under another version of the flow: their back-off says nothing about this one. With each, when it was last
   * called for the first time under a new version, by this process.
   */
  readonly outdated: ReadonlyMap<string, number | undefined>;
  /**
   * Branches and messages that were on hold, and have not been called or published since: their back-off says nothing any more. With
   * each, when it was last called or published because of a release, by this process.
   */
  readonly released: ReadonlyMap<string, number | undefined>;
  /** When something that it waits for was last known to be on hold; undefined where it never was. */
  readonly heldUntilMs: number | undefined;
  /** Branches whose participant answers nobody at present: their calls are made by turns and not by their back-offs. */
  readonly down: Pick<ReadonlySet<string>, 'has'>;
  /** Of those, the ones that have answered nobody since before the transaction was created: it, too, is asked in vain. */
  readonly deafToAll: Pick<ReadonlySet<string>, 'has'>;
  /** Branches whose participant answers again since they were last called: their back-off says nothing any more. */
  readonly revived: Pick<ReadonlySet<string>, 'has'>;
  /** Branches that a person wants called at once, and that have not been since. */
  readonly requested: Pick<ReadonlySet<string>, 'has'>;
  /** Messages whose last publication their consumer has not ended yet: it waits there, or is being handled. Best effort only. */
  readonly unended: Pick<ReadonlySet<string>, 'has'>;
  /** Why nothing can be published just now, in words; undefined while the broker takes messages. */
  readonly brokerAway: string | undefined;
  /** When this process last stored the status, or first saw the transaction; milliseconds since the epoch. */
  readonly storedAtMs: number;
  /** What each write of its trouble is made up for by: a minute, or longer where very many are unfinished. */
  readonly writeEveryMs: number;
  /** By when the writes of its trouble so far are made up for. */
  readonly quietUntilMs: number;
  /** Since when nothing is wrong any more that the stored status says is wrong; undefined where something is, or nothing was. */
  readonly wellSinceMs: number | undefined;
  /** A person has asked for an attempt, and the stored status lacks its answer. */
  readonly owesAnswer: boolean;
  /** Whether the API server itself was asked for the flow, which is the one it had then: what a watch shows may be behind. */
  readonly flowIsRead: boolean;
  /** When this process last acted on a retry request. */
  readonly retriedAtMs: number | undefined;
}

export interface Call {
  readonly branch: string;
  readonly operation: Operation;
  /** Counted from 1 within the operation. */
  readonly attempt: number;
  /** A try that has never been sent and that the deadline waits for. */
  readonly overdue: boolean;
  /** A person asked for it. */
  readonly requested: boolean;
}

export interface Publication {
  readonly message: string;
  /** Counted from 1. */
  readonly attempt: number;
}

export type Step =
  /** Store this status before anything else; only once it is stored, publish what it has counted. */
  | {
      readonly kind: 'store';
      readonly why: 'decision' | 'end' | 'news';
      readonly status: OrderTransactionStatus;
      readonly publications: readonly Publication[];
    }
  /** Begin these, and withdraw what waits to be sent and is not among them; come back when one has ended, the object changed, or at `wakeAtMs`. Nothing to begin: wait. */
  | {
      readonly kind: 'act';
      readonly calls: readonly Call[];
      readonly publications: readonly Publication[];
      readonly wakeAtMs: number | undefined;
    }
  /** Ask the API server for the flow, and decide again by what it has. */
  | { readonly kind: 'read-flow' }
  /** Nothing is left to do, ever. */
  | { readonly kind: 'rest' };

export function act(
  calls: readonly Call[],
  publications: readonly Publication[],
  wakeTimesMs: readonly (number | undefined)[],
): Step {
  const times = wakeTimesMs.filter((time) => time !== undefined);
  return { kind: 'act', calls, publications, wakeAtMs: times.length > 0 ? Math.min(...times) : undefined };
}

export function store(why: 'decision' | 'end' | 'news', view: View, status: OrderTransactionStatus): Step {
  return { kind: 'store', why, status: stamped(view, status), publications: [] };
}

/** Every stored status says which generation it has seen and since when the transaction is worked on. */
export function stamped(view: View, status: OrderTransactionStatus): OrderTransactionStatus {
  const { generation } = view.transaction.metadata;
  return {
    startedAt: new Date(view.storedAtMs).toISOString(),
    ...keepStoredAnswers(view.transaction.status, status),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** Milliseconds since the epoch; 0 (long due) where the field is absent or is no time. */
export function timeOf(field: string | undefined): number {
  return Date.parse(field ?? '') || 0;
}

export function createdAtMs(transaction: OrderTransaction): number {
  return timeOf(transaction.metadata.creationTimestamp);
}

/**
 * What people do to transactions, and how each of them answers. A verb says what it asks and what the stored copy must say for it to be
 * done; acting.ts does it to one or to thousands.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../src/kubernetes/stored-object.ts';
import type { ApiAnswer } from '../src/kubernetes/transport.ts';
import { isFinal } from '../src/transaction/phase.ts';
import type { Session } from './session.ts';

export type Result =
  /** What was asked for has happened. */
  | 'settled'
  /** The new attempt was answered, and not well; or was made, and nothing has come of it within --timeout. */
  | 'still failing'
  /** It is suspended, or what it waits for is on hold: nothing is sent until that is taken back. */
  | 'held back'
  /** It had ended, or was decided otherwise, before; or it was done before. */
  | 'too late'
  /** No answer within --timeout; it may still come. */
  | 'timed out'
  /** The API server has refused it. */
  | 'refused'
  | 'not found'
  /** --no-wait: stored, and nobody has looked what came of it. */
  | 'asked'
  /** --dry-run: the API server would take it. */
  | 'would be asked'
  /** Ctrl-C came before. */
  | 'not asked'
  /** Ctrl-C came before its answer, or it may not be looked at. */
  | 'not awaited';

export interface Verdict {
  readonly result: Result;
  readonly sentence: string;
  /** Too late, and what was wanted will not be, though for this act it usually is no failure. */
  readonly isMissed?: true;
}

export interface Asking {
  readonly session: Session;
  readonly reason: string | undefined;
  readonly dryRun: boolean;
  /** Who the API server knows us as; undefined where it did not say. */
  readonly me: string | undefined;
}

export interface Act {
  readonly verb: string;
  /** "Have 3 transactions tried again at once": what is asked about, with `count` in words. */
  readonly question: (count: string) => string;
  /** What somebody should know before saying yes. */
  readonly warning?: string;
  /** Whether coming too late is a failure: what was wanted will not be. */
  readonly lateIsFailure: boolean;
  /** Why nothing need be asked, or while it is only tried would come of it; undefined where it is to be. */
  readonly before: (transaction: OrderTransaction, isDry: boolean) => Verdict | undefined;
  /** What somebody should know of this one before saying yes. */
  readonly note?: (transaction: OrderTransaction) => string | undefined;
  readonly ask: (transaction: OrderTransaction, asking: Asking) => Promise<ApiAnswer<OrderTransaction>>;
  /** What the stored copy, undefined once it is gone, says to what was asked; undefined while it says nothing yet. */
  readonly judge: (now: OrderTransaction | undefined, asked: OrderTransaction) => Verdict | undefined;
  /** What it says once nobody waits any longer; undefined: that it has not been answered. */
  readonly judgeLate?: (now: OrderTransaction, asked: OrderTransaction) => Verdict | undefined;
}

export const settled = (sentence: string): Verdict => ({ result: 'settled', sentence });
export const stillFailing = (sentence: string): Verdict => ({ result: 'still failing', sentence });
export const heldBack = (sentence: string): Verdict => ({ result: 'held back', sentence });
export const tooLate = (sentence: string): Verdict => ({ result: 'too late', sentence });
export const missed = (sentence: string): Verdict => ({ result: 'too late', sentence, isMissed: true });

/** Whether it ended is not to be seen any more: nobody says that it did, above all not where it was given up meanwhile. */
export const GONE =
  'it is gone: it has ended and was removed, or was given up; kubectl ordertx describe asks the archive which';

/** What an act that came too late is answered, in the words that acting.ts knows it by. */
export function tooLateAnswer(sentence: string): ApiAnswer<OrderTransaction> {
  return { kind: 'error', error: { status: 409, reason: 'Conflict', message: `too late: ${sentence}` } };
}

/** A server's error may come after it was done, as a missing answer may. */
export const PERHAPS_TAKEN = 'it may have been taken all the same';

export const ANOTHER = 'another transaction has its name by now';

/** A merge patch of exactly this object: whoever took its name since is not meant. */
export function patch(
  transaction: OrderTransaction,
  { session, dryRun }: Asking,
  change: {
    readonly spec?: object;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  },
): Promise<ApiAnswer<OrderTransaction>> {
  const { namespace = '', name, uid } = transaction.metadata;
  const { spec, ...metadata } = change;
  return session.api.ask<OrderTransaction>({
    method: 'PATCH',
    path: pathOf(TRANSACTIONS, namespace, name),
    query: { fieldManager: 'kubectl-ordertx', ...(dryRun && { dryRun: 'All' }) },
    body: { metadata: { uid, ...metadata }, ...(spec && { spec }) },
  });
}

/** Where a reason has no field of its own it stands in an annotation, which `describe` shows. */
export function reasonAnnotation(verb: string, reason: string | undefined): Readonly<Record<string, string>> {
  return reason === undefined ? {} : { [`ordertx.dev/${verb}-reason`]: reason };
}

export function endedAlready({ status }: OrderTransaction, what: string): Verdict | undefined {
  return isFinal(status?.phase)
    ? tooLate(`it has ended (${status.phase}): there is nothing left to ${what}`)
    : undefined;
}

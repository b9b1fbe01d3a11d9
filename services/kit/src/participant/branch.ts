/**
 * What a service brings to the fence: one object per branch with the business work of try, confirm and cancel.
 *
 * The fence owns states, replays and refusals of the protocol; a branch owns the business rows. What it may rely on:
 *
 * 1. `client` is inside the fence's own database transaction (READ COMMITTED) and this branch's fence row is locked, so no other
 *    call of the same branch runs meanwhile. Everything done with another connection is outside of it.
 * 2. Each function is run to its end at most once per branch and transaction; a run whose database transaction did not commit has
 *    not happened.
 * 3. It never begins, commits or rolls back, and calls nothing over the network: a call cannot be undone. What only somebody else can
 *    say a try has the fence ask, which calls it again with what was heard.
 * 4. What it throws undoes everything and is answered as unknown (5xx), so the controller asks again.
 */
import type { PoolClient } from 'pg';
import type { ZodType } from 'zod';
import type { TransactionName } from '../../../protocol/src/index.ts';
import type { UsualCase } from '../postgres/joined-statement.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };

/** Working on it, or not yet: everything is undone and the answer is 425 with Retry-After. The sentence never changes from try to try. */
export interface Later {
  readonly kind: 'later';
  readonly detail: string;
  readonly retryAfterSeconds: number;
}
/** `afterwards` runs once the database transaction is committed. */
export interface Done {
  readonly kind: 'done';
  readonly afterwards?: () => void;
}
/** `answer` is the body of the 2xx and is replayed to every repeat of the try. */
export interface Tried {
  readonly kind: 'tried';
  readonly answer?: Json;
}
/** A business no, for good. `detail` is read by customer-service people. What the try wrote is undone, the refusal is kept. */
export interface Refused {
  readonly kind: 'refused';
  readonly detail: string;
}

/**
 * Only somebody else can say whether it may be tried: everything is undone, the fence asks, outside of any database transaction, and the
 * try is called once more.
 */
export interface Ask {
  readonly kind: 'ask';
  /** Resolves with what speaks against it, within seconds; never rejects. */
  readonly ask: () => Promise<Refused | Later | undefined>;
}

interface Call {
  readonly transaction: TransactionName;
  /** Counted from 1 within the operation, by the caller. */
  readonly attempt: number;
}
export interface TryCall<P> extends Call {
  readonly payload: P;
  /** What was heard, where this try asked before; the second time it may not ask again. */
  readonly heard?: { readonly objection: Refused | undefined };
}
export interface ConfirmCall<P> extends Call {
  readonly payload: P;
  /** The transaction's decisionReason, and why in words; empty when the caller gave none. */
  readonly reason: string;
  readonly detail: string;
}
/**
 * A cancel is never refused because of its payload. After a try it gets the payload that was tried, whatever came with the cancel.
 * Of a branch that is not Tried (`tried: false`: nothing is to be undone) it gets what came, where that passes the schema.
 */
export type CancelCall<P> = Call & { readonly reason: string; readonly detail: string } & (
    { readonly tried: true; readonly payload: P } | { readonly tried: false; readonly payload: P | undefined }
  );

export interface Branch<P> {
  /** The participant's name in the flow, as the header Ordertx-Branch gives it. */
  readonly branch: string;
  /** As the flow gives it, e.g. `/tcc/create-order`. */
  readonly path: string;
  readonly payload: ZodType<P>;
  try(client: PoolClient, call: TryCall<P>): Promise<Tried | Refused | Later | Ask>;
  confirm(client: PoolClient, call: ConfirmCall<P>): Promise<Done | Later>;
  cancel(client: PoolClient, call: CancelCall<P>): Promise<Done | Later>;
  /**
   * What `try` (answered Tried, without an answer of its own) and `confirm` usually come to, as one statement: the fence runs it
   * joined with its own row, instead of them. Where it is not the usual case it changes nothing, and they are run. Undefined where one
   * sees at once that it is not.
   */
  readonly usual?: {
    try?(call: TryCall<P>): UsualCase | undefined;
    confirm?(call: ConfirmCall<P>): UsualCase | undefined;
  };
}

/** A branch of any payload type: what the kit holds of several branches. It hands a branch only what its own schema has passed. */
export type AnyBranch = Branch<unknown>;

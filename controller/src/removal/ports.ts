/**
 * What the remover needs from outside: transactions that rest, as the API server has them, and where they are kept afterwards.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';

/** Which of those that rest: of one minute (`status.expires`, as it is stored), or all. */
export type Resting = { readonly kind: 'minute'; readonly expires: string } | { readonly kind: 'all' };

export type PageResult =
  | { readonly kind: 'page'; readonly transactions: readonly OrderTransaction[]; readonly next: string | undefined }
  /** The list took too long to be continued as it was; from `next` it goes on with what is stored now. */
  | { readonly kind: 'expired'; readonly next: string }
  /** There is no right to look into this namespace, which whoever watches it has said already. */
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'unknown'; readonly message: string };

export type RemoveResult =
  /** Gone: by this request, or before it. */
  | { readonly kind: 'removed' }
  /** What is stored under its name is not this copy any more: nothing was removed. */
  | { readonly kind: 'changed' }
  /** The API server's guards, missing rights or a webhook that it cannot reach; the sentence is the server's. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

export type RemoveManyResult =
  /** `more`: there may be others of this minute. `removed` leaves out those that somebody was removing already. */
  | { readonly kind: 'removed'; readonly removed: number; readonly more: boolean }
  /** One of them was refused; others may have been removed. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

export interface RestingTransactions {
  readonly namespaces: readonly string[];
  /** Without managed fields. @param next of the page before */
  page(namespace: string, which: Resting, limit: number, next?: string): Promise<PageResult>;
  /** Removes exactly this copy: the request carries its uid and resourceVersion. */
  remove(transaction: OrderTransaction): Promise<RemoveResult>;
  /** Removes at most so many of this minute in one request: at two thirds of the cost, and by their names. */
  removeMinute(namespace: string, expires: string, limit: number): Promise<RemoveManyResult>;
}

export type ArchiveResult =
  /** All but those that no archive can ever take, each with the reason. */
  | { readonly kind: 'kept'; readonly refused: ReadonlyMap<OrderTransaction, string> }
  | { readonly kind: 'unavailable'; readonly message: string };

/** Keeps transactions for good. Storing the same one again changes nothing. */
export interface Archive {
  keep(transactions: readonly OrderTransaction[]): Promise<ArchiveResult>;
}

/** Keeps what a person has given up and deleted before its end. Storing the same one again changes nothing. */
export interface AbandonedArchive {
  /** @param gone when it was heard that it is gone */
  keepAbandoned(transaction: OrderTransaction, gone: Date): Promise<ArchiveResult>;
}

/** Why nothing is removed now. */
export type Trouble = { readonly of: 'archive' | 'api'; readonly message: string };

/** Where people see it. */
export interface RemovalReport {
  /** Called after each look of the replica that removes; what cannot be reported is reported after the next. Never rejects. */
  looked(trouble: Trouble | undefined, signal: AbortSignal): Promise<void>;
}

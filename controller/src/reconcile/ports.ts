/**
 * The reconcile loop's ports: everything it needs from outside, as it needs it.
 *
 * Adapters implement these; main.ts puts them in. The loop knows no HTTP, no Kubernetes client and no clock of its own.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate, Participant, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { MessageOutcome } from '../transaction/answers.ts';
import type { Operation, Outcome } from '../transaction/outcome.ts';

/** `<namespace>/<name>` of a transaction: the work queue's key. */
export type Key = string;

/** How a status write ended. Never rejects: an answer that did not come is `unknown`, and the caller reads before acting (T1). */
export type WriteResult =
  | { readonly kind: 'stored'; readonly transaction: OrderTransaction }
  /** The copy it was made from is not the stored one any more (HTTP 409), or another object has its name by now. */
  | { readonly kind: 'conflict' }
  /** The object is gone (HTTP 404). */
  | { readonly kind: 'gone' }
  /** The API server's rules refused it (HTTP 422 or 403): a faulty step of ours, or missing rights; `message` is the server's sentence. */
  | { readonly kind: 'refused'; readonly message: string }
  /** No answer, or one that tells nothing (time-out, 5xx, 429 past its retries). */
  | { readonly kind: 'unknown'; readonly message: string };

export type ReadResult =
  | { readonly kind: 'found'; readonly transaction: OrderTransaction }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly message: string };

export interface TransactionStore {
  /** The newest copy this process knows of: the informer's, or its own last write's where that is newer. */
  get(key: Key): OrderTransaction | undefined;
  /** The stored copy, read from the API server; also becomes what `get` answers where it is newer. */
  read(key: Key): Promise<ReadResult>;
  /** Replaces the status of exactly this copy: the write carries its uid and resourceVersion. */
  writeStatus(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<WriteResult>;
}

export interface FlowStore {
  /** The newest copy this process knows of. */
  get(namespace: string, name: string): TransactionFlow | undefined;
  /**
   * Asks the API server; what it has also becomes what `get` answers where it is newer. Never rejects.
   *
   * @returns whether it has answered
   */
  read(namespace: string, name: string): Promise<boolean>;
}

/** One call to one participant. It carries the same transaction, branch, operation and payload on every retry (T3). */
export interface BranchCall {
  readonly transaction: OrderTransaction;
  readonly participant: Participant;
  readonly operation: Operation;
  /** Counted from 1 within the operation. */
  readonly attempt: number;
  /** Only on confirm and cancel: the decisionReason, and why in words. */
  readonly reason?: string;
  readonly detail?: string;
  /** A try that its deadline waits for: it goes before other tries. */
  readonly overdue: boolean;
  /** A person asked for it: one attempt, at once. */
  readonly requested: boolean;
}

/** What is known of a participant's endpoint by the calls of all transactions. */
export interface Health {
  /** For how long it has answered nobody, so that its calls go out by turns; undefined while it answers. */
  readonly downForMs: number | undefined;
  /** How often it was found to answer again. */
  readonly revivals: number;
}

/** A call from the moment it is due until it ends. It may wait long before it is sent, and what is sent must fit that moment. */
export interface CallRequest {
  /** The call as it is now; undefined once it is not wanted any more. Asked again after every wait, last right before sending. */
  current(): BranchCall | undefined;
  /** It goes out now: from here on it cannot be withdrawn. */
  sent(): void;
  /** Aborted when it is given up before it is sent; never after that. */
  readonly withdrawn: AbortSignal;
}

/** `withdrawn`: it was never sent, and this says nothing about the participant. */
export type CallResult = Outcome | { readonly kind: 'withdrawn' };

export interface Participants {
  /** Resolves, never rejects; waits for a place at the endpoint first. `signal` aborts at shutdown what was sent. */
  call(request: CallRequest, signal: AbortSignal): Promise<CallResult>;
  health(namespace: string, participant: Participant): Health;
}

/** One publication of one message; its id is the same on every one (T7). */
export interface MessagePublication {
  readonly transaction: OrderTransaction;
  readonly template: MessageTemplate;
  /** Counted from 1. */
  readonly attempt: number;
  /** The decisionReason, and why in words. */
  readonly reason: string;
  readonly detail: string;
}

export interface Messages {
  /** Resolves, never rejects: `published` or `unpublished`. Receipts come later, through Reconciler.receipt. */
  publish(publication: MessagePublication): Promise<MessageOutcome>;
  /**
   * Resolves, never rejects, once its consumer has ended this publication: by a receipt, or by taking it off the stream without one.
   * Also after a while in which it has not, when the broker goes away, and when `signal` aborts.
   */
  ended(publication: MessagePublication, signal: AbortSignal): Promise<void>;
  /** Why nothing can be published just now, in words that stay the same; undefined while messages are taken. */
  readonly away: string | undefined;
}

/** The work queue as the loop sees it. */
export interface Schedule {
  /** There is news of it. */
  soon(key: Key): void;
  /** Nothing has happened to it: after what has news, but never kept waiting by it for ever. As what comes by `after`. */
  inTurn(key: Key): void;
  /** After this time or earlier; measured without the clock on the wall, which may be set meanwhile. */
  after(key: Key, delayMs: number): void;
  /** Nothing is to be done for it any more: what was asked for by `after` need not come. */
  forget(key: Key): void;
}

/** Who wants to know: metrics and the log. */
export interface Observer {
  /** This process begins to work on a transaction; what becomes of it is told to what this returns. */
  takenUp(): TransactionObserver;
  /** The API server refused a status by its rules or for want of rights. */
  statusRefused(key: Key, sentence: string): void;
}

export interface TransactionObserver {
  statusWritten(why: 'decision' | 'end' | 'news', result: WriteResult['kind']): void;
  /** A status that this process wrote is stored, over this copy. */
  stored(before: OrderTransaction, after: OrderTransaction): void;
}

export interface TransactionEvents {
  /** A Kubernetes Event on the transaction; fire and forget, dropped when the API server does not take it. */
  warn(transaction: OrderTransaction, reason: string, note: string): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Decides which transactions this replica works on (Lease-held shards). Only saves work: safety never rests on it (T2). */
export interface Ownership {
  owns(transaction: OrderTransaction): boolean;
}

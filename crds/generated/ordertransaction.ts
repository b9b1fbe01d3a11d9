/**
 * Generated from crds/ordertransaction.yaml by `npm run generate`; do not edit.
 *
 * These are objects as the API server returns them: a field that has a default in the CRD is always there.
 */
import type { ObjectMeta } from '../object-meta.ts';

/**
 * How it counts from now on: Confirmed (a branch, under Confirm), Cancelled (a branch, under Cancel) or Delivered (a message).
 */
export type ResolvedAs = 'Confirmed' | 'Cancelled' | 'Delivered';
/**
 * How far the transaction is; absent counts as Pending.
 * - Pending: nothing to report yet; the tries may be on their way. Goes on to Trying, Confirming or Cancelling.
 * - Trying: a try meets trouble, which is why it is written at all. Goes on to Confirming or Cancelling.
 * - Confirming: every branch was tried and Confirm is decided; confirms are sent until each is acknowledged. Goes on to Delivering or Succeeded.
 * - Cancelling: Cancel is decided; cancels are sent to every branch until each is acknowledged. Goes on to Delivering or Cancelled.
 * - Delivering: every branch has ended as decided; reliable messages await their receipts. Goes on to Succeeded or Cancelled.
 * - Succeeded: final. Confirmed everywhere and every reliable message delivered.
 * - Cancelled: final. Cancelled everywhere and every reliable message delivered.
 */
export type Phase = 'Pending' | 'Trying' | 'Confirming' | 'Cancelling' | 'Delivering' | 'Succeeded' | 'Cancelled';
/**
 * What every branch will come to. Write-once, and stored on its own before any confirm or cancel is sent.
 * - Confirm: final. Every branch was Tried; every branch will be Confirmed.
 * - Cancel: final. Every branch, tried or not, will be Cancelled.
 */
export type Decision = 'Confirm' | 'Cancel';
/**
 * Why it was decided so.
 * - AllTried: every try succeeded (Confirm).
 * - Refused: a participant refused its try; message says which and why (Cancel).
 * - DeadlineExceeded: an answer to a try was still missing when the flow's timeoutSeconds had passed (Cancel).
 * - CancelRequested: cancelRequested was set before the decision (Cancel).
 */
export type DecisionReason = 'AllTried' | 'Refused' | 'DeadlineExceeded' | 'CancelRequested';
/**
 * How far this branch is.
 * - Untried: no usable answer to its try yet. Goes on to Tried or Refused, or to Cancelled under Cancel.
 * - Tried: its try succeeded and what it needs is reserved. Goes on to Confirmed or Cancelled, as decided.
 * - Refused: the participant said no for good; nothing is reserved. Goes on to Cancelled.
 * - Confirmed: final. Its reservation was made effective.
 * - Cancelled: final. What it had reserved, if anything, was given back.
 */
export type BranchState = 'Untried' | 'Tried' | 'Refused' | 'Confirmed' | 'Cancelled';
/**
 * Reliable: published until delivered, and the transaction does not end before. BestEffort: published at most maxAttempts times, and nothing waits for it but the transaction's removal.
 */
export type Delivery = 'Reliable' | 'BestEffort';
/**
 * How far this message is.
 * - Pending: not sent, or sent and without a receipt; it is published again. Goes on to Delivered, Refused or GaveUp.
 * - Delivered: final. Its consumer's receipt came back, or a person settled it.
 * - Refused: its consumer said no. A reliable one is published again at the longest delay and goes on to Delivered.
 * - GaveUp: final. A best-effort message that used up its attempts.
 */
export type MessageState = 'Pending' | 'Delivered' | 'Refused' | 'GaveUp';
/**
 * What it is about.
 * - Succeeded: True once the phase is Succeeded, False once it is Cancelled.
 * - Finished: True once the phase is final, whichever it is.
 * - Stuck: True while a person's attention is needed; reason and message say why.
 * - Suspended: True while spec.suspend holds the transaction and nothing is under way.
 */
export type ConditionType = 'Succeeded' | 'Finished' | 'Stuck' | 'Suspended';

/**
 * One distributed transaction of an order: the participants of its flow are asked to try, then all of them to confirm or all to cancel, then its messages are delivered.
 *
 * Its name is the attempt's key (create-<orderId>, pay-<paymentId>): creating the same attempt twice is harmless.
 * `kubectl wait --for=condition=Finished otx/NAME` always ends. To have it tried again at once: `kubectl annotate otx NAME ordertx.dev/retry-requested-at="$(date)" --overwrite`.
 * An unfinished transaction can only be deleted after it was given up with the annotation ordertx.dev/abandon=<reason>, by someone who has the verb `abandon`; ordertx.dev/abandoned-by says who gave it up.
 */
export interface OrderTransaction {
  readonly apiVersion: 'ordertx.dev/v1alpha1';
  readonly kind: 'OrderTransaction';
  readonly metadata: ObjectMeta;
  readonly spec: OrderTransactionSpec;
  readonly status?: OrderTransactionStatus;
}
/**
 * What the transaction is about. Immutable but for suspend, cancelRequested and resolutions.
 */
export interface OrderTransactionSpec {
  /**
   * Name of the TransactionFlow in the same namespace that says who takes part. Immutable. While no such flow exists the transaction waits, Stuck (FlowNotFound).
   */
  readonly flow: string;
  /**
   * The order's id, a lower-case DNS label: letters, digits and hyphens, not at an end. Immutable. Field selectors find all transactions of an order by it.
   */
  readonly orderId: string;
  /**
   * What participants and consumers get, as a JSON object whose shape the flow's services define. Immutable. Ids only, no names, phone numbers or addresses: it lies in etcd, in archives and in the output of kubectl. Over 64 kB it is never sent and the transaction is Stuck (PayloadTooLarge).
   */
  readonly payload: {
    readonly [k: string]: unknown;
  };
  /**
   * An operator's pause: while true nothing is sent and nothing decided, though the deadline runs on. It is quiet once the condition Suspended is True at the current generation. To set it, true or back to false, needs the verb `suspend`; a transaction that has ended cannot be suspended.
   */
  readonly suspend: boolean;
  /**
   * Who suspended it last: the user name that the API server knows the caller by, and no other is accepted. It comes with suspend true and is not changed or removed; where the API server does not fill it in (before 1.36) it is written beside it.
   */
  readonly suspendedBy?: string;
  /**
   * Who set suspend back to false last, told in the same way.
   */
  readonly resumedBy?: string;
  /**
   * Asks for the decision Cancel. One-way. Stored before the decision it always wins; after the decision Confirm it is refused. It needs the verb `cancel`.
   */
  readonly cancelRequested: boolean;
  /**
   * Who asked for its cancellation: the user name that the API server knows the caller by, and no other is accepted. It comes with cancelRequested and is not changed or removed.
   */
  readonly cancelRequestedBy?: string;
  /**
   * What people settled by hand, one entry per branch or message, never changed or removed. Each says that a person has made the service's data agree with the stored decision (settle the service first, then write this), so it is accepted only after the decision and agreeing with it, and for what has not ended. It needs the verb `settle`.
   */
  readonly resolutions?: readonly Resolution[];
}
/**
 * One branch or message that a person settled.
 */
export interface Resolution {
  /**
   * Name of the branch or message in the status.
   */
  readonly target: string;
  readonly as: ResolvedAs;
  /**
   * How and why it was settled, for whoever reads this later.
   */
  readonly reason: string;
  /**
   * Who settled it: the user name that the API server knows the caller by, and no other is accepted.
   */
  readonly by?: string;
}
/**
 * How far the transaction is. Written by the controller only.
 */
export interface OrderTransactionStatus {
  readonly phase?: Phase;
  readonly decision?: Decision;
  readonly decisionReason?: DecisionReason;
  /**
   * One sentence for people: what it waits for, or why it was cancelled. The text is stable: no ids, times or counters.
   */
  readonly message?: string;
  /**
   * The participant or message it fails on right now, or that is on hold; the flow where that is missing; empty when nothing is wrong. `kubectl get otx --field-selector status.waitingFor!=` lists all that wait so.
   */
  readonly waitingFor?: string;
  /**
   * One branch per participant of the flow. None is ever removed, and none is added once decided.
   */
  readonly branches?: readonly Branch[];
  /**
   * The business messages that follow from the decision, fixed by the write that stores it. None is ever removed.
   */
  readonly messages?: readonly Message[];
  /**
   * Standard Kubernetes conditions, one per type.
   */
  readonly conditions?: readonly Condition[];
  /**
   * The minute (UTC, 2026-11-22T23:15Z) after which a finished transaction may be removed. Whole minutes, so that one field selector finds all of a minute.
   */
  readonly expires?: string;
  /**
   * When a controller first worked on it; the flow's timeoutSeconds count from the object's creation.
   */
  readonly startedAt?: string;
  /**
   * When the decision was made.
   */
  readonly decidedAt?: string;
  /**
   * When the final phase was reached.
   */
  readonly finishedAt?: string;
  /**
   * The metadata.generation that this status takes into account.
   */
  readonly observedGeneration?: number;
  /**
   * The last value of the annotation ordertx.dev/retry-requested-at that was acted on.
   */
  readonly lastHandledRetryAt?: string;
}
/**
 * One participant's part of the transaction.
 */
export interface Branch {
  /**
   * The participant's name in the flow.
   */
  readonly name: string;
  readonly state: BranchState;
  /**
   * How often the current operation (try, confirm or cancel) was sent, counted anew with each operation; written with other changes, so it may lag.
   */
  readonly attempts?: number;
  /**
   * True while undecided where the participant answered its try with Confirmed: it had confirmed this transaction before the store was put back to an older snapshot. No deadline, refusal or request cancels it from then on; Stuck (ConfirmedBefore) says what speaks against the Confirm.
   */
  readonly confirmedBefore?: boolean;
  /**
   * What the last attempt met, in a stable sentence; absent when nothing is wrong.
   */
  readonly lastError?: string;
  /**
   * Before this time it is not tried again by itself.
   */
  readonly nextAttemptTime?: string;
}
/**
 * One business message. It counts as sent only when its consumer's receipt came back.
 */
export interface Message {
  /**
   * The message's name in the flow.
   */
  readonly name: string;
  readonly delivery: Delivery;
  readonly state: MessageState;
  /**
   * How often it was published; for best effort counted before publishing from the second time on.
   */
  readonly attempts?: number;
  /**
   * Why it was refused or not delivered, in a stable sentence; absent when nothing is wrong.
   */
  readonly lastError?: string;
  /**
   * Before this time it is not published again by itself.
   */
  readonly nextAttemptTime?: string;
}
/**
 * One condition.
 */
export interface Condition {
  readonly type: ConditionType;
  /**
   * Whether it holds.
   */
  readonly status: 'True' | 'False' | 'Unknown';
  /**
   * One CamelCase word for programs.
   */
  readonly reason: string;
  /**
   * One sentence for people.
   */
  readonly message?: string;
  /**
   * When status last changed.
   */
  readonly lastTransitionTime: string;
  /**
   * The metadata.generation this was said of.
   */
  readonly observedGeneration?: number;
}

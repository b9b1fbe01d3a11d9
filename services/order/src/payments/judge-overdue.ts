/**
 * What becomes of an order whose time to pay is over, or that its customer withdraws, from what the payment service says of it.
 *
 * 1. Money that was captured for it, and is not on its way back, is applied before anything is closed: the payment's transaction is
 *    begun, though its message may not have come yet.
 * 2. A payment that is open may succeed any moment, and a payment service that is away may know of one: both hold the first close off,
 *    for the grace after the time-out and not longer. A customer who has withdrawn is held off by neither.
 *
 * A total pure function.
 */
import type { KnownPayment } from './payment-lookup.ts';

export interface Overdue {
  readonly withdrawn: boolean;
  /** Closes that were begun before. */
  readonly closes: number;
  /** Since its time to pay is over. */
  readonly overdueSeconds: number;
  /** Undefined where the payment service did not say; without those whose transactions have ended. */
  readonly payments: readonly KnownPayment[] | undefined;
}

export type OverdueVerdict =
  | { readonly kind: 'close' }
  | { readonly kind: 'hold' }
  | { readonly kind: 'pay'; readonly captured: readonly CapturedPayment[] };

export interface CapturedPayment {
  readonly paymentId: string;
  readonly amountCents: number;
}

export function judgeOverdue(order: Overdue, graceSeconds: number): OverdueVerdict {
  const { withdrawn, closes, overdueSeconds, payments } = order;
  const captured = (payments ?? []).flatMap(({ paymentId, status, capturedCents }) =>
    status === 'SUCCEEDED' && capturedCents !== null ? [{ paymentId, amountCents: capturedCents }] : [],
  );
  if (captured.length > 0) return { kind: 'pay', captured };
  const mayBePaid = payments === undefined || payments.some(({ status }) => status === 'PENDING');
  const held = mayBePaid && !withdrawn && closes === 0 && overdueSeconds < graceSeconds;
  return { kind: held ? 'hold' : 'close' };
}

/**
 * What a person should do about an order whose services disagree: a total pure function of its books.
 *
 * 1. What the order service has taken for ended can be created again as long as its creation is kept: that brings whoever is behind
 *    (inventory, the followers, a refund) to where the order is.
 * 2. It cannot bring the order service itself forward, nor a payment back that is not there: those are for a person.
 */
import type { Books } from './books.ts';
import { PAID_STATUSES } from './money.ts';

export type NextStep =
  /** `creations again --order <id>`. */
  { readonly kind: 'again' } | { readonly kind: 'by-hand'; readonly why: string };

const END_STATES: readonly string[] = ['SOLD', 'RETURNED'];

export function nextStep(orderId: string, books: Books, kept: readonly string[]): NextStep {
  const order = books.orders.get(orderId);
  if (order === undefined) return { kind: 'by-hand', why: 'the order service does not know the order' };
  const stock = books.reservations.get(orderId)?.state;
  const waits = order.status === 'PENDING_PAYMENT' || order.status === 'PAYING' || order.status === 'CLOSING';
  if (waits && stock !== undefined && END_STATES.includes(stock))
    return { kind: 'by-hand', why: 'the order service is behind inventory' };
  if (books.payments !== undefined && PAID_STATUSES.includes(order.status)) {
    const payment = books.payments.get(order.paymentId ?? '');
    if (payment === undefined) return { kind: 'by-hand', why: 'the payment service does not know the payment' };
    if (payment.capturedCents === null)
      return {
        kind: 'by-hand',
        why: 'the payment service has not captured the payment: have the provider repeat its call',
      };
  }
  const lostPayment = [...(books.payments ?? [])].find(
    ([paymentId, { capturedCents, refundedCents }]) =>
      capturedCents !== null &&
      refundedCents === null &&
      order.paymentId !== paymentId &&
      !kept.some((transaction) => transaction.endsWith(`/pay-${paymentId}`)),
  );
  if (lostPayment !== undefined)
    return { kind: 'by-hand', why: `the order service has not heard of payment ${lostPayment[0]}` };
  if (kept.length === 0) return { kind: 'by-hand', why: 'no creation of the order is kept any more' };
  return { kind: 'again' };
}

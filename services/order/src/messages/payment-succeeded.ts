/**
 * `payment.succeeded`: a payment was captured, so its pay-order transaction is wanted.
 *
 * 1. The message is a hint and no more: whoever can write to the broker can send one. What is believed is the payment service's own
 *    answer, that this payment of this order captured this amount.
 * 2. The message's inbox row and the outbox row of the creation are one database transaction. Whether the order may be paid is not
 *    judged here but by the transaction's try: a payment that comes too late is refunded by the same path as any other that loses.
 * 3. While the order is INIT even that is too early: the message is left without a receipt, and comes again.
 */
import type { ForeignMessage, OnceHandler, RefusedMessage } from '../../../kit/src/index.ts';
import { paymentSucceededSchema, type PaymentSucceeded } from '../../../protocol/src/index.ts';
import type { Relay } from '../creation/relay.ts';
import { lockOrder } from '../held-order.ts';
import { openPayment } from '../payments/open-payment.ts';
import type { KnownPayment, PaymentLookup } from '../payments/payment-lookup.ts';

export interface PaymentSucceededOptions {
  readonly relay: Pick<Relay, 'nudge'>;
  readonly payments: PaymentLookup;
}

export function paymentSucceeded({ relay, payments }: PaymentSucceededOptions): OnceHandler<PaymentSucceeded> {
  return {
    kind: 'once',
    type: 'payment.succeeded',
    data: paymentSucceededSchema,
    sentBy: { service: 'payment', about: ({ paymentId }) => paymentId },
    async before({ data }) {
      const asked = await payments.ofOrders([data.orderId]);
      if (asked.kind === 'unavailable') return { kind: 'not-yet', detail: asked.why };
      return objectionTo(
        data,
        asked.payments.find(({ paymentId }) => paymentId === data.paymentId),
      );
    },
    async handle(client, { data, traceparent }) {
      const { orderId } = data;
      // Held, so that no branch of the payment ends between the look at whether it has and the creation's row.
      const order = await lockOrder(client, orderId);
      if (order === undefined) return { kind: 'refused', reason: `there is no order ${orderId}` };
      if (order.status === 'INIT') return { kind: 'not-yet', detail: `order ${orderId} is still being created` };
      const creation = await openPayment(client, order, data, traceparent);
      return { kind: 'delivered', afterwards: () => creation && relay.nudge(creation) };
    },
  };
}

function objectionTo(
  told: PaymentSucceeded,
  known: KnownPayment | undefined,
): RefusedMessage | ForeignMessage | undefined {
  if (known === undefined) return { kind: 'refused', reason: 'the payment service knows no such payment of the order' };
  const { status, capturedCents } = known;
  if (capturedCents === null)
    return { kind: 'refused', reason: 'the payment service has not heard that the payment was captured' };
  if (capturedCents !== told.amountCents) {
    const reason = `the payment service knows of ${capturedCents} cents, and the message of ${told.amountCents}`;
    return { kind: 'refused', reason };
  }
  if (status === 'SUCCEEDED') return undefined;
  return { kind: 'foreign', detail: `the payment is ${status} by now: there is nothing to apply` };
}

/**
 * `payment.succeeded`: a payment was captured, so its pay-order transaction is wanted.
 *
 * 1. The message is a hint and no more: whoever can write to the broker can send one. What is believed is the payment service's own
 *    answer, that this payment of this order captured this amount.
 * 2. The message's inbox row and the outbox row of the creation are one database transaction. Whether the order may be paid is not
 *    judged here but by the transaction's try: a payment that comes too late is refunded by the same path as any other that loses.
 * 3. Money that came after its attempt was cancelled, which somebody had made by hand before, is neither applied nor given back by any
 *    transaction. Its message is refused: it stays in everybody's view until a person has refunded it.
 * 4. While the order is INIT even that is too early: the message is left without a receipt, and comes again.
 */
import type { ForeignMessage, OnceHandler, RefusedMessage } from '../../../kit/src/index.ts';
import { paymentSucceededSchema, type PaymentSucceeded } from '../../../protocol/src/index.ts';
import type { Relay } from '../creation/relay.ts';
import { lockOrder } from '../held-order.ts';
import { judgeCaptured } from '../payments/judge-captured.ts';
import { isUnaskedFor, openPayment } from '../payments/open-payment.ts';
import type { KnownPayment, PaymentLookup } from '../payments/payment-lookup.ts';

export interface PaymentSucceededOptions {
  readonly relay: Pick<Relay, 'nudge'>;
  readonly payments: Pick<PaymentLookup, 'ofOrders'>;
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
      if (creation === undefined && (await isUnaskedFor(client, order, data.paymentId)))
        return { kind: 'refused', reason: cancelledBefore(data.paymentId) };
      return { kind: 'delivered', afterwards: () => creation && relay.nudge(creation) };
    },
  };
}

/** What its message is refused with. */
export function cancelledBefore(paymentId: string): string {
  return `this payment's transaction was made by hand and cancelled before the money came: give it back with refund --payment ${paymentId} of the payment service, and then outbox retry`;
}

function objectionTo(
  told: PaymentSucceeded,
  known: KnownPayment | undefined,
): RefusedMessage | ForeignMessage | undefined {
  const verdict = judgeCaptured(told, known);
  switch (verdict.kind) {
    case 'captured':
      return undefined;
    case 'pending':
    case 'other':
      return { kind: 'refused', reason: verdict.detail };
    case 'going-back':
      return { kind: 'foreign', detail: verdict.detail };
  }
}

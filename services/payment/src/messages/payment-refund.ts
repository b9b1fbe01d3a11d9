/**
 * `payment.refund`: the pay-order transaction was cancelled, so what was captured goes back.
 *
 * 1. It counts only from the payment's own transaction (attempts.ts), in the namespace that the order service has named: whoever copies
 *    a payment's transaction, or lists this message in a flow of his own, gives nothing back.
 * 2. The message is a hint and no more: whoever can write to the broker can send one. Money goes back once the order service says that
 *    this payment can never be applied, because its branch is Cancelled; while that is open the message comes again, and a payment that
 *    was applied is never refunded.
 * 3. What does not fit the payment as it is known here is refused, never guessed: the transaction stays Stuck in everybody's view
 *    until a person has looked at the money.
 */
import type { Pool } from 'pg';
import type { NotYet, OnceHandler, RefusedMessage } from '../../../kit/src/index.ts';
import {
  foreignMessage,
  OTHER_NAMESPACE,
  payOrderPayloadSchema,
  type PayOrderPayload,
} from '../../../protocol/src/index.ts';
import type { Attempt, OrderLookup } from '../orders/order-lookup.ts';
import type { RefundRelay } from '../refunds/relay.ts';
import { getPayment, judgeRefund, learnNamespace, lockPayment, refundPayment } from '../payments.ts';

export interface PaymentRefundOptions {
  readonly pool: Pool;
  readonly orders: OrderLookup;
  readonly refunds: Pick<RefundRelay, 'nudge'>;
}

export function paymentRefund({ pool, orders, refunds }: PaymentRefundOptions): OnceHandler<PayOrderPayload> {
  return {
    kind: 'once',
    type: 'payment.refund',
    data: payOrderPayloadSchema,
    foreign: ({ origin, data }) => foreignMessage('payment.refund', origin, data),
    // All that speaks against a refund is said here: what is not must have been asked for, for it may be otherwise once the row is locked.
    async before({ origin, data }) {
      const { paymentId, orderId } = data;
      const payment = await getPayment(pool, paymentId);
      let namespace = payment?.namespace;
      if (namespace === null) {
        const order = await orders.find(payment?.orderId ?? orderId);
        if (order.kind !== 'found' || order.namespace === null)
          return { kind: 'not-yet', detail: 'the order service does not say where the transactions of the order lie' };
        namespace = order.namespace;
        await learnNamespace(pool, paymentId, namespace);
      }
      if (namespace !== undefined && namespace !== origin?.namespace) return OTHER_NAMESPACE;
      const verdict = judgeRefund(payment, data);
      switch (verdict.kind) {
        case 'refused':
          return { kind: 'refused', reason: verdict.detail };
        case 'done':
          return undefined;
        case 'refund':
          return objectionOf(await orders.attempt({ paymentId, orderId, namespace: namespace ?? null }));
      }
    },
    async handle(client, { origin, data, reason, detail }) {
      const { paymentId } = data;
      const payment = await lockPayment(client, paymentId);
      if (payment !== undefined && payment.namespace !== origin?.namespace) return OTHER_NAMESPACE;
      const verdict = judgeRefund(payment, data);
      switch (verdict.kind) {
        case 'refused':
          return { kind: 'refused', reason: verdict.detail };
        case 'done':
          return { kind: 'delivered' };
        case 'refund':
          await refundPayment(client, paymentId, detail || reason || 'no reason was given');
          return { kind: 'delivered', afterwards: () => refunds.nudge() };
      }
    },
  };
}

function objectionOf(attempt: Attempt): RefusedMessage | NotYet | undefined {
  if (attempt.kind === 'unavailable')
    return { kind: 'not-yet', detail: `it is not known whether the payment can still be applied: ${attempt.why}` };
  if (attempt.applied || attempt.state === 'Confirmed')
    return { kind: 'refused', reason: 'the order is paid by this payment: it is not given back' };
  if (attempt.state === 'Cancelled') return undefined;
  return { kind: 'not-yet', detail: `the order's branch of ${attempt.transaction} is ${attempt.state}, not Cancelled` };
}

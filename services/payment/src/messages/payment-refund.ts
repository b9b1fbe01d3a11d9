/**
 * `payment.refund`: the pay-order transaction was cancelled, so what was captured goes back.
 *
 * 1. It counts only from the payment's own transaction (attempts.ts), in the namespace that the order service has named: whoever copies
 *    a payment's transaction, or lists this message in a flow of his own, gives nothing back.
 * 2. What does not fit the payment as it is known here is refused, never guessed: the transaction stays Stuck in everybody's view
 *    until a person has looked at the money.
 */
import type { Pool } from 'pg';
import type { OnceHandler } from '../../../kit/src/index.ts';
import {
  foreignMessage,
  OTHER_NAMESPACE,
  payOrderPayloadSchema,
  type PayOrderPayload,
} from '../../../protocol/src/index.ts';
import type { OrderLookup } from '../orders/order-lookup.ts';
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
    async before({ data: { paymentId } }) {
      const payment = await getPayment(pool, paymentId);
      if (payment?.namespace !== null) return undefined;
      const order = await orders.find(payment.orderId);
      if (order.kind !== 'found' || order.namespace === null)
        return { kind: 'not-yet', detail: 'the order service does not say where the transactions of the order lie' };
      await learnNamespace(pool, paymentId, order.namespace);
      return undefined;
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

/**
 * `payment.succeeded`: a payment was captured, so its pay-order transaction is wanted.
 *
 * The message's inbox row and the outbox row of the creation are one database transaction. Whether the order may be paid is not
 * judged here but by the transaction's try: a payment that comes too late is refunded by the same path as any other that loses.
 * While the order is INIT even that is too early: the message is left without a receipt, and comes again.
 */
import { sqlFile, type OnceHandler } from '../../../kit/src/index.ts';
import { besides, paymentSucceededSchema, payName, type PaymentSucceeded } from '../../../protocol/src/index.ts';
import type { Creation } from '../creation/creation.ts';
import type { Relay } from '../creation/relay.ts';
import { FIRST_REPEAT_SECONDS } from '../creation/schedule.ts';
import { lockOrder } from '../held-order.ts';
import { continuedOrNew } from '../trace-parent.ts';

const OPEN_PAYMENT = { name: 'open-payment', text: sqlFile(import.meta.url, '../../sql/open-payment.sql') };

export interface PaymentSucceededOptions {
  readonly relay: Pick<Relay, 'nudge'>;
}

export function paymentSucceeded({ relay }: PaymentSucceededOptions): OnceHandler<PaymentSucceeded> {
  return {
    kind: 'once',
    type: 'payment.succeeded',
    data: paymentSucceededSchema,
    sentBy: { service: 'payment', about: ({ paymentId }) => paymentId },
    async handle(client, { data, traceparent }) {
      const { paymentId, orderId, amountCents } = data;
      // Held, so that no branch of the payment ends between the look at whether it has and the creation's row.
      const order = await lockOrder(client, orderId);
      if (order === undefined) return { kind: 'refused', reason: `there is no order ${orderId}` };
      if (order.status === 'INIT') return { kind: 'not-yet', detail: `order ${orderId} is still being created` };
      const transaction = besides(order.transaction, payName(paymentId));
      const { rows } = await client.query<Creation>({
        ...OPEN_PAYMENT,
        values: [transaction, paymentId, orderId, amountCents, continuedOrNew(traceparent), FIRST_REPEAT_SECONDS],
      });
      return { kind: 'delivered', afterwards: () => rows.forEach((creation) => relay.nudge(creation)) };
    },
  };
}

/**
 * POST /payments: a customer wants to pay for an order.
 *
 * The order service says what it costs. An order may have several payments, because a customer may begin anew; the order's own row
 * decides which one counts, and the others are refunded if they were captured.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { newId, problem, route, type Log, type Reply, type Route } from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import type { OrderLookup } from '../orders/order-lookup.ts';
import { addPayment } from '../payments.ts';
import { BAD_BODY, paymentAnswer, paymentSchema } from './payment-answer.ts';

export interface CreatePaymentOptions {
  readonly pool: Pool;
  readonly orders: OrderLookup;
  readonly publicUrl: string;
}

/** The one order status in which money may be asked for. */
const PAYABLE = 'PENDING_PAYMENT';
const RETRY_AFTER_SECONDS = '1';

export function createPaymentRoute({ pool, orders, publicUrl }: CreatePaymentOptions): Route {
  return route({
    method: 'post',
    path: '/payments',
    summary: 'Ask for the payment of an order',
    body: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      201: { description: 'A new payment of what the order costs', schema: paymentSchema },
      ...BAD_BODY,
      404: { description: 'Nobody placed this order', schema: problemSchema },
      409: { description: 'The order does not wait for a payment; detail says its status', schema: problemSchema },
      503: { description: 'The order service or the database does not answer; ask again', schema: problemSchema },
    },
    async handle({ body: { orderId }, log }) {
      const order = await orders.find(orderId);
      switch (order.kind) {
        case 'unknown':
          return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
        case 'unavailable':
          return ordersAway(log, order.why);
        case 'found': {
          if (order.status !== PAYABLE) return wrongStatus(orderId, order.status);
          const { namespace } = order;
          const asked = { paymentId: newId('p'), orderId, amountCents: order.totalCents, namespace };
          return { status: 201, body: paymentAnswer(publicUrl, await addPayment(pool, asked)) };
        }
      }
    },
  });
}

function ordersAway(log: Log, why: string): Reply {
  log.warn({ why }, 'an order could not be looked up');
  return problem(503, {
    detail: 'The order service does not answer right now, so nobody knows what the order costs; ask again.',
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
  });
}

function wrongStatus(orderId: string, orderStatus: string): Reply {
  return problem(409, {
    detail: `order ${orderId} cannot be paid: it is ${orderStatus}, not ${PAYABLE}`,
    code: 'wrong-status',
    extra: { orderId, orderStatus },
  });
}

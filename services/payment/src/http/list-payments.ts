/**
 * GET /order-payments?orderIds=&paymentId=: the order service asks what was captured, before it applies a payment or closes orders.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { route, type Route } from '../../../kit/src/index.ts';
import { ORDER_ID_CHARS_MAX, paymentIdSchema } from '../../../protocol/src/index.ts';
import { listPayments } from '../payments.ts';
import { amountSchema, BAD_REQUEST, DATABASE_AWAY, paymentSchema } from './payment-answer.ts';

const listedSchema = paymentSchema.omit({ payUrl: true }).extend({
  capturedCents: amountSchema.nullable().describe('What was captured; null while the payment is PENDING'),
});

/** As many as the order service closes in one round. */
const ORDERS_MAX = 50;
const ORDER_ID = `[a-z0-9](?:[a-z0-9-]{0,${ORDER_ID_CHARS_MAX - 2}}[a-z0-9])?`;
const ORDER_IDS = new RegExp(`^${ORDER_ID}(?:,${ORDER_ID}){0,${ORDERS_MAX - 1}}$`);
/** An order has one or two. */
const PAYMENTS_MAX = 5_000;

export function listPaymentsRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/order-payments',
    summary: 'All payments of some orders: those that were captured, then the others, the oldest first',
    query: z.strictObject({
      orderIds: z
        .string()
        .regex(ORDER_IDS, 'must be order ids, separated by commas')
        .describe(`Order ids, separated by commas; at most ${ORDERS_MAX}`),
      paymentId: paymentIdSchema.optional().describe('The only one that is asked about'),
    }),
    responses: {
      200: { description: 'Empty where there is none', schema: z.array(listedSchema) },
      400: BAD_REQUEST,
      503: DATABASE_AWAY,
    },
    async handle({ query: { orderIds, paymentId } }) {
      const payments = await listPayments(pool, { orderIds: orderIds.split(','), paymentId }, PAYMENTS_MAX);
      const body = payments.map(({ paymentId, orderId, amountCents, capturedCents, status }) => {
        return { paymentId, orderId, amountCents, capturedCents, status };
      });
      return { status: 200, body };
    },
  });
}

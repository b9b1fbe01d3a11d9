/**
 * GET /orders/:orderId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, type Route } from '../../../kit/src/index.ts';
import { HEADERS, idSchema, orderIdSchema, orderLineSchema, problemSchema } from '../../../protocol/src/index.ts';
import { getOrder, ORDER_STATUSES } from '../orders.ts';

const orderSchema = z.strictObject({
  orderId: orderIdSchema,
  userId: idSchema,
  status: z.enum(ORDER_STATUSES),
  totalCents: z.int().min(0),
  lines: z.array(orderLineSchema),
  history: z
    .array(
      z.strictObject({
        status: z.enum(ORDER_STATUSES),
        at: z.iso.datetime(),
        reason: z.string().nullable().describe('Why, in words for people; null where the status says it all'),
      }),
    )
    .describe('Every status the order had, the oldest first'),
});

export function getOrderRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/orders/:orderId',
    summary: 'One order and its history',
    params: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      200: {
        description: `The order; INIT until its transaction is decided. The header ${HEADERS.transaction} names that transaction, <namespace>/<name>`,
        schema: orderSchema,
      },
      404: { description: 'Nobody placed this order', schema: problemSchema },
    },
    async handle({ params: { orderId } }) {
      const found = await getOrder(pool, orderId);
      if (found !== undefined) {
        const { transaction, ...order } = found;
        return { status: 200, body: order, headers: { [HEADERS.transaction]: transaction } };
      }
      return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
    },
  });
}

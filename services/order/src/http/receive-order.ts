/**
 * POST /orders/:orderId/receipt: the customer has the goods.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { inTransaction, problem, route, type Route } from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import { lockOrder, moveOrder } from '../held-order.ts';
import { ORDER_STATUSES, type OrderStatus } from '../orders.ts';

const receivedSchema = z.strictObject({ orderId: orderIdSchema, status: z.enum(ORDER_STATUSES) });

export function receiveOrderRoute(pool: Pool): Route {
  return route({
    method: 'post',
    path: '/orders/:orderId/receipt',
    summary: 'Confirm that a shipped order has arrived',
    params: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      200: { description: 'The order is RECEIVED, by this call or an earlier one', schema: receivedSchema },
      404: { description: 'Nobody placed this order', schema: problemSchema },
      409: { description: 'The order is not shipped', schema: problemSchema },
    },
    async handle({ params: { orderId } }) {
      const status = await receive(pool, orderId);
      if (status === undefined) return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
      if (status === 'RECEIVED') return { status: 200, body: { orderId, status } };
      return problem(409, {
        detail: `order ${orderId} cannot have arrived: it is ${status}, not SHIPPED`,
        code: 'wrong-status',
        extra: { orderId, orderStatus: status },
      });
    },
  });
}

/** The status afterwards; undefined for an order nobody placed. */
async function receive(pool: Pool, orderId: string): Promise<OrderStatus | undefined> {
  return inTransaction(pool, async (client) => {
    const order = await lockOrder(client, orderId);
    if (order?.status !== 'SHIPPED') return order?.status;
    await moveOrder(client, orderId, { status: 'RECEIVED' });
    return 'RECEIVED';
  });
}

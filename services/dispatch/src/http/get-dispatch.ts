/**
 * GET /dispatches/:orderId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, type Route } from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import { getDispatch } from '../dispatches.ts';
import { DISPATCH_STATES } from '../next-state.ts';

const dispatchSchema = z.strictObject({
  orderId: orderIdSchema,
  state: z
    .enum(DISPATCH_STATES)
    .describe(
      'LOCKED: held for an order that is not paid; SCHEDULED (final): paid, goes out; RELEASED (final): closed',
    ),
});

export function getDispatchRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/dispatches/:orderId',
    summary: "One order's dispatch",
    params: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      200: { description: 'The furthest that was heard of the order', schema: dispatchSchema },
      400: { description: 'The order id is none', schema: problemSchema },
      404: { description: 'Nothing was heard of this order, or not yet', schema: problemSchema },
      503: { description: 'The database does not answer right now; ask again', schema: problemSchema },
    },
    async handle({ params: { orderId } }) {
      const state = await getDispatch(pool, orderId);
      if (state !== undefined) return { status: 200, body: { orderId, state } };
      return problem(404, { detail: `dispatch has not heard of order ${orderId}`, code: 'unknown-order' });
    },
  });
}

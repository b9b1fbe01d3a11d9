/**
 * GET /shipments/:orderId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, type Route } from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import { SHIPMENT_STATES } from '../next-state.ts';
import { getShipment } from '../shipments.ts';

const shipmentSchema = z.strictObject({
  orderId: orderIdSchema,
  state: z
    .enum(SHIPMENT_STATES)
    .describe(
      'LOCKED: held for an order that is not paid; OUTBOUND: paid, to be shipped; SHIPPED (final); RELEASED (final): closed',
    ),
});

export function getShipmentRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/shipments/:orderId',
    summary: "One order's shipment",
    params: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      200: { description: 'The furthest that was heard of the order, or done with it', schema: shipmentSchema },
      400: { description: 'The order id is none', schema: problemSchema },
      404: { description: 'Nothing was heard of this order, or not yet', schema: problemSchema },
      503: { description: 'The database does not answer right now; ask again', schema: problemSchema },
    },
    async handle({ params: { orderId } }) {
      const state = await getShipment(pool, orderId);
      if (state !== undefined) return { status: 200, body: { orderId, state } };
      return problem(404, { detail: `the warehouse has not heard of order ${orderId}`, code: 'unknown-order' });
    },
  });
}

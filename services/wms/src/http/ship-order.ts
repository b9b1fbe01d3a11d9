/**
 * POST /shipments/:orderId/ship: the order has left the warehouse.
 *
 * The order service is told so by `wms.shipped`, once; a repeat of the call is answered like the first one and tells nothing.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, traceparentOf, type Reply, type Route, type ServiceBase } from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import type { ShipmentState } from '../next-state.ts';
import { ship } from '../shipments.ts';

export interface ShipOrderOptions {
  readonly pool: Pool;
  readonly outbox: ServiceBase['outbox'];
}

const shippedSchema = z.strictObject({ orderId: orderIdSchema, state: z.literal('SHIPPED') });

export function shipOrderRoute({ pool, outbox }: ShipOrderOptions): Route {
  return route({
    method: 'post',
    admin: true,
    path: '/shipments/:orderId/ship',
    summary: 'Say that a paid order has been shipped',
    params: z.strictObject({ orderId: orderIdSchema }),
    headers: { traceparent: { description: 'W3C Trace Context, passed on with the message to the order service' } },
    responses: {
      200: { description: 'The order is SHIPPED, by this call or an earlier one', schema: shippedSchema },
      400: {
        description: 'The order id is none, or a body was sent that is not an empty object',
        schema: problemSchema,
      },
      404: { description: 'Nothing was heard of this order, or not yet', schema: problemSchema },
      409: { description: 'It is not to be shipped, or not yet; detail says which', schema: problemSchema },
      413: { description: 'A body was sent that is too large', schema: problemSchema },
      415: { description: 'A body was sent that is not JSON', schema: problemSchema },
      503: { description: 'The database does not answer right now; ask again', schema: problemSchema },
    },
    async handle(call) {
      const { orderId } = call.params;
      const { state, told } = await ship(pool, orderId, traceparentOf(call.header('traceparent')));
      if (told) outbox.nudge();
      return answer(orderId, state);
    },
  });
}

function answer(orderId: string, state: ShipmentState | undefined): Reply {
  switch (state) {
    case undefined:
      return problem(404, { detail: `the warehouse has not heard of order ${orderId}`, code: 'unknown-order' });
    case 'SHIPPED':
      return { status: 200, body: { orderId, state } };
    case 'LOCKED':
      return wrongState(orderId, state, 'it is LOCKED, not OUTBOUND: nobody has told the warehouse that it is paid');
    case 'RELEASED':
      return wrongState(orderId, state, 'it is RELEASED: the order was closed');
    case 'OUTBOUND':
      throw new Error(`order ${orderId} was to be shipped and is still OUTBOUND`);
  }
}

function wrongState(orderId: string, state: ShipmentState, why: string): Reply {
  return problem(409, {
    detail: `order ${orderId} cannot be shipped: ${why}`,
    code: 'wrong-state',
    extra: { orderId, state },
  });
}

/**
 * GET /orders/:orderId/payments/:paymentId: what became of a payment's attempt to pay the order. The payment service asks before it
 * gives back money: whoever can write to the broker can send it a payment.refund.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, sqlFile, type Route } from '../../../kit/src/index.ts';
import {
  FENCE_STATES,
  idSchema,
  orderIdSchema,
  paymentIdSchema,
  payName,
  problemSchema,
} from '../../../protocol/src/index.ts';

const FIND_ATTEMPT = sqlFile(import.meta.url, '../../sql/find-attempt.sql');

const attemptSchema = z.strictObject({
  orderId: orderIdSchema,
  paymentId: paymentIdSchema,
  transaction: z.string().describe('<namespace>/<name> of the payment’s transaction, whether there is one or not'),
  applied: z.boolean().describe('Whether the order is paid by this payment'),
  state: z
    .enum(FENCE_STATES)
    .describe('Of the order’s branch of it; Cancelled: this payment will never pay the order, whoever tries it'),
});

interface AttemptRow {
  readonly transaction: string;
  readonly applied: boolean;
  readonly state: (typeof FENCE_STATES)[number];
}

export function getPaymentAttemptRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/orders/:orderId/payments/:paymentId',
    summary: 'What became of a payment’s attempt to pay an order',
    params: z.strictObject({ orderId: orderIdSchema, paymentId: paymentIdSchema }),
    query: z.strictObject({
      namespace: idSchema
        .optional()
        .describe('Where the attempt lies, for an order that is not known here; a known one’s own namespace counts'),
    }),
    responses: {
      200: { description: 'The attempt as it is now; also where nobody has begun it', schema: attemptSchema },
      400: { description: 'The request is not usable; detail names the field and says why', schema: problemSchema },
      404: {
        description: 'There is no such order, or its creation is not tried yet, and no namespace was given',
        schema: problemSchema,
      },
    },
    async handle({ params: { orderId, paymentId }, query: { namespace } }) {
      const { rows } = await pool.query<AttemptRow>(FIND_ATTEMPT, [orderId, paymentId, payName(paymentId), namespace]);
      const [attempt] = rows;
      if (attempt === undefined) return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
      return { status: 200, body: { orderId, paymentId, ...attempt } };
    },
  });
}

/**
 * POST /orders/:orderId/withdraw: the customer does not want an unpaid order any more, so it is closed.
 *
 * The answer comes when the close has ended, which it usually does at once; the wish is stored before. A repeat joins the close
 * that is under way, and is answered like the first call.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { passing, problem, route, type Reply, type Route } from '../../../kit/src/index.ts';
import { nameIn, orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import { withdrawOrder } from '../closing.ts';
import type { Relay } from '../creation/relay.ts';
import { getOutcome, ORDER_STATUSES, type OrderStatus, type Outcome } from '../orders.ts';
import type { PaymentLookup } from '../payments/payment-lookup.ts';
import { continuedOrNew } from '../trace-parent.ts';
import type { WaitingRequests } from '../waiting-requests.ts';
import { hearTheEnd } from './hear-the-end.ts';
import { preferredWaitSeconds, WAIT_SECONDS_MAX } from './prefer.ts';

export interface WithdrawOptions {
  readonly pool: Pool;
  readonly relay: Pick<Relay, 'nudge'>;
  readonly waiting: WaitingRequests;
  readonly payments: PaymentLookup;
}

/** Long enough for a close that nothing disturbs, short enough for a page that shows a spinner meanwhile. */
const WAIT_SECONDS_DEFAULT = 5;

const answerSchema = z.strictObject({
  orderId: orderIdSchema,
  status: z.enum(ORDER_STATUSES),
  transaction: z.string().describe("The close's transaction's name"),
});

export function withdrawOrderRoute(options: WithdrawOptions): Route {
  return route({
    method: 'post',
    path: '/orders/:orderId/withdraw',
    summary: 'Withdraw an order that is not paid',
    params: z.strictObject({ orderId: orderIdSchema }),
    headers: {
      Prefer: {
        description: `wait=N: how many seconds to wait for the close's end (at most ${WAIT_SECONDS_MAX}, ${WAIT_SECONDS_DEFAULT} without it)`,
      },
    },
    responses: {
      200: { description: 'The order is closed; its stock is on sale again', schema: answerSchema },
      202: { description: 'The order is being closed, which takes longer than usual', schema: answerSchema },
      404: { description: 'Nobody placed this order', schema: problemSchema },
      409: { description: 'It cannot be withdrawn now, or not any more; detail says which', schema: problemSchema },
    },
    handle: async (call) => {
      const { orderId } = call.params;
      const waitSeconds = preferredWaitSeconds(call.header('prefer')) ?? WAIT_SECONDS_DEFAULT;
      // Seated before the close is begun: its end cannot come before somebody listens for it.
      const waiter = options.waiting.add(orderId);
      try {
        const traceparent = continuedOrNew(call.header('traceparent'));
        const withdrawal = await withdrawOrder({ ...options, log: call.log }, orderId, traceparent);
        if (withdrawal.kind === 'unknown')
          return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
        if (withdrawal.kind === 'paid') {
          for (const creation of withdrawal.creations) options.relay.nudge(creation);
          return wrongStatus(orderId, 'PAYING');
        }
        if (withdrawal.kind === 'wrong-status') return wrongStatus(orderId, withdrawal.status);
        if (withdrawal.kind === 'closing' && withdrawal.creation !== undefined)
          options.relay.nudge(withdrawal.creation);
        const { pool } = options;
        const present = await lookAt(pool, orderId, withdrawal.kind);
        const awaited = { pool, orderId, waitSeconds, signal: call.signal, isOver };
        return answer(orderId, nameIn(withdrawal.transaction), await hearTheEnd(awaited, waiter, present));
      } finally {
        waiter.end();
      }
    },
  });
}

/** Withdrawn it is, whatever the database says at the moment; then it is looked at again later. */
async function lookAt(pool: Pool, orderId: string, kind: 'closing' | 'closed'): Promise<Outcome> {
  try {
    return await getOutcome(pool, orderId);
  } catch (error) {
    if (passing(error) === undefined) throw error;
    return { status: kind === 'closed' ? 'CLOSED' : 'PENDING_PAYMENT', reason: null };
  }
}

const isOver = ({ status }: Outcome): boolean => status !== 'PENDING_PAYMENT' && status !== 'CLOSING';

function answer(orderId: string, transaction: string, { status }: Outcome): Reply {
  if (status === 'CLOSED') return { status: 200, body: { orderId, status, transaction } };
  return isOver({ status, reason: null })
    ? wrongStatus(orderId, status)
    : { status: 202, body: { orderId, status, transaction } };
}

function wrongStatus(orderId: string, status: OrderStatus): Reply {
  const passing: Partial<Record<OrderStatus, string>> = {
    INIT: 'it is still being created; try again later',
    PAYING: 'it is being paid; try again later',
  };
  const why = passing[status] ?? `it is ${status}`;
  return problem(409, {
    detail: `order ${orderId} cannot be withdrawn: ${why}`,
    code: status in passing ? 'try-again-later' : 'wrong-status',
    extra: { orderId, orderStatus: status },
  });
}

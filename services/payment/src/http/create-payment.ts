/**
 * POST /payments: a customer wants to pay for an order.
 *
 * The order service says what it costs. An order may have several payments, because a customer may begin anew; the order's own row
 * decides which one counts, and the others are refunded if they were captured.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  IDEMPOTENCY_KEY_PATTERN,
  newId,
  problem,
  readIdempotencyKey,
  route,
  type Log,
  type Reply,
  type Route,
} from '../../../kit/src/index.ts';
import { orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import type { OrderLookup } from '../orders/order-lookup.ts';
import { askOnce, findByKey, type AskedOnce } from '../payments.ts';
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
    headers: {
      'Idempotency-Key': {
        description:
          'Asks for one payment, however often it comes; without it a payment that is still PENDING is answered again',
        pattern: IDEMPOTENCY_KEY_PATTERN,
      },
    },
    responses: {
      200: { description: "Without a key: the order's payment that is still PENDING", schema: paymentSchema },
      201: {
        description: 'A new payment of what the order costs; the same again for the same key',
        schema: paymentSchema,
      },
      ...BAD_BODY,
      404: { description: 'Nobody placed this order', schema: problemSchema },
      409: { description: 'The order does not wait for a payment; detail says its status', schema: problemSchema },
      422: { description: 'The key has asked for a payment of another order', schema: problemSchema },
      503: { description: 'The order service or the database does not answer; ask again', schema: problemSchema },
    },
    async handle(call) {
      const { orderId } = call.body;
      const key = optionalKey(call.header('idempotency-key'));
      if (key.kind === 'bad') return problem(400, { detail: key.detail });
      // A repeat is answered whatever has become of the order since.
      const earlier = key.key === undefined ? undefined : await findByKey(pool, key.key);
      if (earlier !== undefined) return answerOf(publicUrl, orderId, { payment: earlier, isNew: false }, key.key);
      const order = await orders.find(orderId);
      switch (order.kind) {
        case 'unknown':
          return problem(404, { detail: `there is no order ${orderId}`, code: 'unknown-order' });
        case 'unavailable':
          return ordersAway(call.log, order.why);
        case 'found': {
          if (order.status !== PAYABLE) return wrongStatus(orderId, order.status);
          const { namespace } = order;
          const asked = { paymentId: newId('p'), orderId, amountCents: order.totalCents, namespace };
          return answerOf(publicUrl, orderId, await askOnce(pool, asked, key.key), key.key);
        }
      }
    },
  });
}

type OptionalKey =
  { readonly kind: 'key'; readonly key: string | undefined } | { readonly kind: 'bad'; readonly detail: string };

function optionalKey(header: string | undefined): OptionalKey {
  return header === undefined ? { kind: 'key', key: undefined } : readIdempotencyKey(header);
}

function answerOf(publicUrl: string, orderId: string, { payment, isNew }: AskedOnce, key: string | undefined): Reply {
  if (payment.orderId !== orderId)
    return problem(422, { detail: 'Idempotency-Key: has asked for a payment of another order', code: 'other-body' });
  return { status: isNew || key !== undefined ? 201 : 200, body: paymentAnswer(publicUrl, payment) };
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

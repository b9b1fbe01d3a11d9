/**
 * Asks the order service over HTTP: GET <ORDER_URL>/orders/:orderId, and /orders/:orderId/payments/:paymentId.
 *
 * Only what it says in so many words is believed: any other status, a redirect, a body that is not this order or payment, or no
 * answer in time means that nothing is known.
 */
import { z } from 'zod';
import { asker, type Asker } from '../../../kit/src/index.ts';
import {
  FENCE_STATES,
  HEADERS,
  orderIdSchema,
  parseTransaction,
  paymentIdSchema,
  TOTAL_CENTS_MAX,
} from '../../../protocol/src/index.ts';
import type { Attempt, AttemptAsked, LookedUp, OrderLookup } from './order-lookup.ts';

/** A customer waits; the order service reads one row. */
const TIMEOUT_MS = 2_000;
/** An order's lines have 20 kB at most, its history hardly more. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** The order's other fields are none of this service's business, and may change. */
const orderSchema = z.object({
  orderId: orderIdSchema,
  status: z.string().regex(/^[A-Z_]{1,40}$/),
  totalCents: z.int().min(0).max(TOTAL_CENTS_MAX),
});

const attemptSchema = z.object({
  orderId: orderIdSchema,
  paymentId: paymentIdSchema,
  transaction: z.string(),
  applied: z.boolean(),
  state: z.enum(FENCE_STATES),
});

export interface OrderService extends OrderLookup {
  close(): Promise<void>;
}

/** @param baseUrl without a slash at its end */
export function orderService(baseUrl: string): OrderService {
  const orders = asker({ baseUrl, whom: 'the order service', timeoutMs: TIMEOUT_MS, bytesMax: ANSWER_BYTES_MAX });
  return {
    find: (orderId) => find(orders, orderId),
    attempt: (asked) => attempt(orders, asked),
    close: () => orders.close(),
  };
}

async function find(orders: Asker, orderId: string): Promise<LookedUp> {
  const answer = await orders.get(`/orders/${orderId}`);
  if (answer.kind === 'unavailable') return answer;
  if (answer.status === 404) return { kind: 'unknown' };
  if (answer.status !== 200) return { kind: 'unavailable', why: `the order service answered ${answer.status}` };
  const order = orderSchema.safeParse(answer.body);
  if (!order.success || order.data.orderId !== orderId)
    return { kind: 'unavailable', why: 'the order service answered 200 with something else than this order' };
  const creation = parseTransaction(answer.header(HEADERS.transaction) ?? '');
  const { status, totalCents } = order.data;
  return { kind: 'found', status, totalCents, namespace: creation?.namespace ?? null };
}

async function attempt(orders: Asker, { orderId, paymentId, namespace }: AttemptAsked): Promise<Attempt> {
  const query = namespace === null ? '' : `?namespace=${namespace}`;
  const answer = await orders.get(`/orders/${orderId}/payments/${paymentId}${query}`);
  if (answer.kind === 'unavailable') return answer;
  if (answer.status !== 200) return { kind: 'unavailable', why: `the order service answered ${answer.status}` };
  const found = attemptSchema.safeParse(answer.body);
  if (!found.success || found.data.orderId !== orderId || found.data.paymentId !== paymentId)
    return { kind: 'unavailable', why: 'the order service answered 200 with something else than this payment' };
  const { transaction, applied, state } = found.data;
  return { kind: 'found', transaction, applied, state };
}

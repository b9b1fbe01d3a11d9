/**
 * POST /orders.
 *
 * 202 as soon as the request is stored; with `Prefer: wait` 201 or 409 once the order's creation has ended, 202 when it has not in
 * time. A repeat of the same key is answered as a first call would be, by the order's present state; also when its quote has expired
 * since, because what was accepted is accepted.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  IDEMPOTENCY_KEY_PATTERN,
  newId,
  passing,
  problem,
  readIdempotencyKey,
  route,
  type Reply,
  type Route,
} from '../../../kit/src/index.ts';
import { createName, idSchema, orderIdSchema, orderLinesSchema, problemSchema } from '../../../protocol/src/index.ts';
import type { Backlog } from '../creation/backlog.ts';
import type { Relay } from '../creation/relay.ts';
import {
  acceptOrder,
  askToBeNotified,
  findAccepted,
  getOutcome,
  ORDER_STATUSES,
  payloadOf,
  type OrderRequest,
  type Outcome,
} from '../orders.ts';
import { continuedOrNew } from '../trace-parent.ts';
import type { WaitingRequest, WaitingRequests } from '../waiting-requests.ts';
import { hearTheEnd } from './hear-the-end.ts';
import { preferredWaitSeconds, WAIT_SECONDS_MAX } from './prefer.ts';
import { QUOTE_HEADER, quoteProblem, unsignedProblem, type QuoteRules } from './quote.ts';

export interface PlaceOrderOptions {
  readonly pool: Pool;
  readonly relay: Pick<Relay, 'nudge'>;
  readonly waiting: WaitingRequests;
  /** Where transactions are created. */
  readonly namespace: string;
  readonly quotes: QuoteRules;
  readonly backlog: Pick<Backlog, 'isFull' | 'accepted' | 'shed'>;
}

const orderBody = z.strictObject({ userId: idSchema, lines: orderLinesSchema });
const acceptedSchema = z.strictObject({
  orderId: orderIdSchema,
  status: z.enum(ORDER_STATUSES),
  transaction: z.string().describe("The order transaction's name"),
});

export function placeOrderRoute(options: PlaceOrderOptions): Route {
  return route({
    method: 'post',
    path: '/orders',
    summary: 'Place an order',
    body: orderBody,
    headers: {
      'Idempotency-Key': {
        description: 'Yours, per user; the same when you repeat the request',
        required: true,
        pattern: IDEMPOTENCY_KEY_PATTERN,
      },
      [QUOTE_HEADER]: {
        description:
          't=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<canonical JSON (RFC 8785) of {userId, lines}>">; required where ' +
          'ORDER_QUOTE_SECRET is set, and at most ORDER_QUOTE_SECONDS old',
      },
      Prefer: {
        description: `wait=N: answer when the order is decided, or after N seconds (at most ${WAIT_SECONDS_MAX})`,
      },
    },
    responses: {
      201: { description: 'Only after Prefer: wait. The order was created', schema: acceptedSchema },
      202: { description: 'The order is accepted and on its way', schema: acceptedSchema },
      400: { description: 'No Idempotency-Key, or something is wrong with the body', schema: problemSchema },
      401: { description: 'Nobody has signed what this costs; detail says why', schema: problemSchema },
      409: {
        description: 'Only after Prefer: wait. The order was cancelled; detail and reason say why',
        schema: problemSchema,
      },
      503: { description: 'Too many orders wait, or the database does not answer; ask again', schema: problemSchema },
      422: {
        description: 'This Idempotency-Key came with another body before, or the quote has expired; code says which',
        schema: problemSchema,
      },
    },
    authorize: ({ header }) => unsignedProblem(header(QUOTE_HEADER), options.quotes),
    handle: async (call) => {
      const { body, signal } = call;
      const key = readIdempotencyKey(call.header('idempotency-key'));
      if (key.kind === 'bad') return problem(400, { detail: key.detail, code: 'bad-idempotency-key' });
      return placeOrder(options, {
        request: body,
        idempotencyKey: key.key,
        notQuoted: quoteProblem(call.header(QUOTE_HEADER), body, options.quotes),
        waitSeconds: preferredWaitSeconds(call.header('prefer')),
        traceparent: continuedOrNew(call.header('traceparent')),
        signal,
      });
    },
  });
}

interface Placing {
  readonly request: OrderRequest;
  readonly idempotencyKey: string;
  /** Why it cannot be accepted; what was accepted before is answered all the same. */
  readonly notQuoted: Reply | undefined;
  readonly waitSeconds: number | undefined;
  readonly traceparent: string;
  readonly signal: AbortSignal;
}

/** A backlog that is too long is not gone in a second. */
const SHED_RETRY_AFTER_SECONDS = '5';

const BEGUN: Outcome = { status: 'INIT', reason: null };
const isOver = ({ status }: Outcome): boolean => status !== 'INIT';

async function placeOrder(options: PlaceOrderOptions, placing: Placing): Promise<Reply> {
  const { backlog, pool } = options;
  if (placing.notQuoted !== undefined || backlog.isFull) {
    // What was accepted is answered, whatever has become of its quote, and however many wait.
    const earlier = await findAccepted(pool, placing.request, placing.idempotencyKey);
    if (earlier?.kind === 'repeated') return answerRepeat(options, placing, earlier.orderId);
    if (placing.notQuoted !== undefined) return placing.notQuoted;
    if (earlier === undefined) {
      backlog.shed();
      return tooMany();
    }
  }
  const orderId = newId('o');
  if (placing.waitSeconds === undefined) return placeAs(orderId, undefined, options, placing);
  // Seated before the row is there: its end cannot come before somebody listens for it.
  const waiter = options.waiting.add(orderId);
  try {
    return await placeAs(orderId, waiter, options, placing);
  } finally {
    waiter.end();
  }
}

function tooMany(): Reply {
  return problem(503, {
    detail: 'So many orders are on their way that this one would wait too long; it was not accepted. Try again.',
    code: 'overloaded',
    headers: { 'retry-after': SHED_RETRY_AFTER_SECONDS },
  });
}

async function placeAs(
  orderId: string,
  waiter: WaitingRequest | undefined,
  options: PlaceOrderOptions,
  placing: Placing,
): Promise<Reply> {
  const { pool, relay, waiting, namespace } = options;
  const { request, idempotencyKey, traceparent, waitSeconds, signal } = placing;
  const creation = {
    transaction: `${namespace}/${createName(orderId)}`,
    flow: 'create-order' as const,
    payload: payloadOf(orderId, request),
    traceparent,
  };
  const acceptance = await acceptOrder(pool, {
    ...{ request, idempotencyKey, creation },
    awaitedBy: waiter === undefined ? undefined : waiting.process,
  });
  switch (acceptance.kind) {
    case 'other-body':
      return problem(422, {
        detail: 'Idempotency-Key was sent with another body before: repeat that body, or take a new key',
        code: 'idempotency-key-reused',
      });
    case 'repeated':
      return answerRepeat(options, placing, acceptance.orderId);
    case 'accepted': {
      options.backlog.accepted();
      relay.nudge(creation);
      if (waiter === undefined || waitSeconds === undefined) return answer(orderId, BEGUN, undefined);
      return answer(
        orderId,
        await hearTheEnd({ pool, orderId, signal, waitSeconds, isOver }, waiter, BEGUN),
        waitSeconds,
      );
    }
  }
}

async function answerRepeat({ pool, waiting }: PlaceOrderOptions, placing: Placing, orderId: string): Promise<Reply> {
  const { waitSeconds, signal } = placing;
  if (waitSeconds === undefined) return answer(orderId, await getOutcome(pool, orderId), undefined);
  const waiter = waiting.add(orderId);
  try {
    const present = await lookAt(pool, orderId);
    return answer(
      orderId,
      await hearTheEnd({ pool, orderId, signal, waitSeconds, isOver }, waiter, present),
      waitSeconds,
    );
  } finally {
    waiter.end();
  }
}

/** Accepted it is, whatever the database says at the moment; then it is looked at again later. */
async function lookAt(pool: Pool, orderId: string): Promise<Outcome> {
  try {
    await askToBeNotified(pool, orderId);
    return await getOutcome(pool, orderId);
  } catch (error) {
    if (passing(error) === undefined) throw error;
    return BEGUN;
  }
}

function answer(orderId: string, { status, reason }: Outcome, waitSeconds: number | undefined): Reply {
  const transaction = createName(orderId);
  const applied: Readonly<Record<string, string>> =
    waitSeconds === undefined ? {} : { 'Preference-Applied': `wait=${waitSeconds}` };
  const headers = { ...applied, Location: `/orders/${orderId}` };
  if (waitSeconds !== undefined && status === 'CANCELLED') {
    const words = reason ?? 'the order was cancelled';
    return problem(409, {
      title: 'Order cancelled',
      detail: words,
      code: 'order-cancelled',
      extra: { reason: words, orderId, transaction },
      headers,
    });
  }
  const created = waitSeconds !== undefined && status !== 'INIT';
  return { status: created ? 201 : 202, body: { orderId, status, transaction }, headers };
}

/**
 * Asks the order service over HTTP: GET <ORDER_URL>/orders/:orderId.
 *
 * Only what it says in so many words is believed: any other status, a redirect, a body that is not this order, or no answer in
 * time means that nothing is known.
 */
import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { HEADERS, orderIdSchema, parseTransaction, TOTAL_CENTS_MAX } from '../../../protocol/src/index.ts';
import type { LookedUp, OrderLookup } from './order-lookup.ts';

/** For the whole answer. A customer waits; the order service reads one row. */
const TIMEOUT_MS = 2_000;
/** An order's lines have 20 kB at most, its history hardly more; a body far beyond is no order, and must not fill the memory. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** The order's other fields are none of this service's business, and may change. */
const orderSchema = z.object({
  orderId: orderIdSchema,
  status: z.string().regex(/^[A-Z_]{1,40}$/),
  totalCents: z.int().min(0).max(TOTAL_CENTS_MAX),
});

export interface OrderService extends OrderLookup {
  close(): Promise<void>;
}

/** @param baseUrl without a slash at its end */
export function orderService(baseUrl: string): OrderService {
  const dispatcher = new Agent({ connect: { timeout: TIMEOUT_MS } });
  return {
    async find(orderId) {
      try {
        return await ask(dispatcher, baseUrl, orderId);
      } catch (error) {
        return { kind: 'unavailable', why: sentenceOf(error) };
      }
    },
    // Whoever closes has waited for its requests: what is left are idle connections.
    close: () => dispatcher.destroy(),
  };
}

async function ask(dispatcher: Dispatcher, baseUrl: string, orderId: string): Promise<LookedUp> {
  const answer = await request(`${baseUrl}/orders/${orderId}`, {
    ...{ dispatcher, method: 'GET', headers: { accept: 'application/json' } },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { statusCode: status } = answer;
  const text = await boundedText(answer.body);
  if (status === 404) return { kind: 'unknown' };
  if (status !== 200) return { kind: 'unavailable', why: `the order service answered ${status}` };
  const order = orderSchema.safeParse(parsed(text));
  if (!order.success || order.data.orderId !== orderId)
    return { kind: 'unavailable', why: 'the order service answered 200 with something else than this order' };
  const creation = parseTransaction(String(answer.headers[HEADERS.transaction] ?? ''));
  const { status: orderStatus, totalCents } = order.data;
  return { kind: 'found', status: orderStatus, totalCents, namespace: creation?.namespace ?? null };
}

async function boundedText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > ANSWER_BYTES_MAX)
      throw new Error(`the order service's answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sentenceOf(error: unknown): string {
  const { name, code = name, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `the order service did not answer within ${TIMEOUT_MS / 1000} s`;
  return `the order service could not be asked: ${message === '' ? code : message}`;
}

/**
 * `wms.shipped` on its way to the order service, on a real Redis and a real database. Here the test is the order service: it reads
 * the stream, and answers when it wants to.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from '../../../../local/deadline.ts';
import { ask, payloadsOf, runConsumer, type RunningConsumer } from '../../../../tests/services/running-consumers.ts';
import { outboxCommand } from '../../../kit/src/messages/outbox-command.ts';
import {
  eventSchema,
  MESSAGE_FIELD,
  messagesStream,
  RECEIPT_FIELD,
  wmsShippedSchema,
  type MessageEvent,
  type Receipt,
} from '../../../protocol/src/index.ts';

const DEADLINE_MS = 20_000;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let wms: RunningConsumer;
let redis: Redis;
let orders = 0;

beforeAll(async () => {
  wms = await runConsumer('wms');
  redis = new Redis(wms.redisUrl);
});
afterAll(async () => {
  redis.disconnect();
  await wms.close();
});

async function shippedOrder(headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const orderId = `o${String(++orders)}`;
  await wms.sender.send({ type: 'stock.outbound', data: payloadsOf(orderId).paid });
  const answer = await fetch(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST', headers });
  expect(answer.status).toBe(200);
  return orderId;
}

/** What lies on the order service's stream about this order, in the order in which it was published. */
async function publications(orderId: string): Promise<readonly MessageEvent[]> {
  const entries = await redis.xrange(messagesStream('order'), '-', '+');
  return entries
    .map(([, fields]) => eventSchema.parse(JSON.parse(fields[fields.indexOf(MESSAGE_FIELD) + 1] ?? '')))
    .filter(({ subject }) => subject === orderId);
}

/** The newest, once there are more than `seen`. */
function published(orderId: string, seen = 0): Promise<MessageEvent> {
  return waitFor(
    async () => {
      const events = await publications(orderId);
      return events.length > seen && events.at(-1);
    },
    { what: `a publication about order ${orderId}`, deadlineMs: DEADLINE_MS },
  );
}

async function answer(
  { id, replyto, receipttoken: token }: MessageEvent,
  result: Receipt['result'],
  reason?: string,
): Promise<void> {
  const receipt: Receipt = { id, consumer: 'order', token, result, ...(reason === undefined ? {} : { reason }) };
  await redis.xadd(replyto, '*', RECEIPT_FIELD, JSON.stringify(receipt));
}

interface OutboxRow {
  readonly refused_reason: string | null;
}

async function waiting(orderId: string): Promise<OutboxRow | undefined> {
  const { rows } = await wms.database.query<OutboxRow>('select refused_reason from ordertx_outbox where subject = $1', [
    orderId,
  ]);
  return rows[0];
}

const gone = (orderId: string): Promise<unknown> =>
  waitFor(async () => (await waiting(orderId)) === undefined, {
    what: `the message of order ${orderId} to leave the outbox`,
    deadlineMs: DEADLINE_MS,
  });

async function retry(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const code = await outboxCommand({ args, pool: wms.database, print: (line) => lines.push(line) });
  return { code, lines };
}

test('is what the order service takes, and carries the request’s trace', async () => {
  const orderId = await shippedOrder({ traceparent: TRACEPARENT });
  const event = await published(orderId);
  expect(event).toMatchObject({
    id: `wms/wms.shipped/${orderId}`,
    source: 'ordertx/wms',
    type: 'wms.shipped',
    subject: orderId,
    traceparent: TRACEPARENT,
    data: { orderId },
  });
  expect(wmsShippedSchema.safeParse(event.data).success).toBe(true);
});

test('carries no trace where the request has none, or one that is no traceparent', async () => {
  expect(await published(await shippedOrder())).not.toHaveProperty('traceparent');
  expect(await published(await shippedOrder({ traceparent: 'any' }))).not.toHaveProperty('traceparent');
});

test('waits in the outbox and is published again, until its receipt is there', async () => {
  const orderId = await shippedOrder();
  const first = await published(orderId);
  // Its consumer takes it off the stream without a receipt: not yet.
  await redis.del(messagesStream('order'));
  const second = await published(orderId);
  expect(second).toEqual({ ...first, attempt: expect.any(Number) });
  expect(second.attempt).toBeGreaterThan(1);
  expect(await waiting(orderId)).toEqual({ refused_reason: null });
  await answer(second, 'delivered');
  await gone(orderId);
  expect((await ask(`${wms.url}/shipments/${orderId}`)).body).toEqual({ orderId, state: 'SHIPPED' });
});

test('survives a Redis that has lost everything', async () => {
  const orderId = await shippedOrder();
  await published(orderId);
  await redis.flushdb();
  await answer(await published(orderId), 'delivered');
  await gone(orderId);
});

test('that is refused waits for a person; `outbox retry` publishes it again', async () => {
  const orderId = await shippedOrder();
  const id = `wms/wms.shipped/${orderId}`;
  await answer(await published(orderId), 'refused', `order ${orderId} is CLOSED`);
  await waitFor(async () => (await waiting(orderId))?.refused_reason === `order: order ${orderId} is CLOSED`, {
    what: 'the message to be parked with its reason',
    deadlineMs: DEADLINE_MS,
  });
  expect(await (await fetch(`${wms.url}/metrics`)).text()).toMatch(/^ordertx_outbox_refused(\{[^}]*\})? 1$/m);
  expect(await retry('list')).toMatchObject({
    code: 0,
    lines: [expect.stringContaining(`${id}  wms.shipped to order`)],
  });
  const seen = (await publications(orderId)).length;
  expect(await retry('retry', '--id', id)).toEqual({ code: 0, lines: [`${id} is published again`] });
  await answer(await published(orderId, seen), 'delivered');
  await gone(orderId);
  expect(await retry('retry')).toEqual({ code: 1, lines: ['no message is refused'] });
});

/**
 * Publishing and receipts on a real Redis.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { world } from '../../../tests/world/world.ts';
import type { MessageOutcome } from '../transaction/answers.ts';
import { RedisMessages } from './redis-messages.ts';

const stream = `test-${randomUUID()}`;
const replica = `replica-${randomUUID()}`;
const template: MessageTemplate = { name: 'lock', when: 'Confirmed', stream, type: 'stock.lock', delivery: 'Reliable' };
const transaction: OrderTransaction = {
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name: 'create-o1', namespace: 'shop' },
  spec: {
    flow: 'create-order',
    orderId: 'o1',
    payload: { orderId: 'o1' },
    suspend: false,
    cancelRequested: false,
    resolutions: [],
  },
};
const publication = { transaction, template, attempt: 1, reason: 'AllTried', detail: 'every participant has tried' };

let redis: Redis;
let messages: RedisMessages;
let receipts: [string, string, MessageOutcome][];
let troubles: string[];

beforeEach(async () => {
  redis = new Redis(world().redisUrl);
  receipts = [];
  troubles = [];
  messages = new RedisMessages({
    redisUrl: world().redisUrl,
    replica,
    clock: { now: () => Date.parse('2026-01-01T00:00:00Z') },
    onReceipt: (...receipt) => receipts.push(receipt),
    onTrouble: (sentence) => troubles.push(sentence),
  });
  messages.start();
  await waitFor(() => messages.ping(), { what: 'the connection', deadlineMs: 5_000 });
});

afterEach(async () => {
  await messages.close();
  await redis.del(`ordertx:messages:${stream}`, `ordertx:receipts:${replica}`);
  await redis.quit();
});

test('a publication lies on its stream as one CloudEvent that says where its receipt goes', async () => {
  expect(await messages.publish(publication)).toEqual({ kind: 'published' });
  const [[, fields]] = (await redis.xrange(`ordertx:messages:${stream}`, '-', '+')) as [[string, string[]]];
  expect(fields[0]).toBe('event');
  expect(JSON.parse(fields[1] ?? '')).toEqual({
    specversion: '1.0',
    id: 'shop/create-o1/lock',
    source: 'ordertx/shop/create-order',
    type: 'stock.lock',
    subject: 'o1',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    reason: 'AllTried',
    detail: 'every participant has tried',
    replyto: `ordertx:receipts:${replica}`,
    attempt: 1,
    data: { orderId: 'o1' },
  });
});

test('receipts are handed on once and deleted; one that cannot be read is said and does not stop the others', async () => {
  const send = (receipt: string) => redis.xadd(`ordertx:receipts:${replica}`, '*', 'receipt', receipt);
  await send(JSON.stringify({ id: 'shop/create-o1/lock', consumer: 'wms', result: 'delivered' }));
  await send('not json');
  await send(JSON.stringify({ id: 'shop/create-o1/lock', consumer: 'wms', result: 'refused', reason: 'unknown type' }));
  await waitFor(() => Promise.resolve(receipts.length === 2), { what: 'both receipts', deadlineMs: 5_000 });
  expect(receipts).toEqual([
    ['shop/create-o1', 'lock', { kind: 'delivered' }],
    ['shop/create-o1', 'lock', { kind: 'refused', detail: 'wms: unknown type' }],
  ]);
  expect(troubles).toEqual([expect.stringContaining('a receipt was dropped')]);
  await waitFor(async () => (await redis.xlen(`ordertx:receipts:${replica}`)) === 0, {
    what: 'deletion',
    deadlineMs: 5_000,
  });
});

test('a wiped Redis loses nothing that matters: receipts are read on', async () => {
  await redis.del(`ordertx:receipts:${replica}`);
  await redis.xadd(
    `ordertx:receipts:${replica}`,
    '*',
    'receipt',
    JSON.stringify({ id: 'a/b/c', consumer: 'wms', result: 'delivered' }),
  );
  await waitFor(() => Promise.resolve(receipts.length === 1), { what: 'the receipt', deadlineMs: 5_000 });
});

test('a broker that is away is an answer, not an exception', async () => {
  const away = new RedisMessages({
    redisUrl: 'redis://127.0.0.1:1',
    replica,
    clock: { now: () => 0 },
    onReceipt: () => undefined,
    onTrouble: () => undefined,
  });
  away.start();
  expect(await away.publish(publication)).toMatchObject({ kind: 'unpublished' });
  await away.close(); // and it holds up no shutdown
}, 5_000);

/**
 * Publishing and receipts on a real Redis.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { brokerMetrics } from '../../../services/broker/src/metrics.ts';
import { sumOf } from '../../../tests/world/prometheus-text.ts';
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
let registry: Registry;
let receipts: [string, string, MessageOutcome][];
let dropped: string[];

beforeEach(async () => {
  redis = new Redis(world().redisUrl);
  receipts = [];
  dropped = [];
  registry = new Registry();
  messages = new RedisMessages({
    redisUrl: world().redisUrl,
    replica,
    clock: { now: () => Date.parse('2026-01-01T00:00:00Z') },
    metrics: brokerMetrics(registry),
    onReceipt: (...receipt) => receipts.push(receipt),
    onTrouble: () => undefined,
    onDropped: (why) => dropped.push(why),
  });
  messages.start();
  await waitFor(async () => messages.away === undefined, { what: 'the connection', deadlineMs: 5_000 });
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
    receipttoken: expect.stringMatching(/^[\w-]{43}$/),
    attempt: 1,
    traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    data: { orderId: 'o1' },
  });
});

test('a publication continues the trace of its transaction: that of the annotation, or else of the uid', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
  const annotations = { 'ordertx.dev/traceparent': traceparent };
  const uid = '2f7a7f6e-3f0a-4c57-9d7c-0c9f8f1f7a11';
  for (const metadata of [{ annotations, uid }, { uid }]) {
    const name = `create-${String(Object.keys(metadata).length)}`;
    const traced = { ...transaction, metadata: { ...transaction.metadata, ...metadata, name } };
    await messages.publish({ ...publication, transaction: traced });
  }
  const entries = await redis.xrange(`ordertx:messages:${stream}`, '-', '+');
  const traces = entries.map(([, fields]) => (JSON.parse(fields[1] ?? '') as { traceparent: string }).traceparent);
  expect(traces).toEqual([traceparent, '00-2f7a7f6e3f0a4c579d7c0c9f8f1f7a11-9d7c0c9f8f1f7a11-01']);
});

test('data nested deeper than JSON.stringify goes are published as they are, and what comes after them as well', async () => {
  const text = `{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`;
  const payload = JSON.parse(text) as Record<string, unknown>;
  const nested = { ...publication, transaction: { ...transaction, spec: { ...transaction.spec, payload } } };
  const other = { ...publication, template: { ...template, name: 'other' } };
  expect(await Promise.all([messages.publish(nested), messages.publish(other)])).toEqual(
    Array(2).fill({ kind: 'published' }),
  );
  const entries = await redis.xrange(`ordertx:messages:${stream}`, '-', '+');
  expect(entries.map(([, fields]) => fields[1]?.endsWith(`"data":${text}}`))).toEqual([true, false]);
});

/** What the consumer of the message would echo. */
async function tokenOf(): Promise<string> {
  await messages.publish(publication);
  const [[, fields]] = (await redis.xrange(`ordertx:messages:${stream}`, '-', '+')) as [[string, string[]]];
  return (JSON.parse(fields[1] ?? '') as { receipttoken: string }).receipttoken;
}
const send = (receipt: unknown) =>
  redis.xadd(
    `ordertx:receipts:${replica}`,
    ...(['*', 'receipt', typeof receipt === 'string' ? receipt : JSON.stringify(receipt)] as const),
  );
const RECEIPT = { id: 'shop/create-o1/lock', consumer: 'wms', result: 'delivered' };
const deleted = () =>
  waitFor(async () => (await redis.xlen(`ordertx:receipts:${replica}`)) === 0, { what: 'deletion', deadlineMs: 5_000 });

test('receipts are handed on once and deleted; one that cannot be read is counted and does not stop the others', async () => {
  const token = await tokenOf();
  await send({ ...RECEIPT, token });
  await send('not json');
  await redis.xadd(`ordertx:receipts:${replica}`, '*', 'other', 'receipt', 'more', '[]');
  await send({ ...RECEIPT, token, result: 'refused', reason: 'unknown type' });
  await waitFor(async () => receipts.length === 2, { what: 'both receipts', deadlineMs: 5_000 });
  expect(receipts).toEqual([
    ['shop/create-o1', 'lock', { kind: 'delivered' }],
    ['shop/create-o1', 'lock', { kind: 'refused', detail: 'wms: unknown type' }],
  ]);
  expect(dropped).toEqual(['malformed', 'malformed']);
  const text = await registry.metrics();
  expect(sumOf(text, 'ordertx_message_receipts_total', { consumer: 'wms', result: 'delivered' })).toBe(1);
  expect(sumOf(text, 'ordertx_message_receipts_total', { consumer: 'wms', result: 'refused' })).toBe(1);
  expect(sumOf(text, 'ordertx_receipts_dropped_total', { why: 'malformed' })).toBe(2);
  await deleted();
});

test('a receipt of somebody who cannot have read the message does not count', async () => {
  const token = await tokenOf();
  await send(RECEIPT);
  await send({ ...RECEIPT, token: 'guessed' });
  await send({ ...RECEIPT, token: `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}` });
  await send({ ...RECEIPT, id: 'shop/create-o2/lock', token });
  await deleted();
  expect(receipts).toEqual([]);
  expect(dropped).toEqual(Array.from({ length: 4 }, () => 'unproven'));
});

test('an entry that still lies on its stream is not added again; once it is gone without a receipt it is', async () => {
  const entries = () => redis.xlen(`ordertx:messages:${stream}`);
  expect(await messages.publish(publication)).toEqual({ kind: 'published' });
  expect(await messages.publish({ ...publication, attempt: 2 })).toEqual({ kind: 'published' });
  expect(await entries()).toBe(1);
  await redis.del(`ordertx:messages:${stream}`);
  expect(await messages.publish({ ...publication, attempt: 3 })).toEqual({ kind: 'published' });
  expect(await entries()).toBe(1);
  const published = async (labels: Readonly<Record<string, string>>): Promise<number> =>
    sumOf(await registry.metrics(), 'ordertx_message_publications_total', { stream, ...labels });
  expect(await published({ attempt: 'first', result: 'added' })).toBe(1);
  expect(await published({ attempt: 'again', result: 'still-there' })).toBe(1);
  expect(await published({ attempt: 'again', result: 'added' })).toBe(1);
});

test('a wiped Redis loses nothing that matters: receipts are read on', async () => {
  const token = await tokenOf();
  await redis.del(`ordertx:receipts:${replica}`);
  await send({ ...RECEIPT, token });
  await waitFor(async () => receipts.length === 1, { what: 'the receipt', deadlineMs: 5_000 });
});

test('a broker that is away is an answer, not an exception', async () => {
  const away = new RedisMessages({
    redisUrl: 'redis://127.0.0.1:1',
    replica,
    clock: { now: () => 0 },
    metrics: brokerMetrics(new Registry()),
    onReceipt: () => undefined,
    onTrouble: () => undefined,
    onDropped: () => undefined,
  });
  away.start();
  expect(await away.publish(publication)).toMatchObject({ kind: 'unpublished' });
  await away.close(); // and it holds up no shutdown
}, 20_000);

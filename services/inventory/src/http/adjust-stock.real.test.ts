/** POST /stock/:skuId/adjustments, on a real database: none lost, none applied twice. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { waitFor } from '../../../../local/deadline.ts';
import { callBranch } from '../../../../tests/services/call-branch.ts';
import { runInventory, TEST_NAMESPACE, type RunningTestService } from '../../../../tests/services/running.ts';
import { cleanInBatches } from '../../../kit/src/postgres/cleaning.ts';
import { adjustmentCleaning } from '../adjustments.ts';

let inventory: RunningTestService;

beforeAll(async () => {
  inventory = await runInventory();
});
afterAll(() => inventory.close());

async function send(method: string, path: string, body: string, headers: Record<string, string> = {}) {
  const answer = await fetch(inventory.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function stocked(skuId: string, units: number): Promise<void> {
  expect((await send('PUT', `/stock/${skuId}`, JSON.stringify({ stocked: units }))).status).toBe(200);
}

const adjust = (skuId: string, delta: number, key: string = randomUUID()) =>
  send('POST', `/stock/${skuId}/adjustments`, JSON.stringify({ delta }), { 'idempotency-key': key });

/** On a loaded machine the last of a crowd waits for longer than the service does, hears 503 and asks again, by the same key. */
async function adjustedAtLast(skuId: string, delta: number, key: string = randomUUID()) {
  return waitFor(
    async () => {
      const answer = await adjust(skuId, delta, key);
      return answer.status === 503 ? undefined : answer;
    },
    { what: `the adjustment of ${skuId}`, deadlineMs: 20_000 },
  );
}

async function stockOf(skuId: string): Promise<unknown> {
  return (await fetch(`${inventory.url}/stock/${skuId}`)).json();
}

async function frozen(orderId: string, skuId: string, quantity: number): Promise<void> {
  const answered = async () => {
    const { status } = await callBranch({
      ...{ url: inventory.url, path: '/tcc/create-order', branch: 'inventory', operation: 'try' },
      transaction: `${TEST_NAMESPACE}/create-${orderId}`,
      payload: { orderId, userId: 'u1', lines: [{ skuId, quantity, unitPriceCents: 0 }], totalCents: 0 },
    });
    return status !== 503 && status;
  };
  expect(await waitFor(answered, { what: `the try of ${orderId}`, deadlineMs: 20_000 })).toBe(200);
}

test('adds to what can be sold, and takes from it', async () => {
  await stocked('tea', 10);
  await frozen('o1', 'tea', 4);
  expect(await adjust('tea', 5)).toEqual({
    status: 200,
    body: { skuId: 'tea', stocked: 15, sellable: 11, frozen: 4, sold: 0 },
  });
  expect(await adjust('tea', -11)).toMatchObject({ status: 200, body: { stocked: 4, sellable: 0, frozen: 4 } });
});

test('of many at the same time, also beside orders, none is lost', async () => {
  await stocked('busy', 100);
  const answers = await Promise.all([
    ...Array.from({ length: 60 }, (_, turn) => adjustedAtLast('busy', turn % 2 === 0 ? 3 : -1)),
    ...Array.from({ length: 10 }, (_, turn) => frozen(`busy-${turn}`, 'busy', 2)),
  ]);
  expect(answers.filter((answer) => answer !== undefined).map(({ status }) => status)).toEqual(Array(60).fill(200));
  expect(await stockOf('busy')).toMatchObject({ stocked: 160, sellable: 140, frozen: 20 });
});

test('of the same key is applied once, however many come at the same moment', async () => {
  await stocked('twice', 10);
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 20 }, () => adjustedAtLast('twice', 7, key)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(await stockOf('twice')).toMatchObject({ stocked: 17 });
  expect(await adjust('twice', 7, key)).toMatchObject({ status: 200, body: { stocked: 17 } });
});

test('of the same key with another delta is 422, and of another SKU it is another adjustment', async () => {
  await stocked('one', 10);
  await stocked('other', 10);
  const key = randomUUID();
  await adjust('one', 1, key);
  expect(await adjust('one', 2, key)).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  expect(await adjust('other', 2, key)).toMatchObject({ status: 200, body: { stocked: 12 } });
  expect(await stockOf('one')).toMatchObject({ stocked: 11 });
});

test('that would take what is frozen is 409, says how many there are, and its key can be used again', async () => {
  await stocked('held', 10);
  await frozen('o2', 'held', 4);
  const key = randomUUID();
  const answer = await adjust('held', -7, key);
  expect(answer).toMatchObject({ status: 409, body: { code: 'below-committed', stocked: 10, sellable: 6 } });
  expect(answer.body.detail).toBe('only 6 of held can be taken away: 4 are frozen and 0 are sold');
  await adjust('held', 1);
  expect(await adjust('held', -7, key)).toMatchObject({ status: 200, body: { stocked: 4, sellable: 0 } });
});

test('that would be more than there may be is 409', async () => {
  await stocked('many', 1_000_000_000);
  expect(await adjust('many', 1)).toMatchObject({ status: 409, body: { code: 'too-many' } });
});

test('of a SKU that was never stocked is 404, and uses up no key', async () => {
  const key = randomUUID();
  expect(await adjust('later', 1, key)).toMatchObject({ status: 404, body: { code: 'unknown-sku' } });
  await stocked('later', 1);
  expect(await adjust('later', 1, key)).toMatchObject({ status: 200, body: { stocked: 2 } });
});

test.each([
  ['{"delta":0}', 'delta'],
  ['{"delta":0.5}', 'delta'],
  ['{"delta":"1"}', 'delta'],
  ['{"delta":1000000001}', 'delta'],
  ['{"delta":-1e999}', 'delta'],
  ['{}', 'delta'],
  ['{"delta":1,"stocked":1}', 'stocked'],
  ['null', 'body'],
])('%s is 400 and names %s', async (body, field) => {
  const answer = await send('POST', '/stock/tea/adjustments', body, { 'idempotency-key': randomUUID() });
  expect(answer).toMatchObject({ status: 400 });
  expect(answer.body.detail).toContain(field);
});

test('without a key, or with one that cannot be one, it is 400', async () => {
  for (const headers of [
    {},
    { 'idempotency-key': ' ' },
    { 'idempotency-key': 'a b' },
    { 'idempotency-key': 'x'.repeat(256) },
  ]) {
    const answer = await send('POST', '/stock/tea/adjustments', '{"delta":1}', headers as Record<string, string>);
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad-idempotency-key' } });
  }
});

test('is forgotten after its retention, and not before', async () => {
  await stocked('old', 10);
  await adjust('old', 1, 'old-key');
  await adjust('old', 1, 'young-key');
  await inventory.database.query(
    `update stock_adjustment set created_at = now() - interval '31 days' where idempotency_key = 'old-key'`,
  );
  await cleanInBatches(inventory.database, adjustmentCleaning(30));
  const { rows } = await inventory.database.query(`select idempotency_key from stock_adjustment where sku_id = 'old'`);
  expect(rows).toEqual([{ idempotency_key: 'young-key' }]);
});

/** PUT and GET /stock/:skuId, on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { callBranch } from '../../../../tests/services/call-branch.ts';
import { runInventory, TEST_NAMESPACE, type RunningTestService } from '../../../../tests/services/running.ts';

let inventory: RunningTestService;

beforeAll(async () => {
  inventory = await runInventory();
});
afterAll(() => inventory.close());

async function put(skuId: string, body: string, contentType = 'application/json') {
  const answer = await fetch(`${inventory.url}/stock/${skuId}`, {
    method: 'PUT',
    headers: { 'content-type': contentType },
    body,
  });
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    body: (await answer.json()) as { readonly detail?: string },
  };
}

const stocked = (units: number): string => JSON.stringify({ stocked: units });

/** On a loaded machine the last of a crowd waits for longer than the service does, hears 503 and asks again. */
async function freeze(orderId: string, skuId: string, quantity: number): Promise<void> {
  const transaction = `${TEST_NAMESPACE}/create-${orderId}`;
  const payload = { orderId, userId: 'u1', lines: [{ skuId, quantity, unitPriceCents: 0 }], totalCents: 0 };
  for (const operation of ['try', 'confirm'] as const) {
    const answered = async () => {
      const { status } = await callBranch({
        ...{ url: inventory.url, path: '/tcc/create-order', branch: 'inventory' },
        ...{ transaction, operation, payload },
      });
      return status !== 503 && status;
    };
    expect(await waitFor(answered, { what: `the ${operation} of ${orderId}`, deadlineMs: 20_000 })).toBe(200);
  }
}

describe('PUT /stock/:skuId', () => {
  test('stocks a SKU, and says how much of it can be sold', async () => {
    expect(await put('new', stocked(7))).toMatchObject({
      status: 200,
      body: { skuId: 'new', stocked: 7, sellable: 7, frozen: 0, sold: 0 },
    });
  });

  test('adds to, and takes from, what can be sold, whatever is frozen', async () => {
    await put('moved', stocked(10));
    await freeze('o1', 'moved', 4);
    expect(await put('moved', stocked(12))).toMatchObject({ body: { stocked: 12, sellable: 8, frozen: 4 } });
    expect(await put('moved', stocked(4))).toMatchObject({ body: { stocked: 4, sellable: 0, frozen: 4 } });
    expect(await put('moved', stocked(4))).toMatchObject({ status: 200 });
  });

  test('below what is frozen or sold is 409, says the least possible, and changes nothing', async () => {
    await put('held', stocked(10));
    await freeze('o2', 'held', 4);
    const answer = await put('held', stocked(3));
    expect(answer).toMatchObject({ status: 409, type: 'application/problem+json', body: { stocked: 10, frozen: 4 } });
    expect(answer.body.detail).toBe('stocked must be at least 4 for held: 4 are frozen and 0 are sold');
    const present = await fetch(`${inventory.url}/stock/held`);
    expect(await present.json()).toMatchObject({ stocked: 10, sellable: 6, frozen: 4 });
  });

  test('at the same time as orders loses no unit', async () => {
    await put('busy', stocked(100));
    await Promise.all(
      Array.from({ length: 30 }, (_, turn) =>
        turn % 3 === 0 ? put('busy', stocked(100 + turn)) : freeze(`busy-${String(turn)}`, 'busy', 2),
      ),
    );
    const { rows } = await inventory.database.query(
      `select stocked = sellable + frozen + sold as whole, frozen from stock where sku_id = 'busy'`,
    );
    expect(rows).toEqual([{ whole: true, frozen: 40 }]);
  });

  test.each<[string, string, string]>([
    ['no object', 'null', 'body'],
    ['an empty object', '{}', 'stocked'],
    ['an unknown field', '{"stocked":1,"sellable":1}', 'sellable'],
    ['text', '{"stocked":"1"}', 'stocked'],
    ['a negative number', '{"stocked":-1}', 'stocked'],
    ['half a unit', '{"stocked":0.5}', 'stocked'],
    ['a huge number', '{"stocked":1000000001}', 'stocked'],
    ['a number too big for any type', '{"stocked":1e999}', 'stocked'],
    ['broken JSON', '{"stocked":', ''],
    ['nothing', '', 'body'],
  ])('with %s is 400 and names it', async (_, body, field) => {
    const answer = await put('bad', body);
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' });
    expect(answer.body.detail).toContain(field);
    expect((await fetch(`${inventory.url}/stock/bad`)).status).toBe(404);
  });

  test('with a megabyte is 413, with another media type 415', async () => {
    expect(await put('bad', JSON.stringify({ stocked: 1, note: 'x'.repeat(1_000_000) }))).toMatchObject({
      status: 413,
    });
    expect(await put('bad', stocked(1), 'text/plain')).toMatchObject({ status: 415 });
  });

  test.each(['UPPER', 'a%2Fb', 'a%00', '%E0%A4%A', 's'.repeat(1024), '-'])('of the SKU id %s is 400', async (skuId) => {
    expect(await put(skuId, stocked(1))).toMatchObject({ status: 400 });
  });
});

describe('GET /stock/:skuId', () => {
  test('of a SKU that was never stocked is 404 and says what to do', async () => {
    const answer = await fetch(`${inventory.url}/stock/unknown`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('PUT /stock/unknown') });
  });

  test.each(['UPPER', 'a%00', '%E0%A4%A'])('of the SKU id %s is 400', async (skuId) => {
    expect((await fetch(`${inventory.url}/stock/${skuId}`)).status).toBe(400);
  });
});

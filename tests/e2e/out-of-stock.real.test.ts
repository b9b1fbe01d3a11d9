/**
 * Out of stock: the order is cancelled, and the reason reaches everybody who asks, in the words of the service that refused.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };
const MUG = { skuId: 'mug', quantity: 3, unitPriceCents: 1_200 };

let shop: Shop;

beforeAll(async () => {
  shop = await openShop('stock');
  await shop.startController();
  await shop.stock('tea', 10);
  await shop.stock('mug', 1);
}, SETUP_MS);

afterAll(() => shop.close(), TEST_MS);

test(
  'an order for more than there is ends CANCELLED, and customer, history and kubectl name what is short',
  async () => {
    const { status, body } = await shop.order([TEA, MUG], 30);
    const reason = 'inventory refused: out of stock: mug (3 wanted, 1 left)';
    expect({ status, body }).toMatchObject({ status: 409, body: { detail: reason, orderId: body.orderId } });

    const order = (await (await fetch(`${shop.services.order.url}/orders/${body.orderId}`)).json()) as object;
    expect(order).toMatchObject({ status: 'CANCELLED' });
    expect(order).toMatchObject({ history: [{ status: 'INIT' }, { status: 'CANCELLED', reason }] });

    await shop.final(body.transaction);
    const table = await shop.kubectl('get', 'otx', body.transaction, '-o', 'wide');
    const [head = '', row = ''] = table.split('\n');
    expect(head.split(/ {2,}/).map((column) => column.trim())).toEqual(
      expect.arrayContaining(['FLOW', 'ORDER', 'PHASE', 'DECISION', 'MESSAGE']),
    );
    expect(row.split(/ {2,}/)).toEqual(
      expect.arrayContaining([body.transaction, 'create-order', body.orderId, 'Cancelled', 'Cancel', reason]),
    );
  },
  TEST_MS,
);

test('nothing of it stays reserved, also not what there was enough of', async () => {
  expect(await shop.stockOf('tea')).toMatchObject({ stocked: 10, sellable: 10, frozen: 0, sold: 0 });
  expect(await shop.stockOf('mug')).toMatchObject({ stocked: 1, sellable: 1, frozen: 0, sold: 0 });
  expect(await shop.violations()).toEqual([]);
});

test(
  'what is left can still be ordered, by exactly one of two who want all of it',
  async () => {
    const all = [{ ...TEA, quantity: 10 }];
    const answers = await Promise.all([shop.order(all, 30), shop.order(all, 30)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    await Promise.all(answers.map(({ body }) => shop.final(body.transaction)));
    expect(await shop.stockOf('tea')).toMatchObject({ sellable: 0, frozen: 10 });
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);

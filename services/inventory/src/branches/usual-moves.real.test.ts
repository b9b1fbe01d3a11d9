/**
 * What an order's transactions usually come to is one statement each; it answers what the branches answer step by step, and leaves the
 * same, whatever is called in whatever order.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BothWays, RANDOM_CALLS_MS, type BranchCall } from '../../../kit/testing/both-ways.ts';
import { branches } from '../service.ts';

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const TABLES = ['stock', 'reservation_line', 'reservation'];

let both: BothWays;
beforeAll(async () => {
  both = await BothWays.open(MIGRATIONS, branches, TABLES);
}, 30_000);
afterAll(() => both.close());

async function begin(): Promise<void> {
  await both.begin();
  await both.each((pool) => pool.query(`insert into stock values ('cup', 5, 5), ('pot', 2, 2)`));
}

type Part = Omit<BranchCall, 'operation'>;

/** An order of so many cups and pots, and what becomes of it. */
function partsOf(orderId: string, cups: number, pots: number): Readonly<Record<'create' | 'pay' | 'close', Part>> {
  const lines = [
    { skuId: 'pot', quantity: pots, unitPriceCents: 1_000 },
    { skuId: 'cup', quantity: cups, unitPriceCents: 500 },
  ].filter(({ quantity }) => quantity > 0);
  const order = { orderId, userId: 'u1', lines, totalCents: 1_000 * pots + 500 * cups };
  return {
    create: { path: '/tcc/create-order', transaction: `shop/create-${orderId}`, payload: order },
    pay: {
      path: '/tcc/pay-order',
      transaction: `shop/pay-p-${orderId}`,
      payload: { ...order, paymentId: `p-${orderId}`, amountCents: order.totalCents },
    },
    close: {
      path: '/tcc/close-order',
      transaction: `shop/close-${orderId}-1`,
      payload: { orderId, lines, cause: 'unpaid' },
    },
  };
}

const FIRST = partsOf('o1', 2, 1);
/** Of what is left after the first there are too few pots for it. */
const SECOND = partsOf('o2', 1, 2);
const OTHER_LINES = partsOf('o1', 1, 1);
const PARTS: readonly Part[] = [
  ...[FIRST.create, FIRST.pay, FIRST.close, FIRST.create, FIRST.pay, FIRST.close],
  ...[SECOND.create, SECOND.pay, SECOND.close],
  // By others, of other lines, or not as it was tried.
  ...[FIRST.create, FIRST.pay, FIRST.close].map((part) => ({
    ...part,
    transaction: part.transaction.replace('shop', 'twin'),
  })),
  ...[OTHER_LINES.create, OTHER_LINES.pay, OTHER_LINES.close],
  { ...FIRST.pay, path: FIRST.close.path, payload: FIRST.close.payload },
  partsOf('o3', 1, 0).create,
  { ...partsOf('o4', 1, 0).create, payload: { ...(partsOf('o4', 1, 0).create.payload as object), lines: [] } },
];

const acts: fc.Arbitrary<readonly BranchCall[]> = fc.array(
  fc
    .tuple(
      fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom('try' as const, 'confirm' as const) },
        { weight: 1, arbitrary: fc.constant('cancel' as const) },
      ),
      fc.constantFrom(...PARTS),
    )
    .map(([operation, part]): BranchCall => ({ operation, ...part })),
  { minLength: 1, maxLength: 14, size: 'max' },
);

test('whatever is called in whatever order is answered as step by step, and leaves the same', async () => {
  const placed: readonly BranchCall[] = (['try', 'confirm'] as const).map((operation) => ({
    ...FIRST.create,
    operation,
  }));
  const untilMs = Date.now() + RANDOM_CALLS_MS;
  await fc.assert(
    fc.asyncProperty(fc.boolean(), acts, async (isPlaced, others) => {
      if (Date.now() > untilMs) return;
      await begin();
      for (const act of isPlaced ? [...placed, ...others] : others) {
        const [one, other] = await both.call(act);
        expect({ act, answer: one }).toEqual({ act, answer: other });
      }
      const [one, other] = await both.rows();
      expect(one).toEqual(other);
    }),
    { numRuns: 80 },
  );
}, 60_000);

test.each([
  ['payment', FIRST.pay, { sellable: 3, frozen: 0, sold: 2 }],
  ['close', FIRST.close, { sellable: 5, frozen: 0, sold: 0 }],
])('an order’s creation and its %s take one statement for each call', async (_, part, cups) => {
  await begin();
  const before = both.usual;
  for (const each of [FIRST.create, part])
    for (const operation of ['try', 'confirm'] as const) await both.call({ ...each, operation });
  expect(both.usual - before).toBe(4);
  const ends = await both.each((pool) => pool.query(`select sellable, frozen, sold from stock where sku_id = 'cup'`));
  expect(ends.map(({ rows }) => rows as unknown)).toEqual([[cups], [cups]]);
});

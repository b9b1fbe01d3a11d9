/**
 * What an order's transactions usually come to is one statement each; it answers what the branches answer step by step, and leaves the
 * same, whatever is called in whatever order.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { BothWays, RANDOM_CALLS_MS, type BranchCall } from '../../../kit/testing/both-ways.ts';
import { branches } from '../service.ts';

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const TABLES = ['order_history', 'orders', 'creation', 'ended_creation'];
const LINES = [{ skuId: 'teapot', quantity: 1, unitPriceCents: 2_500 }];
const ORDER = { orderId: 'o1', userId: 'u1', lines: LINES, totalCents: 2_500 };
const PAYMENT = { ...ORDER, paymentId: 'p1', amountCents: 2_500 };
const CLOSE = { orderId: 'o1', lines: LINES, cause: 'unpaid' };

let both: BothWays;
beforeAll(async () => {
  // A payment that was not created here has nobody to vouch for it.
  const payments = { find: async () => ({ kind: 'found', payment: undefined }) as const };
  both = await BothWays.open(MIGRATIONS, branches({ paymentTimeoutSeconds: 60 }, { payments }), TABLES);
}, 30_000);
afterAll(() => both.close());

type Part = Omit<BranchCall, 'operation'>;
const CREATE: Part = { path: '/tcc/create-order', transaction: 'shop/create-o1', payload: ORDER };
const PAY: Part = { path: '/tcc/pay-order', transaction: 'shop/pay-p1', payload: PAYMENT };
const CLOSE_1: Part = { path: '/tcc/close-order', transaction: 'shop/close-o1-1', payload: CLOSE };
const PARTS: readonly Part[] = [
  ...[CREATE, PAY, CLOSE_1, CREATE, PAY, CLOSE_1],
  { ...PAY, transaction: 'shop/pay-p2', payload: { ...PAYMENT, paymentId: 'p2' } },
  { ...CLOSE_1, transaction: 'shop/close-o1-2', payload: { ...CLOSE, cause: 'withdrawn' } },
  // By others, of another amount, or not as it was tried.
  { ...CREATE, transaction: 'twin/create-o1' },
  { ...CREATE, payload: { ...ORDER, userId: 'u2' } },
  { ...PAY, transaction: 'twin/pay-p1' },
  { ...PAY, transaction: 'shop/pay-p3' },
  { ...PAY, transaction: 'shop/pay-p4', payload: { ...PAYMENT, paymentId: 'p4', amountCents: 2_499 } },
  { ...PAY, payload: { ...PAYMENT, amountCents: 2_400 } },
  { ...PAY, transaction: 'shop/pay-p5', payload: { ...PAYMENT, paymentId: 'p5', userId: 'u2' } },
  { ...PAY, path: CLOSE_1.path },
  { ...CLOSE_1, transaction: 'twin/close-o1-1' },
];

/** The transaction's creation lies in the outbox; a close's is the one that the order's row says. */
async function accept(pool: Pool, { path, transaction, payload }: Part): Promise<void> {
  const flow = path.slice('/tcc/'.length);
  await pool.query(
    `insert into creation (transaction, flow, order_id, payload, traceparent, awaited, due_at)
     values ($1, $2, 'o1', $3, 'none', true, now())
     on conflict do nothing`,
    [transaction, flow, JSON.stringify(payload)],
  );
  if (flow === 'close-order')
    await pool.query(
      `update orders set closing = $1, closes = closes + 1 where closing is null and status = 'PENDING_PAYMENT'`,
      [transaction],
    );
}

type Act = ({ readonly operation: 'accept' } & Part) | BranchCall;
const anyOperation = (weights: readonly number[]): fc.Arbitrary<Act['operation']> =>
  fc.oneof(
    ...(['accept', 'try', 'confirm', 'cancel'] as const).map((each, index) => ({
      weight: weights[index] ?? 1,
      arbitrary: fc.constant(each),
    })),
  );
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc
    .tuple(anyOperation([2, 4, 4, 2]), fc.constantFrom(...PARTS))
    .map(([each, part]): Act => ({ operation: each, ...part })),
  { minLength: 1, maxLength: 14, size: 'max' },
);
const placed: readonly Act[] = (['accept', 'try', 'confirm'] as const).map((each) => ({ operation: each, ...CREATE }));

test('whatever is called in whatever order is answered as step by step, and leaves the same', async () => {
  const untilMs = Date.now() + RANDOM_CALLS_MS;
  await fc.assert(
    fc.asyncProperty(fc.boolean(), acts, async (isPlaced, others) => {
      if (Date.now() > untilMs) return;
      await both.begin();
      for (const act of isPlaced ? [...placed, ...others] : others) {
        if (act.operation === 'accept') {
          await both.each((pool) => accept(pool, act));
          continue;
        }
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
  ['payment', PAY, 'PAID'],
  ['close', CLOSE_1, 'CLOSED'],
])('an order’s creation and its %s take one statement for each call', async (_, part, status) => {
  await both.begin();
  const before = both.usual;
  for (const each of [CREATE, part]) {
    await both.each((pool) => accept(pool, each));
    for (const operation of ['try', 'confirm'] as const) await both.call({ ...each, operation });
  }
  expect(both.usual - before).toBe(4);
  const ends = await both.each((pool) => pool.query('select status from orders'));
  expect(ends.map(({ rows }) => rows as unknown)).toEqual([[{ status }], [{ status }]]);
});

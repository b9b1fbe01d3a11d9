/**
 * Two controllers work on every transaction at once, as they would if leader election failed: safety rests on the stored
 * decision, on compare-and-swap and on the participants' fence (T2), so the end is the same and every effect happens once.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { illegalStep } from '../../controller/src/transaction/legality.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { recordTransactions, type Recorder } from '../world/recorder.ts';
import { openShop, type OrderAnswer, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;

const ORDERS = 40;
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };
const GONE = { skuId: 'gone', quantity: 1, unitPriceCents: 100 };
const STOCKED = 1_000;

let shop: Shop;
let recorder: Recorder;
let controllers: readonly RunningController[];

beforeAll(async () => {
  shop = await openShop('two');
  await shop.stock('tea', STOCKED);
  await shop.stock('gone', 0);
  recorder = await recordTransactions(shop.namespace);
  const env = { ORDERTX_LEADER_ELECTION: 'off' };
  controllers = await Promise.all([shop.startController({ env }), shop.startController({ env })]);
}, SETUP_MS);

afterAll(async () => {
  await recorder.stop();
  await shop.close();
}, TEST_MS);

/** Of each controller. */
async function each(name: string, labels: Readonly<Record<string, string>> = {}): Promise<readonly number[]> {
  const texts = await Promise.all(controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return texts.map((text) => sumOf(text, name, labels));
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

test(
  'many orders, happy and refused, end as with one controller, although both work on them and write against each other',
  async () => {
    const isHappy = (index: number) => index % 2 === 0;
    const answers = await Promise.all(
      Array.from({ length: ORDERS }, (_, index) => shop.order(isHappy(index) ? [TEA] : [TEA, GONE])),
    );
    const ends = await Promise.all(answers.map(({ body }) => shop.final(body.transaction, TEST_MS / 2)));
    const asExpected = (index: number) => (isHappy(index) ? 'Succeeded' : 'Cancelled');
    expect(ends.map(({ status }) => status?.phase)).toEqual(ends.map((_, index) => asExpected(index)));
    const statusOf = async ({ body }: OrderAnswer) => shop.orderStatus(body.orderId);
    expect(await Promise.all(answers.map(statusOf))).toEqual(
      answers.map((_, index) => (isHappy(index) ? 'PENDING_PAYMENT' : 'CANCELLED')),
    );

    const calls = await each('ordertx_participant_calls_total');
    expect(Math.min(...calls)).toBeGreaterThan(0);
    // One controller alone would make four calls for each order: two tries, and two confirms or cancels.
    expect(total(calls)).toBeGreaterThan(4 * ORDERS);
    expect(total(await each('ordertx_status_writes_total', { result: 'conflict' }))).toBeGreaterThan(0);
    expect(await each('ordertx_status_writes_total', { result: 'refused' })).toEqual([0, 0]);
  },
  TEST_MS,
);

test('no version that was ever stored is an illegal step from the one before, and each decision was stored alone', async () => {
  const { versions } = recorder;
  const lastOf = (name: string) => versions.get(name)?.at(-1)?.status?.phase;
  await waitFor(async () => [...versions.keys()].filter((name) => lastOf(name) !== undefined).length === ORDERS, {
    what: `the watch to tell of ${ORDERS} transactions`,
    deadlineMs: SETUP_MS,
  });
  await waitFor(async () => [...versions.keys()].every((name) => /Succeeded|Cancelled/.test(lastOf(name) ?? '')), {
    what: 'the watch to tell of every end',
    deadlineMs: SETUP_MS,
  });
  const steps = [...versions].flatMap(([name, stored]) =>
    stored.slice(1).map((after, index) => ({ name, before: stored[index]?.status, after: after.status ?? {} })),
  );
  expect(steps.length).toBeGreaterThanOrEqual(2 * ORDERS);
  expect(steps.map(({ name, before, after }) => [name, illegalStep(before, after)]).filter(([, why]) => why)).toEqual(
    [],
  );
  const decisions = [...versions.values()].map((stored) => new Set(stored.map(({ status }) => status?.decision)));
  expect(decisions.every((seen) => seen.size === 2 && seen.has(undefined))).toBe(true);
});

test('every effect happened once: the stock is what the happy orders left, and all data agree', async () => {
  const frozen = (ORDERS / 2) * TEA.quantity;
  expect(await shop.stockOf('tea')).toMatchObject({ stocked: STOCKED, sellable: STOCKED - frozen, frozen, sold: 0 });
  expect(await shop.violations()).toEqual([]);
});

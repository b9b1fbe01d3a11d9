/** Inventory's branch of create-order, through its participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { callBranch, type BranchAnswer } from '../../../../tests/services/call-branch.ts';
import { runInventory, TEST_NAMESPACE, type RunningTestService } from '../../../../tests/services/running.ts';
import type { Operation } from '../../../protocol/src/index.ts';

type Wanted = Readonly<Record<string, number>>;

let inventory: RunningTestService;
let orders = 0;

beforeAll(async () => {
  inventory = await runInventory();
});
afterAll(() => inventory.close());

/** An order with a transaction of its own, seen from inventory. */
function order(wanted: Wanted, orderId = `o${String(++orders)}`, transaction = `${TEST_NAMESPACE}/create-${orderId}`) {
  const lines = Object.entries(wanted).map(([skuId, quantity]) => ({ skuId, quantity, unitPriceCents: 100 }));
  const totalCents = lines.reduce((sum, { quantity }) => sum + quantity * 100, 0);
  const payload = { orderId, userId: 'u1', lines, totalCents };
  const call = (operation: Operation): Promise<BranchAnswer> =>
    callBranch({ url: inventory.url, path: '/tcc/create-order', branch: 'inventory', transaction, operation, payload });
  return { orderId, try: () => call('try'), confirm: () => call('confirm'), cancel: () => call('cancel') };
}

async function stock(skuId: string, stocked: number): Promise<void> {
  const answer = await fetch(`${inventory.url}/stock/${skuId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stocked }),
  });
  expect(answer.status).toBe(200);
}

async function stockOf(skuId: string): Promise<unknown> {
  const answer = await fetch(`${inventory.url}/stock/${skuId}`);
  return answer.json();
}

async function reservationOf(orderId: string): Promise<unknown> {
  const { rows } = await inventory.database.query<{ state: string; lines: unknown }>(
    `select state, (select jsonb_object_agg(sku_id, quantity) from reservation_line where order_id = $1) as lines
     from reservation where order_id = $1`,
    [orderId],
  );
  return rows[0];
}

describe('try', () => {
  test('moves sellable to frozen, for every line of the order', async () => {
    await stock('tea', 10);
    await stock('pot', 3);
    const { orderId, ...branch } = order({ tea: 4, pot: 1 });
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await stockOf('tea')).toEqual({ skuId: 'tea', stocked: 10, sellable: 6, frozen: 4, sold: 0 });
    expect(await stockOf('pot')).toEqual({ skuId: 'pot', stocked: 3, sellable: 2, frozen: 1, sold: 0 });
    expect(await reservationOf(orderId)).toEqual({ state: 'TRIED', lines: { tea: 4, pot: 1 } });
  });

  test('that finds too little freezes nothing, and names every SKU that is short and what is left of it', async () => {
    await stock('plenty', 100);
    await stock('few', 2);
    await stock('gone', 0);
    const { orderId, ...branch } = order({ plenty: 1, few: 3, gone: 1, 'never-stocked': 2 });
    const detail =
      'out of stock: few (3 wanted, 2 left), gone (1 wanted, none left), never-stocked (2 wanted, none left)';
    expect(await branch.try()).toEqual({ status: 409, state: 'Refused', code: 'refused', detail });
    expect(await stockOf('plenty')).toMatchObject({ sellable: 100, frozen: 0 });
    expect(await stockOf('few')).toMatchObject({ sellable: 2, frozen: 0 });
    expect(await reservationOf(orderId)).toBeUndefined();
  });

  test('takes the very last units', async () => {
    await stock('last', 2);
    expect(await order({ last: 2 }).try()).toMatchObject({ status: 200 });
    expect(await stockOf('last')).toMatchObject({ sellable: 0, frozen: 2 });
    expect(await order({ last: 1 }).try()).toMatchObject({ status: 409 });
  });

  test('repeated freezes once', async () => {
    await stock('once', 10);
    const branch = order({ once: 4 });
    await branch.try();
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await stockOf('once')).toMatchObject({ sellable: 6, frozen: 4 });
  });

  test('of another transaction for an order that has its stock is refused, and its cancel returns nothing', async () => {
    await stock('taken', 10);
    const { orderId, ...branch } = order({ taken: 4 });
    await branch.try();
    const intruder = order({ taken: 4 }, orderId, `${TEST_NAMESPACE}/another-one`);
    expect(await intruder.try()).toMatchObject({ status: 409, state: 'Refused' });
    expect(await intruder.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await stockOf('taken')).toMatchObject({ sellable: 6, frozen: 4 });
    expect(await reservationOf(orderId)).toMatchObject({ state: 'TRIED' });
  });
});

describe('confirm', () => {
  test('leaves the stock frozen and makes the freeze final', async () => {
    await stock('kept', 5);
    const { orderId, ...branch } = order({ kept: 2 });
    await branch.try();
    expect(await branch.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await stockOf('kept')).toMatchObject({ sellable: 3, frozen: 2 });
    expect(await reservationOf(orderId)).toMatchObject({ state: 'FROZEN' });
  });
});

describe('cancel', () => {
  test('returns what was frozen, once', async () => {
    await stock('back', 5);
    await stock('too', 5);
    const { orderId, ...branch } = order({ back: 2, too: 3 });
    await branch.try();
    expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    await branch.cancel();
    expect(await stockOf('back')).toMatchObject({ sellable: 5, frozen: 0 });
    expect(await stockOf('too')).toMatchObject({ sellable: 5, frozen: 0 });
    expect(await reservationOf(orderId)).toMatchObject({ state: 'RETURNED' });
  });

  test('before the try returns nothing, and the late try reserves nothing', async () => {
    await stock('late', 5);
    const { orderId, ...branch } = order({ late: 2 });
    expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await branch.try()).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await stockOf('late')).toMatchObject({ sellable: 5, frozen: 0 });
    expect(await reservationOf(orderId)).toBeUndefined();
  });

  test('after a refusal returns nothing', async () => {
    await stock('short', 1);
    const branch = order({ short: 2 });
    await branch.try();
    expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await stockOf('short')).toMatchObject({ stocked: 1, sellable: 1, frozen: 0 });
  });
});

describe('under contention', () => {
  test('orders for one SKU at the same time never sell more than there is', async () => {
    await stock('hot', 40);
    const answers = await Promise.all(Array.from({ length: 100 }, () => order({ hot: 1 }).try()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40);
    expect(answers.filter(({ status, state }) => status === 409 && state === 'Refused')).toHaveLength(60);
    expect(await stockOf('hot')).toMatchObject({ sellable: 0, frozen: 40 });
  });

  test('orders that name the same SKUs in any order queue up and never deadlock', async () => {
    const skus = Array.from({ length: 8 }, (_, index) => `shelf-${index}`);
    for (const sku of skus) await stock(sku, 1_000);
    const branches = Array.from({ length: 150 }, (_, turn) => {
      // A permutation that is another one for each order, and the same ones in every run.
      const shuffled = skus
        .map((sku, index) => [sku, ((index + 1) * (turn + 7) * 7919) % 104_729] as const)
        .sort((a, b) => a[1] - b[1]);
      return order(Object.fromEntries(shuffled.slice(0, 5).map(([sku]) => [sku, 1])));
    });
    const tried = await Promise.all(branches.map((branch) => branch.try()));
    expect(tried.filter(({ status }) => status !== 200)).toEqual([]);
    const ended = await Promise.all(
      branches.map((branch, turn) => (turn % 2 === 0 ? branch.cancel() : branch.confirm())),
    );
    expect(ended.filter(({ status }) => status !== 200)).toEqual([]);
    const { rows } = await inventory.database.query<{ readonly frozen: number }>(
      `select sum(frozen)::integer as frozen from stock where sku_id like 'shelf-%'`,
    );
    expect(rows).toEqual([{ frozen: 75 * 5 }]);
    // A connection's statistics are complete once it has ended.
    await inventory.stop();
    const statistics = await inventory.database.query(
      'select deadlocks::integer from pg_stat_database where datname = current_database()',
    );
    expect(statistics.rows).toEqual([{ deadlocks: 0 }]);
  });
});

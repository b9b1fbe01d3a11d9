/** Inventory's branch of create-order, through its participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TEST_NAMESPACE, TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { FOREIGN_ATTEMPT } from '../../../protocol/src/index.ts';
import { openStockroom, type Steps, type Stockroom, type Wanted } from '../../testing/stockroom.ts';

let room: Stockroom;

beforeAll(async () => {
  room = await openStockroom();
});
afterAll(() => room.close());

const stock: Stockroom['stock'] = (skuId, stocked) => room.stock(skuId, stocked);
const stockOf: Stockroom['stockOf'] = (skuId) => room.stockOf(skuId);
const reservationOf: Stockroom['reservationOf'] = (orderId) => room.reservationOf(orderId);

/** An order's id and the branch of its creation. */
function order(wanted: Wanted, orderId?: string, transaction?: string): Steps & { readonly orderId: string } {
  const made = room.order(wanted, orderId, transaction);
  return { orderId: made.orderId, ...made.creation };
}

describe('try', () => {
  test('moves sellable to frozen, for every line of the order', async () => {
    await stock('tea', 10);
    await stock('pot', 3);
    const { orderId, ...branch } = order({ tea: 4, pot: 1 });
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await stockOf('tea')).toEqual({ skuId: 'tea', stocked: 10, sellable: 6, frozen: 4, sold: 0 });
    expect(await stockOf('pot')).toEqual({ skuId: 'pot', stocked: 3, sellable: 2, frozen: 1, sold: 0 });
    const reservation = { state: 'TRIED', marked_by: null, ended_by: null, lines: { tea: 4, pot: 1 } };
    expect(await reservationOf(orderId)).toEqual(reservation);
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

  test('of a transaction of another name, for an order that has its stock, is refused, and its cancel returns nothing', async () => {
    await stock('taken', 10);
    const { orderId, ...branch } = order({ taken: 4 });
    await branch.try();
    const intruder = order({ taken: 4 }, orderId, `${TEST_NAMESPACE}/create-${orderId}-again`);
    expect(await intruder.try()).toMatchObject({ status: 409, state: 'Refused' });
    expect(await intruder.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await stockOf('taken')).toMatchObject({ sellable: 6, frozen: 4 });
    expect(await reservationOf(orderId)).toMatchObject({ state: 'TRIED' });
  });
});

test('a transaction that is not named after the order reserves nothing for it, also before its own creation', async () => {
  await stock('alone', 10);
  const { orderId, ...branch } = order({ alone: 4 });
  const intruder = order({ alone: 4 }, orderId, `${TEST_NAMESPACE}/another-one`);
  expect(await intruder.try()).toMatchObject({ status: 409, state: 'Refused', detail: FOREIGN_ATTEMPT });
  expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
  expect(await intruder.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
  expect(await stockOf('alone')).toMatchObject({ sellable: 6, frozen: 4 });
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
    const { rows } = await room.inventory.database.query<{ readonly frozen: number }>(
      `select sum(frozen)::integer as frozen from stock where sku_id like 'shelf-%'`,
    );
    expect(rows).toEqual([{ frozen: 75 * 5 }]);
  });

  test('a second creation of an order holds nothing that the end of the first one waits for', async () => {
    await stock('near', 5);
    await stock('far', 5);
    const { orderId, ...first } = order({ near: 1, far: 1 });
    await first.try();
    const second = order({ near: 1 }, orderId, `${TWIN_NAMESPACE}/create-${orderId}`);
    // The cancel has the reservation and waits for its first SKU, because SKUs are locked in the order of their ids.
    const { cancelling, trying } = await room.holding('far', async () => {
      const cancelling = first.cancel();
      await room.untilWaiting(1);
      const trying = second.try();
      await room.untilWaiting(2);
      return { cancelling, trying };
    });
    expect(await cancelling).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await trying).toMatchObject({ status: 200, state: 'Tried' });
    expect(await stockOf('near')).toMatchObject({ sellable: 4, frozen: 1 });
    expect(await stockOf('far')).toMatchObject({ sellable: 5, frozen: 0 });
    expect(await second.cancel()).toMatchObject({ status: 200 });
    expect(await stockOf('near')).toMatchObject({ sellable: 5, frozen: 0 });
  });

  test('what another order returns while a try waits for it is there for it', async () => {
    await stock('returned', 1);
    const first = order({ returned: 1 });
    await first.try();
    const { cancelling, trying } = await room.holding('returned', async () => {
      const cancelling = first.cancel();
      await room.untilWaiting(1);
      const trying = order({ returned: 1 }).try();
      await room.untilWaiting(2);
      return { cancelling, trying };
    });
    expect(await cancelling).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await trying).toMatchObject({ status: 200, state: 'Tried' });
    expect(await stockOf('returned')).toEqual({ skuId: 'returned', stocked: 1, sellable: 0, frozen: 1, sold: 0 });
  });

  test('no deadlock came of any of this', async () => {
    expect(await room.deadlocks()).toBe(0);
  });
});

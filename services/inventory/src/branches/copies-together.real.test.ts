/**
 * Two creations of one order, in two namespaces, that come at the same moment to what a third has returned.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { openStockroom, type Stockroom } from '../../testing/stockroom.ts';

let room: Stockroom;
beforeAll(async () => {
  room = await openStockroom();
});
afterAll(() => room.close());

test('the order’s own is asked to come again, not refused for good, when a copy reserves first', async () => {
  await room.stock('tea', 3);
  const { orderId, creation: own } = room.order({ tea: 3 });
  const { creation: copy } = room.order({ tea: 3 }, orderId, `${TWIN_NAMESPACE}/create-${orderId}`);
  expect(await copy.try()).toMatchObject({ status: 200 });
  expect(await copy.cancel()).toMatchObject({ status: 200 });
  // As if it had been one of a third namespace: this service serves two.
  await room.inventory.database.query('update reservation set transaction = $2, ended_by = $2 where order_id = $1', [
    orderId,
    `third/create-${orderId}`,
  ]);
  await room.forget(copy);
  const client = await room.inventory.database.connect();
  let first: ReturnType<typeof copy.try>;
  let second: ReturnType<typeof own.try>;
  try {
    await client.query('begin');
    await client.query('select from reservation where order_id = $1 for no key update', [orderId]);
    first = copy.try();
    await room.untilWaiting(1);
    second = own.try();
    await room.untilWaiting(2);
    await client.query('commit');
  } finally {
    client.release();
  }
  expect(await first).toMatchObject({ status: 200, state: 'Tried' });
  expect(await second).toMatchObject({ status: 425, state: 'None' });
  expect(await copy.cancel()).toMatchObject({ status: 200 });
  expect(await own.try()).toMatchObject({ status: 200 });
  expect(await own.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
  expect(await room.stockOf('tea')).toMatchObject({ sellable: 0, frozen: 3 });
});

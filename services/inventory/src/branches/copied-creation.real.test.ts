/**
 * An order's creation and a copy of it in another namespace, of the same name: inventory cannot tell which is the order's own, and the
 * order service refuses the copy. Whatever the copy does, and whenever, the order's own gets its stock.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { openStockroom, type Steps, type Stockroom } from '../../testing/stockroom.ts';

const STOCKED = 3;

let room: Stockroom;

beforeAll(async () => {
  room = await openStockroom();
});
afterAll(() => room.close());

interface Copied {
  readonly orderId: string;
  readonly own: Steps;
  readonly copy: Steps;
}

/** Of the last units there are: there is no room for both. */
async function copied(): Promise<Copied> {
  await room.stock('tea', STOCKED);
  const { orderId, creation } = room.order({ tea: STOCKED });
  return {
    orderId,
    own: creation,
    copy: room.order({ tea: STOCKED }, orderId, `${TWIN_NAMESPACE}/create-${orderId}`).creation,
  };
}

async function isTheOrders({ orderId, own }: Copied): Promise<void> {
  expect(await own.try()).toMatchObject({ status: 200 });
  expect(await own.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
  expect(await room.reservationOf(orderId)).toMatchObject({ state: 'FROZEN', lines: { tea: STOCKED } });
  expect(await room.stockOf('tea')).toMatchObject({ sellable: 0, frozen: STOCKED });
  await room.inventory.database.query('truncate reservation, reservation_line, stock');
}

test('the order’s own waits while the copy is tried, and reserves once that is cancelled', async () => {
  const both = await copied();
  const { own, copy } = both;
  expect(await copy.try()).toMatchObject({ status: 200 });
  const detail = 'another creation of the order, in another namespace, is not decided yet';
  expect(await own.try()).toMatchObject({ status: 425, state: 'None', detail });
  expect(await copy.cancel()).toMatchObject({ status: 200 });
  await isTheOrders(both);
  expect(await copy.cancel()).toMatchObject({ status: 200 });
});

test('the copy is refused once the order’s own is final, and its cancel returns nothing', async () => {
  const both = await copied();
  await isTheOrders(both);
  await room.stock('tea', STOCKED);
  await both.own.cancel();
  const again = await copied();
  await again.own.try();
  await again.own.confirm();
  expect(await again.copy.try()).toMatchObject({ status: 409, state: 'Refused' });
  expect(await again.copy.cancel()).toMatchObject({ status: 200 });
  expect(await room.stockOf('tea')).toMatchObject({ sellable: 0, frozen: STOCKED });
  await room.inventory.database.query('truncate reservation, reservation_line, stock');
});

test('a payment of the order waits for its own creation, whatever the copy has left', async () => {
  await room.stock('tea', STOCKED);
  const order = room.order({ tea: STOCKED });
  const { creation: copy } = room.order({ tea: STOCKED }, order.orderId, `${TWIN_NAMESPACE}/create-${order.orderId}`);
  const payment = order.payment();
  const detail = 'no stock is reserved for the order yet';
  await copy.try();
  expect(await payment.try()).toMatchObject({ status: 425, detail });
  await copy.cancel();
  expect(await payment.try()).toMatchObject({ status: 425, detail });
  await order.creation.try();
  await order.creation.confirm();
  expect(await payment.try()).toMatchObject({ status: 200 });
  expect(await payment.confirm()).toMatchObject({ status: 200 });
  expect(await room.stockOf('tea')).toMatchObject({ sellable: 0, frozen: 0, sold: STOCKED });
  await room.inventory.database.query('truncate reservation, reservation_line, stock');
});

test('in any order, also at the same moment, every unit is in one place and the order’s own ends with its stock', async () => {
  const act = fc.record({
    who: fc.constantFrom('own' as const, 'copy' as const, 'copy' as const),
    operation: fc.constantFrom('try' as const, 'try' as const, 'cancel' as const),
    together: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 8 }), async (acts) => {
      const both = await copied();
      const underWay: Promise<unknown>[] = [];
      for (const { who, operation, together } of acts) {
        // The order's own is cancelled by nobody here; the copy is never confirmed, because the order service refuses it.
        underWay.push(who === 'own' ? both.own.try() : both.copy[operation]());
        if (!together) await Promise.all(underWay.splice(0));
      }
      await Promise.all(underWay);
      expect(await both.copy.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
      await isTheOrders(both);
    }),
    { numRuns: 60 },
  );
  expect(await room.deadlocks()).toBe(0);
}, 60_000);

/** Inventory's branches of pay-order and close-order, each alone, through their participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openStockroom, type Stockroom } from '../../testing/stockroom.ts';

let room: Stockroom;

beforeAll(async () => {
  room = await openStockroom();
});
afterAll(() => room.close());

interface Kind {
  readonly kind: 'payment' | 'closing';
  readonly other: 'payment' | 'closing';
  /** What it makes of a reservation of 4 out of 10, and of the stock. */
  readonly state: string;
  readonly stock: Readonly<Record<'stocked' | 'sellable' | 'frozen' | 'sold', number>>;
}
const KINDS: readonly Kind[] = [
  { kind: 'payment', other: 'closing', state: 'SOLD', stock: { stocked: 10, sellable: 6, frozen: 0, sold: 4 } },
  { kind: 'closing', other: 'payment', state: 'RETURNED', stock: { stocked: 10, sellable: 10, frozen: 0, sold: 0 } },
];
const FROZEN_STOCK = { stocked: 10, sellable: 6, frozen: 4, sold: 0 };
const SOLD = 'the stock is sold already: the order was paid before';
const RETURNED = 'the stock was returned already: the order was closed or cancelled before';

/** A SKU of its own for each test, so that none sees another's units. */
let skus = 0;
const newSku = (): string => `sku-${String(++skus)}`;

const SOMEBODY = 'shop/somebody';
/** What nobody but a person with a database client can do. */
async function markBySomebody(orderId: string): Promise<void> {
  const { database } = room.inventory;
  await database.query('update reservation set marked_by = $2 where order_id = $1', [orderId, SOMEBODY]);
}

function refusal(detail: string) {
  return { status: 409, state: 'Refused', code: 'refused', detail };
}

describe.each(KINDS)('the try of a $kind', ({ kind, other }) => {
  test('marks the reservation and moves no stock', async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const branch = order[kind]();
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await room.reservationOf(order.orderId)).toEqual({
      state: 'FROZEN',
      marked_by: branch.transaction,
      ended_by: null,
      lines: { [sku]: 4 },
    });
    expect(await room.stockOf(sku)).toMatchObject(FROZEN_STOCK);
  });

  test('is told to wait while the order is still being created, and is taken as soon as it is not', async () => {
    const sku = newSku();
    await room.stock(sku, 10);
    const order = room.order({ [sku]: 4 });
    await order.creation.try();
    const branch = order[kind]();
    const detail = 'the order is still being created, so its stock is not final yet';
    expect(await branch.try()).toEqual({ status: 425, state: 'None', code: undefined, detail });
    expect(await branch.try()).toMatchObject({ status: 425, detail });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'TRIED', marked_by: null });
    await order.creation.confirm();
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
  });

  test('is told to wait for an order that has reserved nothing yet, and is taken as soon as it has', async () => {
    const sku = newSku();
    await room.stock(sku, 10);
    const order = room.order({ [sku]: 1 });
    const branch = order[kind]();
    const detail = 'no stock is reserved for the order yet';
    expect(await branch.try()).toEqual({ status: 425, state: 'None', code: undefined, detail });
    await order.creation.try();
    await order.creation.confirm();
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
  });

  test('is refused for an order whose creation was cancelled', async () => {
    const sku = newSku();
    await room.stock(sku, 10);
    const order = room.order({ [sku]: 4 });
    await order.creation.try();
    await order.creation.cancel();
    expect(await order[kind]().try()).toEqual(refusal(RETURNED));
  });

  test('is refused once another payment has sold the stock', async () => {
    const order = await room.placedFrom(10, { [newSku()]: 4 });
    const payment = order.payment();
    await payment.try();
    await payment.confirm();
    expect(await order[kind]().try()).toEqual(refusal(SOLD));
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'SOLD', ended_by: payment.transaction });
  });

  test('is refused once another closing has returned the stock', async () => {
    const order = await room.placedFrom(10, { [newSku()]: 4 });
    const closing = order.closing();
    await closing.try();
    await closing.confirm();
    expect(await order[kind]().try()).toEqual(refusal(RETURNED));
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'RETURNED', ended_by: closing.transaction });
  });

  // The odd one out has a name that every object knows a property of.
  test.each([
    ['fewer units', { tea: 1, pot: 2 }, 'tea (1 given, 2 reserved)'],
    ['more units', { tea: 2, pot: 3 }, 'pot (3 given, 2 reserved)'],
    ['a line less', { tea: 2 }, 'pot (none given, 2 reserved)'],
    ['a line more', { tea: 2, pot: 2, constructor: 2 }, 'constructor (2 given, none reserved)'],
    ['other SKUs', { cup: 2, pot: 2 }, 'cup (2 given, none reserved), tea (none given, 2 reserved)'],
  ])('with %s than are reserved is refused and names each SKU that differs', async (_, lines, named) => {
    const order = await room.placedFrom(1_000, { tea: 2, pot: 2 });
    expect(await order[kind](lines).try()).toEqual(
      refusal(`the lines given for the order are not those its stock is reserved for: ${named}`),
    );
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'FROZEN', marked_by: null });
  });

  test('takes the same lines in any order', async () => {
    const order = await room.placedFrom(1_000, { tea: 2, pot: 1 });
    expect(await order[kind]({ pot: 1, tea: 2 }).try()).toMatchObject({ status: 200, state: 'Tried' });
  });

  test(`with other lines is refused at once, also while a ${other} is under way`, async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    await order[other]().try();
    expect(await order[kind]({ [sku]: 3 }).try()).toMatchObject({ status: 409, state: 'Refused' });
  });
});

describe.each(KINDS)('the confirm of a $kind', ({ kind, state, stock }) => {
  test('moves exactly the units of its own order, of all its SKUs, and takes the mark off', async () => {
    const [one, two] = [newSku(), newSku()];
    const neighbour = await room.placedFrom(11, { [one]: 1, [two]: 1 });
    const order = await room.placed({ [one]: 4, [two]: 4 });
    const branch = order[kind]();
    await branch.try();
    expect(await branch.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
    const reservation = { state, marked_by: null, ended_by: branch.transaction };
    expect(await room.reservationOf(order.orderId)).toMatchObject(reservation);
    // Beside the order's own units only the neighbour's, which is frozen.
    const expected = { ...stock, stocked: stock.stocked + 1, frozen: stock.frozen + 1 };
    for (const sku of [one, two]) expect(await room.stockOf(sku)).toEqual({ skuId: sku, ...expected });
    expect(await room.reservationOf(neighbour.orderId)).toMatchObject({ state: 'FROZEN', marked_by: null });
  });

  test('repeated moves nothing more', async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const branch = order[kind]();
    await branch.try();
    await branch.confirm();
    expect(await branch.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await room.stockOf(sku)).toMatchObject(stock);
  });

  test('of one that has ended so long ago that the fence has forgotten it is agreed to again and moves nothing', async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const branch = order[kind]();
    await branch.try();
    await branch.confirm();
    const before = await room.reservationOf(order.orderId);
    await room.forget(branch);
    expect(await branch.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await branch.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await room.stockOf(sku)).toMatchObject(stock);
    expect(await room.reservationOf(order.orderId)).toEqual(before);
  });

  test("that finds another one's mark is no success and moves nothing", async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const branch = order[kind]();
    await branch.try();
    await markBySomebody(order.orderId);
    expect(await branch.confirm()).toMatchObject({ status: 500, state: null });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'FROZEN', marked_by: SOMEBODY });
    expect(await room.stockOf(sku)).toMatchObject(FROZEN_STOCK);
  });
});

describe.each(KINDS)('the cancel of a $kind', ({ kind }) => {
  test('takes the mark off and leaves the stock frozen, and another one may come', async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const branch = order[kind]();
    await branch.try();
    expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    const reservation = { state: 'FROZEN', marked_by: null, ended_by: null };
    expect(await room.reservationOf(order.orderId)).toMatchObject(reservation);
    expect(await room.stockOf(sku)).toMatchObject(FROZEN_STOCK);
    expect(await order[kind]().try()).toMatchObject({ status: 200, state: 'Tried' });
  });

  test('before the try changes nothing, and the late try marks nothing', async () => {
    const order = await room.placedFrom(10, { [newSku()]: 4 });
    const branch = order[kind]();
    expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await branch.try()).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ state: 'FROZEN', marked_by: null });
  });

  test("of one that was told to wait leaves the other one's mark on", async () => {
    const order = await room.placedFrom(10, { [newSku()]: 4 });
    const first = order[kind]();
    await first.try();
    const second = order[kind]();
    await second.try();
    expect(await second.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ marked_by: first.transaction });
  });

  test("of one that was refused leaves the other one's mark on", async () => {
    const sku = newSku();
    const order = await room.placedFrom(10, { [sku]: 4 });
    const first = order[kind]();
    await first.try();
    const second = order[kind]({ [sku]: 1 });
    await second.try();
    expect(await second.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ marked_by: first.transaction });
  });

  test("that finds another one's mark is no success and leaves it on", async () => {
    const order = await room.placedFrom(10, { [newSku()]: 4 });
    const branch = order[kind]();
    await branch.try();
    await markBySomebody(order.orderId);
    expect(await branch.cancel()).toMatchObject({ status: 500, state: null });
    expect(await room.reservationOf(order.orderId)).toMatchObject({ marked_by: SOMEBODY });
  });
});

describe('the database itself refuses', () => {
  test.each([
    ['a mark on a reservation that may still be cancelled', `state = 'TRIED', marked_by = 'shop/pay-p'`],
    ['a mark on a reservation that has ended', `state = 'SOLD', marked_by = 'shop/pay-p'`],
    ['an end of a reservation that is still frozen', `ended_by = 'shop/pay-p'`],
  ])('%s', async (_, change) => {
    const { orderId } = await room.placedFrom(10, { [newSku()]: 4 });
    const changing = room.inventory.database.query(`update reservation set ${change} where order_id = $1`, [orderId]);
    await expect(changing).rejects.toMatchObject({ code: '23514' });
  });
});

/** The order's own branch of close-order, through its participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { callBranch } from '../../../../tests/services/call-branch.ts';
import { placeOrder } from '../../../../tests/services/order-client.ts';
import { FOREIGN_ATTEMPT } from '../../../protocol/src/index.ts';
import { CLOSES_FAIL } from './close-order.ts';
import { done, OrderFixture, type Steps } from '../../testing/order-fixture.ts';

/** The least pause between two closes of one order. */
const PAUSE_SECONDS = 10;

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('close');
}, 30_000);
afterAll(() => fixture.close());

const PLACED = [['INIT'], ['PENDING_PAYMENT']];
const TRIED = { status: 200, state: 'Tried' };
const CONFIRMED = { status: 200, state: 'Confirmed' };
const CANCELLED = { status: 200, state: 'Cancelled' };
const refusal = (detail: string) => ({ status: 409, state: 'Refused', code: 'refused', detail });

/** An order whose first close the scanner has begun. */
async function overdue(): Promise<{ readonly orderId: string; readonly closing: Steps }> {
  const orderId = await fixture.placed();
  const closing = fixture.closing(orderId, 1);
  await fixture.overdue(orderId);
  await fixture.begun(orderId, closing.transaction);
  return { orderId, closing };
}

/** An order whose first close is begun because its customer does not want it any more: at once, without a scan. */
async function withdrawn(): Promise<{ readonly orderId: string; readonly closing: Steps }> {
  const orderId = await fixture.placed();
  expect(await fixture.post(`/orders/${orderId}/withdraw`, { prefer: 'wait=0' })).toMatchObject({ status: 202 });
  return { orderId, closing: fixture.closing(orderId, 1, 'withdrawn') };
}

/** The scanner has been through all that is overdue now. */
async function scanned(): Promise<void> {
  await overdue();
}

describe('a close of an order that is not paid', () => {
  test.each([
    ['unpaid', 'it was not paid in time'],
    ['withdrawn', 'the customer withdrew it'],
  ])('that is %s takes it at the try, and has closed it once confirmed', async (cause, words) => {
    const orderId = await fixture.placed();
    const closing = await fixture.beginClose(orderId, cause);
    expect(await closing.try()).toMatchObject(TRIED);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSING', held_by: closing.transaction });
    expect(await closing.confirm()).toMatchObject(CONFIRMED);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSED', held_by: null, closing: closing.transaction });
    expect(await fixture.history(orderId)).toEqual([...PLACED, ['CLOSING', words], ['CLOSED', words]]);
  });

  test('lets it go when it is cancelled, and the history says why', async () => {
    const { orderId, closing } = await withdrawn();
    await closing.try();
    expect(await closing.cancel({ reason: 'Refused', detail: 'the stock is sold' })).toMatchObject(CANCELLED);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', held_by: null, closing: null });
    expect((await fixture.history(orderId)).slice(2)).toEqual([
      ['CLOSING', 'the customer withdrew it'],
      ['PENDING_PAYMENT', 'it was not closed: the stock is sold'],
    ]);
  });

  test.each(['confirm', 'cancel'] as const)('changes nothing when its try and its %s come again', async (decided) => {
    const orderId = await fixture.placed();
    const closing = await fixture.beginClose(orderId);
    await done(closing, 'try', 'try', decided);
    const once = await fixture.seen(orderId);
    await done(closing, decided);
    await closing.try();
    expect(await fixture.seen(orderId)).toEqual(once);
  });

  test('once more, when the fence has forgotten it, is tried, and neither its confirm nor its cancel changes anything', async () => {
    for (const decided of ['confirm', 'cancel'] as const) {
      const { orderId, closing } = await fixture.closed();
      const before = await fixture.seen(orderId);
      await fixture.forget(closing);
      await done(closing, 'try', decided);
      expect(await fixture.seen(orderId)).toEqual(before);
    }
  });
});

describe('a close is refused, and the order stays as it is,', () => {
  async function isRefused(orderId: string, words: string): Promise<void> {
    await refuses(fixture.closing(orderId, 7), orderId, words);
  }

  async function refuses(late: Steps, orderId: string, words: string): Promise<void> {
    const before = await fixture.seen(orderId);
    expect(await late.try()).toEqual(refusal(words));
    expect(await late.try()).toEqual(refusal(words));
    expect(await late.cancel()).toMatchObject(CANCELLED);
    expect(await fixture.seen(orderId)).toEqual(before);
  }

  test('while another close is begun', async () => {
    const { orderId } = await withdrawn();
    await isRefused(orderId, 'another close of the order is under way');
  });

  test.each([
    ['PAYING', 'the order is being paid'],
    ['PAID', 'the order is paid'],
    ['SHIPPED', 'the order is paid'],
    ['RECEIVED', 'the order is paid'],
    ['CLOSING', 'the order is being closed already'],
    ['CLOSED', 'the order is closed already'],
    ['CANCELLED', 'the order was cancelled'],
  ] as const)('when it is %s', async (status, words) => {
    const orderId = await fixture.orderIn(status);
    await isRefused(orderId, words);
  });

  test('when the order service has not begun it, and its number is not used for one that is', async () => {
    const orderId = await fixture.placed();
    await refuses(fixture.closing(orderId, 1), orderId, 'the order service has not begun this close');
    await refuses(fixture.closing(orderId, 3), orderId, 'the order service has not begun this close');
    await fixture.overdue(orderId);
    const second = fixture.closing(orderId, 2);
    await fixture.begun(orderId, second.transaction);
    await done(second, 'try', 'cancel');
    await fixture.overdue(orderId);
    const fourth = fixture.closing(orderId, 4);
    await fixture.begun(orderId, fourth.transaction);
    await done(fourth, 'try', 'confirm');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSED', closing: fourth.transaction, closes: 4 });
  });

  test('when it has another name, also while the close that it copies is under way', async () => {
    const { orderId, closing } = await withdrawn();
    const copy = fixture.closingNamed(`close-${orderId}-1-again`, orderId, 'withdrawn');
    await refuses(copy, orderId, FOREIGN_ATTEMPT);
    await done(closing, 'try');
    await refuses(fixture.closingNamed(`close-by-hand-${orderId}`, orderId, 'withdrawn'), orderId, FOREIGN_ATTEMPT);
    await done(closing, 'confirm');
    expect(await fixture.status(orderId)).toBe('CLOSED');
  });

  test('when nobody placed it', async () => {
    const orderId = fixture.newId();
    expect(await fixture.closing(orderId, 1).try()).toEqual(refusal('there is no such order'));
    expect(await fixture.closing(orderId, 1).cancel()).toMatchObject(CANCELLED);
    expect(await fixture.status(orderId)).toBeUndefined();
  });
});

test('a close of an order that is still INIT is asked to come again, before and after its own row is there', async () => {
  const { orderId } = (await placeOrder(fixture.service.url)).body;
  const closing = fixture.closing(orderId, 1);
  const later = { status: 425, state: 'None', code: undefined, detail: 'the order is still being created' };
  expect(await closing.try()).toEqual(later);
  await done(fixture.creation(orderId), 'try');
  expect(await closing.try()).toEqual(later);
  await done(fixture.creation(orderId), 'confirm');
  await fixture.beginClose(orderId);
  expect(await closing.try()).toMatchObject(TRIED);
});

describe('a cancelled close leaves the order open for a further one, after a pause,', () => {
  const cancelledTried = async ({ closing }: { closing: Steps }) => done(closing, 'try', 'cancel');
  const cancelledUntried = async ({ closing }: { closing: Steps }) => done(closing, 'cancel');
  async function cancelledRefused({ orderId, closing }: { orderId: string; closing: Steps }): Promise<void> {
    const payment = fixture.payment(orderId);
    await done(payment, 'try');
    expect(await closing.try()).toMatchObject({ status: 409 });
    await done(closing, 'cancel');
    await done(payment, 'cancel');
  }

  test.each([
    ['tried', cancelledTried],
    ['refused', cancelledRefused],
    ['untried', cancelledUntried],
  ])('when it was %s', async (_, cancelled) => {
    const closed = await overdue();
    const { orderId } = closed;
    await cancelled(closed);
    expect(await fixture.outbox(orderId)).toEqual([]);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', closes: 1, closing: null });
    const pauseSeconds = (await fixture.closeInSeconds(orderId)) ?? 0;
    expect(pauseSeconds).toBeGreaterThan(0);
    expect(pauseSeconds).toBeLessThanOrEqual(PAUSE_SECONDS);
    await scanned();
    expect(await fixture.outbox(orderId)).toEqual([]);
    await fixture.overdue(orderId);
    const second = fixture.closing(orderId, 2);
    expect(await fixture.begun(orderId, second.transaction)).toMatchObject({ payload: { orderId, cause: 'unpaid' } });
    await done(second, 'try', 'confirm');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSED', closes: 2, closing: second.transaction });
  });

  test('also when the cancel carries nothing that can be read', async () => {
    const { orderId, closing } = await withdrawn();
    const call = { url: fixture.service.url, path: '/tcc/close-order', branch: 'order' };
    const { transaction } = closing;
    expect(await callBranch({ ...call, transaction, operation: 'cancel', payload: 'nonsense' })).toMatchObject(
      CANCELLED,
    );
    expect(await fixture.row(orderId)).toMatchObject({ closes: 1, closing: null });
    expect(await fixture.outbox(orderId)).toEqual([]);
  });

  test('for an order that was withdrawn, soon, and again with this cause', async () => {
    const { orderId, closing } = await withdrawn();
    await done(closing, 'try', 'cancel');
    // Its time to pay would be far longer.
    expect(await fixture.closeInSeconds(orderId)).toBeLessThanOrEqual(PAUSE_SECONDS);
    await fixture.overdue(orderId);
    const second = await fixture.begun(orderId, fixture.closing(orderId, 2).transaction);
    expect(second.payload).toMatchObject({ cause: 'withdrawn' });
  });

  test('ever later, at most an hour, and its history says once that someone must look', async () => {
    const orderId = await fixture.placed();
    const pauses: number[] = [];
    for (let number = 1; number <= 12; number += 1) {
      await fixture.overdue(orderId);
      await fixture.begun(orderId, fixture.closing(orderId, number).transaction);
      await done(fixture.closing(orderId, number), 'cancel');
      pauses.push((await fixture.closeInSeconds(orderId)) ?? 0);
      const said = (await fixture.history(orderId)).filter(([, reason]) => reason === CLOSES_FAIL);
      expect(said).toHaveLength(number < 3 ? 0 : 1);
    }
    const expected = [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600];
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeLessThanOrEqual(expected[index]!);
      expect(pause).toBeGreaterThan(expected[index]! * 0.5);
    }
    const metrics = await (await fetch(`${fixture.service.url}/metrics`)).text();
    expect(metrics).toMatch(/ordertx_order_closes_failing\{[^}]*\} 1/);
  }, 60_000);

  test('and a late try of the one that was cancelled takes nothing', async () => {
    const { orderId, closing } = await withdrawn();
    await done(closing, 'cancel');
    expect(await closing.try()).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await fixture.history(orderId)).toEqual(PLACED);
  });
});

test.each([
  ['confirm', ['try'], 'confirm'],
  ['cancel', ['try'], 'cancel'],
  ['cancel without a try', [], 'cancel'],
] as const)('the creation stays in the outbox until the %s and goes with it', async (_, first, last) => {
  const { orderId, closing } = await withdrawn();
  await done(closing, ...first);
  expect(await fixture.outbox(orderId)).toHaveLength(1);
  await done(closing, last);
  expect(await fixture.outbox(orderId)).toEqual([]);
});

test.each(['confirm', 'cancel'] as const)(
  'a %s that finds the order in other hands than its try left it is no success',
  async (operation) => {
    const { orderId, closing } = await withdrawn();
    await done(closing, 'try');
    await fixture.service.database.query(
      `update orders set status = 'PENDING_PAYMENT', held_by = null where order_id = $1`,
      [orderId],
    );
    expect(await closing[operation]()).toMatchObject({ status: 500, state: null });
    expect(await fixture.fenceState(closing.transaction)).toBe('Tried');
  },
);

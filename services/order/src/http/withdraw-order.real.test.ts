/** POST /orders/:orderId/withdraw. The test plays the controller. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { placeOrder, TEAPOTS } from '../../../../tests/services/order-client.ts';
import type { RunningTestService } from '../../../../tests/services/running.ts';
import { DEADLINE_MS, done, OrderFixture } from '../../testing/order-fixture.ts';

/** Much less than it takes until who waits reads again anyway: only a notification is that quick. */
const AT_ONCE_MS = 1_500;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let fixture: OrderFixture;
/** Another replica on the same database. */
let replica: RunningTestService;

beforeAll(async () => {
  fixture = await OrderFixture.open('withdraw');
  replica = await fixture.replica();
}, 30_000);
afterAll(() => fixture.close());

const withdraw = (orderId: string, wait?: number, to = fixture.service) =>
  fixture.post(`/orders/${orderId}/withdraw`, wait === undefined ? {} : { prefer: `wait=${String(wait)}` }, to.url);

const closed = (orderId: string) => ({
  status: 200,
  type: 'application/json',
  body: { orderId, status: 'CLOSED', transaction: `close-${orderId}-1` },
});

/** As the controller does it, once the close is begun. */
async function closeAsBegun(orderId: string, ...operations: readonly ('try' | 'confirm' | 'cancel')[]): Promise<void> {
  const close = fixture.closing(orderId, 1, 'withdrawn');
  await fixture.begun(orderId, close.transaction);
  await done(close, ...operations);
}

/** Somebody waits for the end of this order's close. */
const awaited = (orderId: string): Promise<unknown> =>
  waitFor(async () => (await fixture.outbox(orderId)).some((creation) => creation.awaited), {
    what: `somebody to wait for order ${orderId}`,
    deadlineMs: DEADLINE_MS,
  });

describe('an order that waits for its payment', () => {
  test('is closed because it was withdrawn, and the answer comes when it is', async () => {
    const orderId = await fixture.placed();
    const answer = withdraw(orderId, 20);
    await closeAsBegun(orderId, 'try', 'confirm');
    const closedAt = Date.now();
    expect(await answer).toEqual(closed(orderId));
    expect(Date.now() - closedAt).toBeLessThan(AT_ONCE_MS);
    expect((await fixture.history(orderId)).slice(2)).toEqual([
      ['CLOSING', 'the customer withdrew it'],
      ['CLOSED', 'the customer withdrew it'],
    ]);
  });

  test('has a close-order transaction of its own, which carries on the request’s trace', async () => {
    const orderId = await fixture.placed();
    await fixture.post(`/orders/${orderId}/withdraw`, { prefer: 'wait=0', traceparent: TRACEPARENT });
    const { spec, metadata } = await fixture.transactionSoon(`close-${orderId}-1`);
    expect(spec).toMatchObject({ flow: 'close-order', orderId });
    expect(spec.payload).toEqual({ orderId, lines: TEAPOTS.lines, cause: 'withdrawn' });
    expect(metadata.annotations).toEqual({ 'ordertx.dev/traceparent': TRACEPARENT });
  });

  test.each([0, 1])('is answered 202 when that takes longer than wait=%i', async (wait) => {
    const orderId = await fixture.placed();
    const accepted = (status: string) => ({
      ...{ status: 202, type: 'application/json' },
      body: { orderId, status, transaction: `close-${orderId}-1` },
    });
    expect(await withdraw(orderId, wait)).toEqual(accepted('PENDING_PAYMENT'));
    await closeAsBegun(orderId, 'try');
    expect(await withdraw(orderId, wait)).toEqual(accepted('CLOSING'));
    await done(fixture.closing(orderId, 1, 'withdrawn'), 'confirm');
    expect(await withdraw(orderId, wait)).toEqual(closed(orderId));
  });

  test('that is withdrawn again gets the same answer, from any replica', async () => {
    const orderId = await fixture.placed();
    const first = withdraw(orderId, 20);
    await closeAsBegun(orderId, 'try', 'confirm');
    expect(await first).toEqual(closed(orderId));
    for (const to of [fixture.service, replica])
      expect(await withdraw(orderId, undefined, to)).toEqual(closed(orderId));
    expect(await fixture.row(orderId)).toMatchObject({ closes: 1 });
  });

  test('is closed once by withdrawals that come together, and all hear of it at once', async () => {
    const orderId = await fixture.placed();
    const answers = Array.from({ length: 10 }, (_, turn) =>
      withdraw(orderId, 20, turn % 2 === 0 ? fixture.service : replica),
    );
    await closeAsBegun(orderId, 'try', 'confirm');
    const closedAt = Date.now();
    expect(await Promise.all(answers)).toEqual(answers.map(() => closed(orderId)));
    expect(Date.now() - closedAt).toBeLessThan(2 * AT_ONCE_MS);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSED', closes: 1 });
  });

  test('joins the close that the scanner has begun, and hears of its end', async () => {
    const orderId = await fixture.placed();
    await fixture.overdue(orderId);
    const close = fixture.closing(orderId, 1);
    await fixture.begun(orderId, close.transaction);
    const answer = withdraw(orderId, 20, replica);
    await awaited(orderId);
    await done(close, 'try', 'confirm');
    const closedAt = Date.now();
    expect(await answer).toEqual(closed(orderId));
    expect(Date.now() - closedAt).toBeLessThan(AT_ONCE_MS);
    expect(await fixture.row(orderId)).toMatchObject({ closes: 1, withdrawn: true });
  });

  test('is closed later under the next number when this close is cancelled, without being asked again', async () => {
    const orderId = await fixture.placed();
    const answer = withdraw(orderId, 30);
    await closeAsBegun(orderId, 'try', 'cancel');
    await fixture.overdue(orderId);
    const second = fixture.closing(orderId, 2, 'withdrawn');
    expect((await fixture.begun(orderId, second.transaction)).payload).toMatchObject({ cause: 'withdrawn' });
    await done(second, 'try', 'confirm');
    expect(await answer).toMatchObject({ status: 200, body: { orderId, status: 'CLOSED' } });
    expect((await withdraw(orderId)).body).toEqual({ orderId, status: 'CLOSED', transaction: `close-${orderId}-2` });
  });

  test('that a payment takes meanwhile is answered 409: paid when it is paid, to be tried again while it is being paid', async () => {
    const orderId = await fixture.placed();
    const answer = withdraw(orderId, 20);
    await fixture.begun(orderId, fixture.closing(orderId, 1).transaction);
    const payment = fixture.payment(orderId);
    await done(payment, 'try');
    await done(fixture.closing(orderId, 1, 'withdrawn'), 'cancel');
    expect(await answer).toMatchObject({ status: 409, body: { code: 'try-again-later', orderStatus: 'PAYING' } });
    await done(payment, 'confirm');
    expect(await withdraw(orderId)).toMatchObject({ status: 409, body: { code: 'wrong-status', orderStatus: 'PAID' } });
  });
});

describe('an order that cannot be withdrawn', () => {
  const refused = (orderId: string, orderStatus: string, code: string, why: string) => ({
    status: 409,
    type: 'application/problem+json',
    body: expect.objectContaining({
      ...{ code, orderId, orderStatus, detail: `order ${orderId} cannot be withdrawn: ${why}` },
    }),
  });

  test('INIT is 409, to be tried again later: before its own row is there, and after', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const later = refused(orderId, 'INIT', 'try-again-later', 'it is still being created; try again later');
    expect(await withdraw(orderId)).toEqual(later);
    await done(fixture.creation(orderId), 'try');
    expect(await withdraw(orderId)).toEqual(later);
    await done(fixture.creation(orderId), 'confirm');
    expect(await withdraw(orderId, 0)).toMatchObject({ status: 202 });
  });

  test('PAYING is 409, to be tried again later', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await done(payment, 'try');
    expect(await withdraw(orderId)).toEqual(
      refused(orderId, 'PAYING', 'try-again-later', 'it is being paid; try again later'),
    );
    await done(payment, 'cancel');
    expect(await withdraw(orderId, 0)).toMatchObject({ status: 202 });
  });

  test.each(['CANCELLED', 'PAID', 'SHIPPED', 'RECEIVED'] as const)('%s is 409', async (status) => {
    const orderId = await fixture.orderIn(status);
    const before = await fixture.seen(orderId);
    expect(await withdraw(orderId)).toEqual(refused(orderId, status, 'wrong-status', `it is ${status}`));
    expect(await fixture.seen(orderId)).toEqual(before);
    expect(await fixture.outbox(orderId)).toEqual([]);
  });

  test('that nobody placed is 404', async () => {
    expect(await withdraw('nowhere')).toMatchObject({
      ...{ status: 404, type: 'application/problem+json' },
      body: { code: 'unknown-order', detail: 'there is no order nowhere' },
    });
  });

  test('an id that is none is a problem of the caller', async () => {
    expect(await withdraw('Not_An_Id')).toMatchObject({ status: 400, type: 'application/problem+json' });
  });
});

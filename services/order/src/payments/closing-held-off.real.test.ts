/** Orders that are about to be closed, and what the payment service says of them; on a real database. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { done, OrderFixture, TOTAL_CENTS } from '../../testing/order-fixture.ts';

/** Several times what a scan takes to come round, also on a loaded machine: it is looked at what is so within it. */
const GRACE_SECONDS = 8;
const DEADLINE_MS = 20_000;
/** As many as the scanner takes in one round. */
const PORTION = 50;

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('held-off', { paymentGraceSeconds: GRACE_SECONDS });
}, 30_000);
beforeEach(() => fixture.payments.away(false));
afterAll(() => fixture.close());

const closeOf = (orderId: string, number = 1) => fixture.closing(orderId, number).transaction;
const begun = async (orderId: string) => (await fixture.outbox(orderId)).map(({ transaction }) => transaction);

/** Its time to pay has been over for so long. */
async function overdue(orderId: string, seconds: number): Promise<void> {
  await fixture.service.database.query(
    'update orders set close_at = now() - make_interval(secs => $2) where order_id = $1',
    [orderId, seconds],
  );
}

/** The scanner has been through all that is overdue now, however much that is. */
async function scanned(): Promise<void> {
  const orderId = await fixture.placed();
  await overdue(orderId, GRACE_SECONDS + 1);
  await fixture.begun(orderId, closeOf(orderId));
}

test('an order that was paid in time, of which no message has come, is paid and not closed', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  fixture.payments.know({ paymentId: payment.paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
  await overdue(orderId, 1_000);
  const { payload } = await fixture.begun(orderId, payment.transaction);
  expect(payload).toMatchObject({ paymentId: payment.paymentId, amountCents: TOTAL_CENTS });
  await scanned();
  expect(await begun(orderId)).toEqual([payment.transaction]);
  await done(payment, 'try', 'confirm');
  expect(await fixture.announce(orderId, payment)).toMatchObject({ result: 'delivered' });
  expect(await fixture.row(orderId)).toMatchObject({ status: 'PAID', closes: 0, closing: null });
});

test('a captured payment whose transaction was cancelled holds nothing off: it is on its way back', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  await fixture.announce(orderId, payment);
  await done(payment, 'cancel');
  await fixture.overdue(orderId);
  await fixture.begun(orderId, closeOf(orderId));
});

describe.each(['an open payment', 'a payment service that is away'])('%s', (reason) => {
  async function heldOff(): Promise<string> {
    const orderId = await fixture.placed();
    if (reason === 'an open payment')
      fixture.payments.know({
        paymentId: fixture.payment(orderId).paymentId,
        orderId,
        status: 'PENDING',
        capturedCents: null,
      });
    else fixture.payments.away(true);
    return orderId;
  }

  test('holds a close off, for its grace and no longer', async () => {
    const orderId = await heldOff();
    await overdue(orderId, 0);
    await scanned();
    expect(await begun(orderId)).toEqual([]);
    await fixture.begun(orderId, closeOf(orderId));
    expect(-((await fixture.closeInSeconds(orderId)) ?? 0)).toBeGreaterThanOrEqual(GRACE_SECONDS);
  });

  test('holds nothing off whose grace is over, nor a second close, nor one that its customer wants', async () => {
    const late = await heldOff();
    await overdue(late, GRACE_SECONDS);
    await fixture.begun(late, closeOf(late));
    await done(fixture.closing(late, 1), 'try', 'cancel');
    await overdue(late, 0);
    await fixture.begun(late, closeOf(late, 2));
    const unwanted = await heldOff();
    expect(await fixture.post(`/orders/${unwanted}/withdraw`, { prefer: 'wait=0' })).toMatchObject({ status: 202 });
  });
});

test('a payment that succeeds while it holds the close off is applied', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  const { paymentId } = payment;
  fixture.payments.know({ paymentId, orderId, status: 'PENDING', capturedCents: null });
  await overdue(orderId, 0);
  await scanned();
  fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
  await fixture.begun(orderId, payment.transaction);
  expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', closes: 0 });
});

test('orders that are held off do not keep others from their turn', async () => {
  const held = await Promise.all(Array.from({ length: PORTION + 10 }, () => fixture.placed()));
  for (const orderId of held) {
    fixture.payments.know({
      paymentId: fixture.payment(orderId).paymentId,
      orderId,
      status: 'PENDING',
      capturedCents: null,
    });
    await overdue(orderId, 1);
  }
  const [last] = [await fixture.placed()];
  await overdue(last, 0.1);
  await fixture.begun(last, closeOf(last));
});

test('a withdrawal does not close an order whose money is there: it is told to try again later', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  fixture.payments.know({ paymentId: payment.paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
  for (let times = 0; times < 2; times += 1)
    expect(await fixture.post(`/orders/${orderId}/withdraw`)).toMatchObject({
      ...{ status: 409, body: { code: 'try-again-later', orderId } },
    });
  expect(await begun(orderId)).toEqual([payment.transaction]);
  await done(payment, 'try', 'cancel');
  await waitFor(async () => (await fixture.post(`/orders/${orderId}/withdraw`, { prefer: 'wait=0' })).status === 202, {
    what: 'the order to be withdrawn once the payment was not taken',
    deadlineMs: DEADLINE_MS,
  });
});

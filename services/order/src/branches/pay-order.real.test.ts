/** The order's own branch of pay-order, through its participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { placeOrder } from '../../../../tests/services/order-client.ts';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { untilSomeoneWaits } from '../../../kit/testing/seat-service.ts';
import { FOREIGN_ATTEMPT } from '../../../protocol/src/index.ts';
import { lockOrder } from '../held-order.ts';
import { openPayment } from '../payments/open-payment.ts';
import type { KnownPayment } from '../payments/payment-lookup.ts';
import { done, OrderFixture, TOTAL_CENTS, type PaymentSteps } from '../../testing/order-fixture.ts';

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('pay');
}, 30_000);
afterAll(() => fixture.close());

const PLACED = [['INIT'], ['PENDING_PAYMENT']];
const NOBODY = { held_by: null, payment_id: null };
const TRIED = { status: 200, state: 'Tried' };
const CONFIRMED = { status: 200, state: 'Confirmed' };
const CANCELLED = { status: 200, state: 'Cancelled' };
const refusal = (detail: string) => ({ status: 409, state: 'Refused', code: 'refused', detail });

describe('a payment of an order that waits for it', () => {
  test('takes it at the try, and has paid it once confirmed', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    expect(await payment.try()).toMatchObject(TRIED);
    expect(await fixture.row(orderId)).toMatchObject({
      status: 'PAYING',
      held_by: payment.transaction,
      payment_id: null,
    });
    expect(await payment.confirm()).toMatchObject(CONFIRMED);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PAID', held_by: null, payment_id: payment.paymentId });
    expect(await fixture.history(orderId)).toEqual([
      ...PLACED,
      ['PAYING'],
      ['PAID', `paid by payment ${payment.paymentId}`],
    ]);
  });

  test('lets it go when it is cancelled, and the history says why', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await payment.try();
    expect(await payment.cancel({ reason: 'Refused', detail: 'no stock is reserved – 没有库存' })).toMatchObject(
      CANCELLED,
    );
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
    expect(await fixture.history(orderId)).toEqual([
      ...PLACED,
      ['PAYING'],
      ['PENDING_PAYMENT', `payment ${payment.paymentId} was not taken: no stock is reserved – 没有库存`],
    ]);
  });

  test('says in words of its own why, when whoever cancelled gave none', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await payment.try();
    await payment.cancel({ reason: 'DeadlineExceeded' });
    expect((await fixture.history(orderId)).at(-1)).toEqual([
      'PENDING_PAYMENT',
      `payment ${payment.paymentId} was not taken: a service did not answer in time`,
    ]);
  });

  test('can be followed by another one, which pays it', async () => {
    const orderId = await fixture.placed();
    await done(fixture.payment(orderId), 'try', 'cancel');
    const second = fixture.payment(orderId);
    await done(second, 'try', 'confirm');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PAID', payment_id: second.paymentId });
  });

  test.each(['confirm', 'cancel'] as const)('changes nothing when its try and its %s come again', async (decided) => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await done(payment, 'try', 'try', decided);
    const once = await fixture.seen(orderId);
    await done(payment, decided);
    expect(await payment.try()).toMatchObject(
      decided === 'confirm' ? CONFIRMED : { status: 409, state: 'Cancelled', code: 'cancelled' },
    );
    expect(await fixture.seen(orderId)).toEqual(once);
  });
});

test('a payment that is told of while its confirm waits for the order is not created once more after it has paid it', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  await done(payment, 'try');
  const { database } = fixture.service;
  const teller = await database.connect();
  try {
    await teller.query('begin');
    const order = await lockOrder(teller, orderId);
    if (order === undefined) throw new Error(`order ${orderId} is gone`);
    const confirming = payment.confirm();
    await untilSomeoneWaits(database);
    await openPayment(teller, order, { paymentId: payment.paymentId, amountCents: TOTAL_CENTS });
    await teller.query('commit');
    expect(await confirming).toMatchObject(CONFIRMED);
  } finally {
    teller.release();
  }
  expect(await fixture.row(orderId)).toMatchObject({ status: 'PAID' });
  expect(await fixture.outbox(orderId)).toEqual([]);
});

describe('a payment is refused, and the order stays as it is,', () => {
  async function isRefused(orderId: string, payment: PaymentSteps, words: string): Promise<void> {
    const before = await fixture.seen(orderId);
    expect(await payment.try()).toEqual(refusal(words));
    expect(await payment.try()).toEqual(refusal(words));
    expect(await payment.cancel()).toMatchObject(CANCELLED);
    expect(await fixture.seen(orderId)).toEqual(before);
  }

  test("when it is another user's, who would get the points", async () => {
    const orderId = await fixture.placed();
    await isRefused(orderId, fixture.payment(orderId, { userId: 'somebody' }), "the order is another user's");
  });

  test('when it is of another amount', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId, { amountCents: TOTAL_CENTS - 1 });
    await isRefused(orderId, payment, 'the order costs 2500 cents, and the payment is of 2499');
  });

  test.each([
    ['PAYING', 'another payment of the order is under way'],
    ['CLOSING', 'the order is being closed'],
    ['CLOSED', 'the order is closed'],
    ['CANCELLED', 'the order was cancelled'],
    ['PAID', 'the order is paid already, by another payment'],
    ['SHIPPED', 'the order is paid already, by another payment'],
    ['RECEIVED', 'the order is paid already, by another payment'],
  ] as const)('when it is %s', async (status, words) => {
    const orderId = await fixture.orderIn(status);
    await isRefused(orderId, fixture.payment(orderId), words);
  });

  test.each(['PENDING_PAYMENT', 'PAYING', 'PAID', 'CLOSED'] as const)(
    'when it is a copy under another name or in another namespace, and the order is %s',
    async (status) => {
      const orderId = await fixture.orderIn(status);
      const { payment_id: paymentId, held_by: heldBy } = await fixture.row(orderId);
      const copied = paymentId ?? heldBy?.replace(/^.*pay-/, '') ?? `of-${orderId}`;
      const copies = [`${fixture.namespace}/pay-${copied}-again`, `${TWIN_NAMESPACE}/pay-${copied}`];
      for (const transaction of copies)
        await isRefused(orderId, fixture.payment(orderId, { paymentId: copied, transaction }), FOREIGN_ATTEMPT);
    },
  );

  test('when nobody placed it', async () => {
    const orderId = fixture.newId();
    expect(await fixture.payment(orderId).try()).toEqual(refusal('there is no such order'));
    expect(await fixture.status(orderId)).toBeUndefined();
  });
});

describe('a transaction that this service has not asked for', () => {
  test.each<[string, Partial<KnownPayment> | undefined, string]>([
    ['a payment that nobody asked for', undefined, 'the payment service knows no such payment of the order'],
    ['a payment of another order', { orderId: 'another' }, 'the payment service knows no such payment of the order'],
    ['another amount', { capturedCents: 1 }, 'the payment service knows of 1 cents, and here it is 2500'],
    ['money that was given back', { status: 'REFUNDED' }, 'the payment is REFUNDED by now: there is nothing to apply'],
  ])('pays nothing for %s, and its cancel changes nothing', async (_, known, words) => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    const { paymentId } = payment;
    fixture.payments.forget(paymentId);
    if (known !== undefined)
      fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS, ...known });
    expect(await payment.try()).toEqual(refusal(words));
    await done(payment, 'cancel');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
    expect(await fixture.history(orderId)).toEqual(PLACED);
  });

  test('waits for a capture that the payment service has not heard of, and pays once it has', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    const { paymentId } = payment;
    fixture.payments.know({ paymentId, orderId, status: 'PENDING', capturedCents: null });
    const detail = 'the payment service has not heard that the payment was captured';
    expect(await payment.try()).toMatchObject({ status: 425, state: 'None', detail });
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
    fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
    await done(payment, 'try', 'confirm');
    expect(await fixture.status(orderId)).toBe('PAID');
  });

  test('waits while the payment service is away; what this service has asked for does not', async () => {
    const [orderId, otherId] = [await fixture.placed(), await fixture.placed()];
    const [payment, wanted] = [fixture.payment(orderId), fixture.payment(otherId)];
    await fixture.announce(otherId, wanted);
    fixture.payments.away(true);
    try {
      expect(await payment.try()).toMatchObject({ status: 425, state: 'None' });
      await done(wanted, 'try', 'confirm');
      expect(await fixture.status(otherId)).toBe('PAID');
    } finally {
      fixture.payments.away(false);
    }
    await done(payment, 'try', 'confirm');
  });

  test('is not believed for the creation of the same name, which is of the amount that was captured', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await fixture.announce(orderId, { paymentId: payment.paymentId, amountCents: 1 });
    expect(await payment.try()).toEqual(refusal('the payment service knows of 1 cents, and here it is 2500'));
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
  });
});

describe('a payment of an order that is still INIT is asked to come again', () => {
  test('before its own row is there, after its try, and is taken once it is confirmed', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const payment = fixture.payment(orderId);
    const later = { status: 425, state: 'None', code: undefined, detail: 'the order is still being created' };
    expect(await payment.try()).toEqual(later);
    await done(fixture.creation(orderId), 'try');
    expect(await payment.try()).toEqual(later);
    await done(fixture.creation(orderId), 'confirm');
    expect(await payment.try()).toMatchObject(TRIED);
  });

  test('and refused once its creation is cancelled', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const payment = fixture.payment(orderId);
    expect(await payment.try()).toMatchObject({ status: 425 });
    await done(fixture.creation(orderId), 'cancel');
    expect(await payment.try()).toEqual(refusal('the order was cancelled'));
  });
});

describe('the same payment once more, of an order that it has paid, when the fence has forgotten it', () => {
  test('is tried and confirmed, and nothing changes', async () => {
    const { orderId, payment } = await fixture.paid();
    const before = await fixture.seen(orderId);
    await fixture.forget(payment);
    expect(await payment.try()).toMatchObject(TRIED);
    expect(await payment.confirm()).toMatchObject(CONFIRMED);
    expect(await fixture.seen(orderId)).toEqual(before);
  });

  test.each(['PAID', 'SHIPPED', 'RECEIVED'] as const)(
    'is not cancelled while the order is %s, for a refund would follow',
    async (status) => {
      const { orderId, payment } = await fixture.paid();
      if (status !== 'PAID') await fixture.sent(orderId, status);
      const before = await fixture.seen(orderId);
      expect(before.row).toMatchObject({ status, payment_id: payment.paymentId });
      await fixture.forget(payment);
      const later = { status: 425, detail: expect.stringMatching(/^the order is paid by this payment/) };
      expect(await payment.cancel()).toMatchObject({ ...later, state: 'None' });
      expect(await payment.try()).toMatchObject(TRIED);
      expect(await payment.cancel()).toMatchObject({ ...later, state: 'Tried' });
      expect(await fixture.seen(orderId)).toEqual(before);
      await done(payment, 'confirm');
    },
  );
});

describe('a cancel that comes before the try', () => {
  test('undoes nothing, and the late try takes nothing', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    expect(await payment.cancel()).toMatchObject(CANCELLED);
    expect(await payment.try()).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
    expect(await fixture.history(orderId)).toEqual(PLACED);
  });

  test('leaves an order alone that another payment holds', async () => {
    const orderId = await fixture.placed();
    const holder = fixture.payment(orderId);
    await done(holder, 'try');
    await done(fixture.payment(orderId), 'cancel');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PAYING', held_by: holder.transaction });
  });
});

describe('the creation in the outbox', () => {
  async function announced() {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await fixture.announce(orderId, payment);
    expect(await fixture.outbox(orderId)).toMatchObject([{ transaction: payment.transaction, flow: 'pay-order' }]);
    return { orderId, payment };
  }

  test.each([
    ['confirm', ['try'], 'confirm'],
    ['cancel', ['try'], 'cancel'],
    ['cancel without a try', [], 'cancel'],
  ] as const)('stays until the %s and goes with it', async (_, first, last) => {
    const { orderId, payment } = await announced();
    await done(payment, ...first);
    expect(await fixture.outbox(orderId)).toHaveLength(1);
    await done(payment, last);
    expect(await fixture.outbox(orderId)).toEqual([]);
  });

  test('goes with the cancel of a try that was refused', async () => {
    const { orderId, payment } = await announced();
    await done(fixture.payment(orderId), 'try');
    expect(await payment.try()).toMatchObject({ status: 409, state: 'Refused' });
    expect(await fixture.outbox(orderId)).toHaveLength(1);
    await done(payment, 'cancel');
    expect(await fixture.outbox(orderId)).toEqual([]);
  });
});

describe('a confirm that finds the order in other hands than its try left it', () => {
  test.each(['confirm', 'cancel'] as const)(
    'is no success: the %s is answered 5xx until a person has looked',
    async (operation) => {
      const orderId = await fixture.placed();
      const payment = fixture.payment(orderId);
      await done(payment, 'try');
      await fixture.service.database.query(
        `update orders set status = 'PENDING_PAYMENT', held_by = null where order_id = $1`,
        [orderId],
      );
      expect(await payment[operation]()).toMatchObject({ status: 500, state: null });
      expect(await fixture.fenceState(payment.transaction)).toBe('Tried');
      expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', ...NOBODY });
    },
  );
});

/** `payment.succeeded` through the real stream: what is begun, and what the payment service is told. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { placeOrder, TEAPOTS } from '../../../../tests/services/order-client.ts';
import type { KnownPayment } from '../payments/payment-lookup.ts';
import { done, OrderFixture, TOTAL_CENTS, type PaymentSteps } from '../../testing/order-fixture.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('paid');
}, 30_000);
afterAll(() => fixture.close());

const idOf = (paymentId: string): string => `payment/payment.succeeded/${paymentId}`;

/** As the payment service tells it. */
const tell = (
  orderId: string,
  { paymentId }: PaymentSteps,
  more: { readonly amountCents?: number; readonly id?: string; readonly traceparent?: string } = {},
) => {
  const { amountCents = TOTAL_CENTS, id = idOf(paymentId), ...trace } = more;
  return fixture.announce(orderId, { paymentId, amountCents }, { id, ...trace });
};
const delivered = ({ paymentId }: PaymentSteps) => ({ id: idOf(paymentId), consumer: 'order', result: 'delivered' });

async function inboxRows(id: string): Promise<number> {
  const { rowCount } = await fixture.service.database.query('select from ordertx_inbox where id = $1', [id]);
  return rowCount ?? 0;
}

/** Every pay-order transaction of this order that the outbox still holds. */
async function begun(orderId: string): Promise<readonly string[]> {
  return (await fixture.outbox(orderId)).map(({ transaction }) => transaction);
}

describe('of an order that waits for its payment', () => {
  test('makes its pay-order transaction, with all that its participants need to know', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    expect(await tell(orderId, payment, { traceparent: TRACEPARENT })).toEqual(delivered(payment));
    const { spec, metadata } = await fixture.transactionSoon(`pay-${payment.paymentId}`);
    expect(spec).toMatchObject({ flow: 'pay-order', orderId });
    const { paymentId } = payment;
    expect(spec.payload).toEqual({
      ...{ orderId, ...TEAPOTS, totalCents: TOTAL_CENTS, paymentId, amountCents: TOTAL_CENTS },
    });
    expect(metadata.annotations).toEqual({ 'ordertx.dev/traceparent': TRACEPARENT });
    expect(await fixture.status(orderId)).toBe('PENDING_PAYMENT');
  });

  test('gives it a trace of its own where the message has none', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await tell(orderId, payment);
    const { metadata } = await fixture.transactionSoon(`pay-${payment.paymentId}`);
    expect(metadata.annotations?.['ordertx.dev/traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test('says what was captured, also when that is not what the order costs', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    expect(await tell(orderId, payment, { amountCents: 1 })).toEqual(delivered(payment));
    const { spec } = await fixture.transactionSoon(`pay-${payment.paymentId}`);
    expect(spec.payload).toMatchObject({ totalCents: TOTAL_CENTS, amountCents: 1 });
  });

  test('makes one for each of two payments', async () => {
    const orderId = await fixture.placed();
    const payments = [fixture.payment(orderId), fixture.payment(orderId)];
    for (const payment of payments) expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect((await begun(orderId)).toSorted()).toEqual(payments.map(({ transaction }) => transaction).toSorted());
  });
});

describe('that comes again', () => {
  test('many times at once makes one transaction, and every copy has its receipt', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    const receipts = await Promise.all(Array.from({ length: 10 }, () => tell(orderId, payment)));
    expect(receipts).toEqual(receipts.map(() => delivered(payment)));
    expect(await begun(orderId)).toEqual([payment.transaction]);
  });

  test('while the transaction is under way changes nothing, also when the inbox has forgotten it', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await tell(orderId, payment);
    await done(payment, 'try');
    await fixture.forgetMessage(idOf(payment.paymentId));
    const before = [await fixture.outbox(orderId), await fixture.seen(orderId)];
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect([await fixture.outbox(orderId), await fixture.seen(orderId)]).toEqual(before);
  });

  test.each([
    ['confirmed', ['try', 'confirm']],
    ['cancelled', ['try', 'cancel']],
    ['cancelled without a try', ['cancel']],
  ] as const)(
    'begins nothing anew after the branch here was %s, though the inbox has forgotten it',
    async (_, steps) => {
      const orderId = await fixture.placed();
      const payment = fixture.payment(orderId);
      await tell(orderId, payment);
      await done(payment, ...steps);
      await fixture.forgetMessage(idOf(payment.paymentId));
      const before = await fixture.seen(orderId);
      expect(await tell(orderId, payment)).toEqual(delivered(payment));
      expect(await begun(orderId)).toEqual([]);
      expect(await fixture.seen(orderId)).toEqual(before);
    },
  );

  test('begins nothing anew for the payment that has paid the order, when inbox and fence have forgotten it', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await tell(orderId, payment);
    await done(payment, 'try', 'confirm');
    await fixture.forgetMessage(idOf(payment.paymentId));
    await fixture.forget(payment);
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await begun(orderId)).toEqual([]);
  });
});

describe('of an order that is still INIT', () => {
  test('has no receipt before its creation has ended, and is handled when it comes again', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const payment = fixture.payment(orderId);
    expect(await tell(orderId, payment)).toBeUndefined();
    await done(fixture.creation(orderId), 'try');
    expect(await tell(orderId, payment)).toBeUndefined();
    expect(await inboxRows(idOf(payment.paymentId))).toBe(0);
    expect(await begun(orderId)).toEqual([fixture.creation(orderId).transaction]);
    await done(fixture.creation(orderId), 'confirm');
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await begun(orderId)).toEqual([payment.transaction]);
  });

  test('is handled when it comes again though the creation was cancelled: so it is refunded', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const payment = fixture.payment(orderId);
    expect(await tell(orderId, payment)).toBeUndefined();
    await done(fixture.creation(orderId), 'cancel');
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await payment.try()).toMatchObject({ status: 409, detail: 'the order was cancelled' });
  });
});

test.each(['CANCELLED', 'CLOSED', 'CLOSING', 'PAYING', 'PAID', 'SHIPPED', 'RECEIVED'] as const)(
  'of an order that is %s makes its transaction all the same, whose try refuses: so it is refunded',
  async (status) => {
    const orderId = await fixture.orderIn(status);
    const payment = fixture.payment(orderId);
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await fixture.transactionSoon(`pay-${payment.paymentId}`)).toMatchObject({ spec: { flow: 'pay-order' } });
    expect(await payment.try()).toMatchObject({ status: 409, state: 'Refused', code: 'refused' });
    await done(payment, 'cancel');
    expect(await fixture.status(orderId)).toBe(status);
    expect(await begun(orderId)).toEqual([]);
  },
);

describe('is believed only after the payment service was asked:', () => {
  interface Forged {
    readonly known: Partial<KnownPayment> | undefined;
    readonly words: string;
  }
  test.each<[string, Forged]>([
    ['of a payment that it does not know', { known: undefined, words: 'knows no such payment' }],
    [
      'of one that it has not captured',
      { known: { status: 'PENDING', capturedCents: null }, words: 'has not heard that the payment was captured' },
    ],
    [
      'of another order’s payment',
      { known: { orderId: 'another', capturedCents: TOTAL_CENTS }, words: 'knows no such payment of the order' },
    ],
    ['of another amount', { known: { capturedCents: 1 }, words: 'knows of 1 cents, and here it is 2500' }],
  ])('%s it is refused in words, and begins nothing', async (_, { known, words }) => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    const { paymentId } = payment;
    if (known !== undefined)
      fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS, ...known });
    const data = { paymentId, orderId, amountCents: TOTAL_CENTS };
    const forged = { type: 'payment.succeeded', data, id: idOf(paymentId) };
    expect(await fixture.deliver(forged)).toMatchObject({ result: 'refused', reason: expect.stringContaining(words) });
    expect([await begun(orderId), await inboxRows(idOf(paymentId))]).toEqual([[], 0]);
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await begun(orderId)).toEqual([payment.transaction]);
  });

  test('of one whose money is on its way back it begins nothing, and is told no more', async () => {
    const orderId = await fixture.placed();
    const { paymentId } = fixture.payment(orderId);
    fixture.payments.know({ paymentId, orderId, status: 'REFUNDING', capturedCents: TOTAL_CENTS });
    const data = { paymentId, orderId, amountCents: TOTAL_CENTS };
    const receipt = await fixture.deliver({ type: 'payment.succeeded', data, id: idOf(paymentId) });
    expect(receipt).toMatchObject({ result: 'delivered', reason: expect.stringContaining('REFUNDING') });
    expect(await begun(orderId)).toEqual([]);
  });

  test('while nobody answers it has no receipt, and is handled when it comes again', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    fixture.payments.away(true);
    expect(await tell(orderId, payment)).toBeUndefined();
    expect(await begun(orderId)).toEqual([]);
    fixture.payments.away(false);
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await begun(orderId)).toEqual([payment.transaction]);
    fixture.payments.away(true);
    // What was handled is answered without asking anybody.
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    fixture.payments.away(false);
  });
});

describe('of a payment whose transaction was cancelled before', () => {
  test('it is refused, and stays in view until the money goes back, where this service never asked for the transaction', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await done(payment, 'cancel');
    const refused = { ...delivered(payment), result: 'refused', reason: expect.stringContaining('refund --payment') };
    expect(await tell(orderId, payment)).toEqual(refused);
    expect(await tell(orderId, payment)).toEqual(refused);
    expect([await begun(orderId), await inboxRows(idOf(payment.paymentId))]).toEqual([[], 0]);
    const { paymentId } = payment;
    fixture.payments.know({ paymentId, orderId, status: 'REFUNDING', capturedCents: TOTAL_CENTS });
    const data = { paymentId, orderId, amountCents: TOTAL_CENTS };
    const receipt = await fixture.deliver({ type: 'payment.succeeded', data, id: idOf(paymentId) });
    expect(receipt).toMatchObject({ result: 'delivered', reason: expect.stringContaining('REFUNDING') });
  });

  test('it is done with where this service had asked for it: that transaction gives the money back', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    await tell(orderId, payment);
    await done(payment, 'cancel');
    await fixture.forgetMessage(idOf(payment.paymentId));
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
    expect(await begun(orderId)).toEqual([]);
  });
});

describe('is refused, in words,', () => {
  test('of an order that nobody placed, and judged afresh when it comes again', async () => {
    const orderId = fixture.newId();
    const payment = fixture.payment(orderId);
    const refused = { ...delivered(payment), result: 'refused', reason: `there is no order ${orderId}` };
    expect(await tell(orderId, payment)).toEqual(refused);
    expect(await tell(orderId, payment)).toEqual(refused);
    expect(await inboxRows(idOf(payment.paymentId))).toBe(0);
    await done(fixture.creation(orderId), 'try', 'confirm');
    expect(await tell(orderId, payment)).toEqual(delivered(payment));
  });

  test.each([
    ['paymentId', { paymentId: 'Not An Id' }],
    ['amountCents', { amountCents: -1 }],
    ['currency', { currency: 'EUR' }],
  ])('when its data is not what it should be: %s', async (field, wrong) => {
    const orderId = await fixture.placed();
    const { paymentId } = fixture.payment(orderId);
    const data = { paymentId, orderId, amountCents: TOTAL_CENTS, ...wrong };
    const receipt = await fixture.deliver({ type: 'payment.succeeded', data, id: idOf(paymentId) });
    expect(receipt).toMatchObject({ result: 'refused', reason: expect.stringContaining(field) });
    expect(await begun(orderId)).toEqual([]);
  });
});

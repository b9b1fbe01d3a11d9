/** What a person is told to do about an order whose services disagree. */
import { expect, test } from '@jest/globals';
import type { Books, OrderEntry, PaymentEntry, ReservationEntry } from './books.ts';
import { nextStep } from './next-step.ts';
import { booksOf, newDraft } from './rows.ts';

const ALL = { order: '', inventory: '', payment: '', dispatch: '', wms: '', member: '', notification: '' };
const PAYMENT: PaymentEntry = {
  orderId: 'o1',
  status: 'SUCCEEDED',
  capturedCents: 900,
  refundedCents: null,
  surplus: [],
  refundsWaiting: 0,
};
const KEPT = ['shop/create-o1', 'shop/pay-p1'];

function books(status: string, stock?: string, payments: Readonly<Record<string, PaymentEntry>> = {}): Books {
  const paymentId = ['PAID', 'SHIPPED', 'RECEIVED'].includes(status) ? 'p1' : null;
  const order: OrderEntry = { status, userId: 'u1', totalCents: 900, paymentId, wanted: new Map() };
  const reservation: ReservationEntry = { state: stock ?? '', held: new Map(), markedBy: null };
  const draft = newDraft();
  if (status !== '') draft.orders.set('o1', order);
  if (stock !== undefined) draft.reservations.set('o1', reservation);
  for (const [paymentId, payment] of Object.entries(payments)) draft.payments.set(paymentId, payment);
  return booksOf(draft, ALL);
}

test.each([
  ['inventory never heard of it', books('PENDING_PAYMENT')],
  ['inventory has tried and not confirmed', books('PENDING_PAYMENT', 'TRIED')],
  ['inventory has not sold what is paid', books('PAID', 'FROZEN', { p1: PAYMENT })],
  ['inventory has not returned what is closed', books('CLOSED', 'FROZEN')],
  ['its followers are behind', books('SHIPPED', 'SOLD', { p1: PAYMENT })],
  ['a payment it has let go was not given back', books('PENDING_PAYMENT', 'FROZEN', { p1: PAYMENT })],
])('%s: its creations are made again', (_what, each) => {
  expect(nextStep('o1', each, KEPT)).toEqual({ kind: 'again' });
});

test.each([
  ['the order service does not know the order', books('', 'FROZEN')],
  ['the order service is behind inventory', books('PENDING_PAYMENT', 'SOLD', { p1: PAYMENT })],
  ['the order service is behind inventory', books('CLOSING', 'RETURNED')],
  ['the payment service does not know the payment', books('PAID', 'SOLD')],
  [
    'the payment service has not captured the payment: have the provider repeat its call',
    books('PAID', 'SOLD', { p1: { ...PAYMENT, status: 'PENDING', capturedCents: null } }),
  ],
  ['the order service has not heard of payment p2', books('PENDING_PAYMENT', 'FROZEN', { p2: PAYMENT })],
])('%s: that is for a person', (why, each) => {
  expect(nextStep('o1', each, KEPT)).toEqual({ kind: 'by-hand', why });
});

test('what is not kept any more cannot be made again', () => {
  const why = 'no creation of the order is kept any more';
  expect(nextStep('o1', books('PENDING_PAYMENT'), [])).toEqual({ kind: 'by-hand', why });
});

/**
 * Books of a healthy shop of all services, and ways to break them, one invariant at a time.
 */
import type { Books } from '../../services/reconcile/src/books.ts';

const WANTED = new Map([['tea', 2]]);

/** Captured once at most. */
const ALONE = { surplus: [], refundsWaiting: 0 };
/** Captured a second time, which was given back. */
const TWICE = { surplus: [{ captureId: 'c2', cents: 40, refundedCents: 40 }], refundsWaiting: 0 };

export const HEALTHY_BOOKS: Books = {
  orders: new Map([
    ['pending', { status: 'PENDING_PAYMENT', userId: 'u1', totalCents: 2_550, paymentId: null, wanted: WANTED }],
    ['paid', { status: 'PAID', userId: 'u1', totalCents: 2_550, paymentId: 'p1', wanted: WANTED }],
    ['shipped', { status: 'SHIPPED', userId: 'u2', totalCents: 2_550, paymentId: 'p2', wanted: WANTED }],
    ['closed', { status: 'CLOSED', userId: 'u2', totalCents: 2_550, paymentId: null, wanted: WANTED }],
  ]),
  creations: [],
  stock: new Map([['tea', { stocked: 10, sellable: 4, frozen: 2, sold: 4 }]]),
  reservations: new Map([
    ['pending', { state: 'FROZEN', held: WANTED, markedBy: null }],
    ['paid', { state: 'SOLD', held: WANTED, markedBy: null }],
    ['shipped', { state: 'SOLD', held: WANTED, markedBy: null }],
    ['closed', { state: 'RETURNED', held: WANTED, markedBy: null }],
  ]),
  payments: new Map([
    ['p1', { ...ALONE, orderId: 'paid', status: 'SUCCEEDED', capturedCents: 2_550, refundedCents: null }],
    ['p2', { ...TWICE, orderId: 'shipped', status: 'SUCCEEDED', capturedCents: 2_550, refundedCents: null }],
    ['p3', { ...ALONE, orderId: 'closed', status: 'REFUNDED', capturedCents: 2_550, refundedCents: 2_550 }],
    ['p4', { ...ALONE, orderId: 'pending', status: 'PENDING', capturedCents: null, refundedCents: null }],
  ]),
  dispatches: new Map([
    ...[['pending', 'LOCKED'] as const, ['paid', 'SCHEDULED'] as const],
    ...[['shipped', 'SCHEDULED'] as const, ['closed', 'RELEASED'] as const],
  ]),
  shipments: new Map([
    ...[['pending', 'LOCKED'] as const, ['paid', 'OUTBOUND'] as const],
    ...[['shipped', 'SHIPPED'] as const, ['closed', 'RELEASED'] as const],
  ]),
  grants: new Map([
    ['paid', { paymentId: 'p1', userId: 'u1', points: 25, growth: 25 }],
    ['shipped', { paymentId: 'p2', userId: 'u2', points: 25, growth: 25 }],
  ]),
  notifications: new Map([['n1', { orderId: 'paid', outcomes: ['failed', 'sent'] }]]),
  outboxes: [],
  transactions: [transaction('pay-p1', 'pay-order', 'paid', { paymentId: 'p1' }, 'Confirm')],
};

function transaction(
  name: string,
  flow: string,
  orderId: string,
  payload: Readonly<Record<string, unknown>>,
  decision: 'Confirm' | 'Cancel',
): Books['transactions'][number] {
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name, namespace: 'shop' } },
    spec: { flow, orderId, payload, suspend: false, cancelRequested: false },
    status: { phase: decision === 'Confirm' ? 'Succeeded' : 'Cancelled', decision },
  };
}

export interface BrokenBooks {
  readonly invariant: string;
  readonly how: string;
  readonly ids: readonly string[];
  /** What is otherwise than in the healthy books. */
  readonly change: Partial<Books>;
}

/** The map with one entry changed, or taken out. */
function withEntry<V>(
  map: ReadonlyMap<string, V> | undefined,
  key: string,
  value: V | undefined,
): ReadonlyMap<string, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

const { payments, dispatches, shipments, grants, notifications, reservations } = HEALTHY_BOOKS;
const REST = 'everything has come to rest';
const ENDS = 'a confirmed payment or close is what became of the order';
const APPLIED = 'every captured payment is applied or refunded, never both';
const SURPLUS = 'every further capture of a payment is given back';
const PAID = 'a paid order is paid by one captured payment of its amount';
const POINTS = 'points are granted once per paid order';
const STATES = 'dispatch and wms hold exactly one lock or outbound per live order';

const succeeded = { ...ALONE, orderId: 'paid', status: 'SUCCEEDED', capturedCents: 2_550, refundedCents: null };
const refunded = { ...ALONE, orderId: 'closed', status: 'REFUNDED', capturedCents: 2_550, refundedCents: 2_550 };
const grant = { paymentId: 'p1', userId: 'u1', points: 25, growth: 25 };

export const BROKEN_BOOKS: readonly BrokenBooks[] = [
  {
    ...{ invariant: REST, how: 'stock stays marked', ids: ['pending'] },
    change: { reservations: withEntry(reservations, 'pending', { state: 'FROZEN', held: WANTED, markedBy: 'shop/x' }) },
  },
  {
    ...{ invariant: REST, how: 'a message was refused', ids: ['m1'] },
    change: { outboxes: [{ service: 'wms', id: 'm1', refusedReason: 'order: no' }] },
  },
  {
    ...{ invariant: REST, how: 'the provider has not taken a refund', ids: ['p3', 'closed'] },
    change: { payments: withEntry(payments, 'p3', { ...refunded, status: 'REFUNDING', refundsWaiting: 1 }) },
  },
  {
    ...{ invariant: SURPLUS, how: 'a second capture is kept', ids: ['p1', 'paid'] },
    change: {
      payments: withEntry(payments, 'p1', {
        ...{ ...succeeded, surplus: [{ captureId: 'c2', cents: 40, refundedCents: null }] },
      }),
    },
  },
  {
    ...{ invariant: SURPLUS, how: 'another amount of a second capture is given back', ids: ['p1', 'paid'] },
    change: {
      payments: withEntry(payments, 'p1', {
        ...{ ...succeeded, surplus: [{ captureId: 'c2', cents: 40, refundedCents: 2_550 }] },
      }),
    },
  },
  {
    ...{ invariant: ENDS, how: 'a cancelled payment has paid its order', ids: ['paid', 'pay-p1'] },
    change: { transactions: [transaction('pay-p1', 'pay-order', 'paid', { paymentId: 'p1' }, 'Cancel')] },
  },
  {
    ...{ invariant: ENDS, how: 'a confirmed payment has paid nothing', ids: ['pending', 'pay-p4'] },
    change: { transactions: [transaction('pay-p4', 'pay-order', 'pending', { paymentId: 'p4' }, 'Confirm')] },
  },
  {
    ...{ invariant: ENDS, how: 'a confirmed close left its order open', ids: ['pending', 'close-pending-1'] },
    change: { transactions: [transaction('close-pending-1', 'close-order', 'pending', {}, 'Confirm')] },
  },
  {
    ...{ invariant: APPLIED, how: 'a payment is applied and refunded', ids: ['p1', 'paid'] },
    change: { payments: withEntry(payments, 'p1', { ...succeeded, status: 'REFUNDED', refundedCents: 2_550 }) },
  },
  {
    ...{ invariant: APPLIED, how: 'a payment is neither', ids: ['p3', 'closed'] },
    change: { payments: withEntry(payments, 'p3', { ...refunded, status: 'SUCCEEDED', refundedCents: null }) },
  },
  {
    ...{ invariant: APPLIED, how: 'another amount is refunded', ids: ['p3', 'closed'] },
    change: { payments: withEntry(payments, 'p3', { ...refunded, refundedCents: 1 }) },
  },
  {
    ...{ invariant: PAID, how: 'a payment is of another amount', ids: ['paid', 'p1'] },
    change: { payments: withEntry(payments, 'p1', { ...succeeded, capturedCents: 1 }) },
  },
  {
    ...{ invariant: PAID, how: 'a payment is not there', ids: ['paid', 'p1'] },
    change: { payments: withEntry(payments, 'p1', undefined) },
  },
  {
    ...{ invariant: POINTS, how: 'points are missing', ids: ['paid'] },
    change: { grants: withEntry(grants, 'paid', undefined) },
  },
  {
    ...{ invariant: POINTS, how: 'points are granted for an order nobody paid', ids: ['closed'] },
    change: { grants: withEntry(grants, 'closed', grant) },
  },
  {
    ...{ invariant: POINTS, how: 'points are granted twice over', ids: ['paid'] },
    change: { grants: withEntry(grants, 'paid', { ...grant, points: 50 }) },
  },
  {
    ...{ invariant: POINTS, how: 'somebody else has the points', ids: ['paid'] },
    change: { grants: withEntry(grants, 'paid', { ...grant, userId: 'u9' }) },
  },
  {
    ...{ invariant: STATES, how: 'dispatch has never heard of an order', ids: ['pending'] },
    change: { dispatches: withEntry(dispatches, 'pending', undefined) },
  },
  {
    ...{ invariant: STATES, how: 'the warehouse holds a closed order', ids: ['closed'] },
    change: { shipments: withEntry(shipments, 'closed', 'LOCKED') },
  },
  {
    ...{ invariant: STATES, how: 'the warehouse has shipped what the order service calls PAID', ids: ['paid'] },
    change: { shipments: withEntry(shipments, 'paid', 'SHIPPED') },
  },
  {
    ...{ invariant: 'no customer is told the same thing twice', how: 'a notice is sent twice', ids: ['paid', 'n1'] },
    change: { notifications: withEntry(notifications, 'n1', { orderId: 'paid', outcomes: ['sent', 'sent'] }) },
  },
];

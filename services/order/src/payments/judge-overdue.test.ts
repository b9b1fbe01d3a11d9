/** Whether an order whose time to pay is over is closed, held off or paid. */
import { expect, test } from '@jest/globals';
import { judgeOverdue, type Overdue } from './judge-overdue.ts';
import type { KnownPayment } from './payment-lookup.ts';

const GRACE_SECONDS = 120;
const OVERDUE: Overdue = { withdrawn: false, closes: 0, overdueSeconds: 1, payments: [] };
const payment = (status: string, paymentId = 'p1'): KnownPayment => ({
  ...{ paymentId, orderId: 'o1', status },
  capturedCents: status === 'PENDING' ? null : 900,
});

test.each<[string, Partial<Overdue>, string]>([
  ['without a payment', {}, 'close'],
  ['whose payments went back', { payments: [payment('REFUNDED'), payment('REFUNDING')] }, 'close'],
  ['with an open payment, within the grace', { payments: [payment('PENDING')] }, 'hold'],
  ['with an open payment, after the grace', { payments: [payment('PENDING')], overdueSeconds: 120 }, 'close'],
  ['with an open payment, after a close that failed', { payments: [payment('PENDING')], closes: 1 }, 'close'],
  ['with an open payment, withdrawn', { payments: [payment('PENDING')], withdrawn: true }, 'close'],
  ['nobody can say anything of, within the grace', { payments: undefined }, 'hold'],
  ['nobody can say anything of, after the grace', { payments: undefined, overdueSeconds: 121 }, 'close'],
  ['nobody can say anything of, withdrawn', { payments: undefined, withdrawn: true }, 'close'],
  ['with a captured payment', { payments: [payment('SUCCEEDED')] }, 'pay'],
  ['with a captured payment, long after the grace', { payments: [payment('SUCCEEDED')], overdueSeconds: 9_000 }, 'pay'],
  ['with a captured payment, withdrawn', { payments: [payment('SUCCEEDED')], withdrawn: true, closes: 3 }, 'pay'],
])('an order %s: %s', (_, changes, kind) => {
  expect(judgeOverdue({ ...OVERDUE, ...changes }, GRACE_SECONDS).kind).toBe(kind);
});

test('all that was captured is applied, and nothing else', () => {
  const payments = [
    payment('PENDING', 'p1'),
    payment('SUCCEEDED', 'p2'),
    payment('REFUNDED', 'p3'),
    payment('SUCCEEDED', 'p4'),
  ];
  expect(judgeOverdue({ ...OVERDUE, payments }, GRACE_SECONDS)).toEqual({
    kind: 'pay',
    captured: [
      { paymentId: 'p2', amountCents: 900 },
      { paymentId: 'p4', amountCents: 900 },
    ],
  });
});

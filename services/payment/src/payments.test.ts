/** What is judged about a payment before anything is changed. */
import { describe, expect, test } from '@jest/globals';
import { judgeCapture, judgeRefund, type Payment } from './payments.ts';

const ASKED = { paymentId: 'p1', orderId: 'o1', namespace: 'shop', amountCents: 900 };
const PENDING: Payment = { ...ASKED, status: 'PENDING', capturedCents: null };
const SUCCEEDED: Payment = { ...ASKED, status: 'SUCCEEDED', capturedCents: 900 };
const REFUNDED: Payment = { ...ASKED, status: 'REFUNDED', capturedCents: 900 };

describe('capturing', () => {
  test('takes the amount asked for, or the one the provider names', () => {
    expect(judgeCapture(PENDING, undefined)).toEqual({ kind: 'capture', cents: 900 });
    expect(judgeCapture(PENDING, 850)).toEqual({ kind: 'capture', cents: 850 });
    expect(judgeCapture(PENDING, 0)).toEqual({ kind: 'capture', cents: 0 });
  });

  test.each([SUCCEEDED, REFUNDED])('again is done already when $status, unless another amount is named', (payment) => {
    expect(judgeCapture(payment, undefined)).toEqual({ kind: 'done' });
    expect(judgeCapture(payment, 900)).toEqual({ kind: 'done' });
    expect(judgeCapture(payment, 901)).toMatchObject({ kind: 'refused', detail: expect.stringContaining('901') });
  });

  test('again without an amount is done also where another amount than the one asked for was captured', () => {
    const partly: Payment = { ...ASKED, status: 'SUCCEEDED', capturedCents: 850 };
    expect(judgeCapture(partly, undefined)).toEqual({ kind: 'done' });
    expect(judgeCapture(partly, 900)).toMatchObject({ kind: 'refused' });
  });
});

describe('refunding', () => {
  test('happens to what was captured, once', () => {
    expect(judgeRefund(SUCCEEDED, ASKED)).toEqual({ kind: 'refund' });
    expect(judgeRefund(REFUNDED, ASKED)).toEqual({ kind: 'done' });
  });

  test.each<[string, Payment | undefined, Partial<typeof ASKED>, string]>([
    ['of an unknown payment', undefined, {}, 'there is no such payment'],
    ['of what was never captured', PENDING, {}, 'never captured'],
    ['for another order', SUCCEEDED, { orderId: 'o2' }, 'is of another order'],
    ['of another amount', SUCCEEDED, { amountCents: 901 }, '900 cents were captured, and 901'],
    ['of another amount than was refunded', REFUNDED, { amountCents: 901 }, '901'],
  ])('%s is refused in words', (_, payment, changes, words) => {
    const verdict = judgeRefund(payment, { ...ASKED, ...changes });
    expect(verdict).toMatchObject({ kind: 'refused', detail: expect.stringContaining(words) });
  });
});

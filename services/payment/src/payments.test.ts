/** What is judged about a payment before anything is changed. */
import { describe, expect, test } from '@jest/globals';
import { judgeCapture, judgeRefund, type Payment } from './payments.ts';

const ASKED = { paymentId: 'p1', orderId: 'o1', namespace: 'shop', amountCents: 900 };
const PENDING: Payment = { ...ASKED, status: 'PENDING', capturedCents: null };
const SUCCEEDED: Payment = { ...ASKED, status: 'SUCCEEDED', capturedCents: 900 };
const REFUNDING: Payment = { ...ASKED, status: 'REFUNDING', capturedCents: 900 };
const REFUNDED: Payment = { ...ASKED, status: 'REFUNDED', capturedCents: 900 };

/** A call without a capture id. */
const unnamed = (payment: Payment, cents?: number) => judgeCapture(payment, { captureId: undefined, cents }, undefined);

describe('capturing', () => {
  test('takes the amount asked for, or the one the provider names', () => {
    expect(unnamed(PENDING)).toEqual({ kind: 'capture', cents: 900 });
    expect(unnamed(PENDING, 850)).toEqual({ kind: 'capture', cents: 850 });
    expect(unnamed(PENDING, 0)).toEqual({ kind: 'capture', cents: 0 });
  });

  test.each([SUCCEEDED, REFUNDING, REFUNDED])(
    'again is done already when $status, unless another amount is named',
    (payment) => {
      expect(unnamed(payment)).toEqual({ kind: 'done' });
      expect(unnamed(payment, 900)).toEqual({ kind: 'done' });
      expect(unnamed(payment, 901)).toMatchObject({ kind: 'refused', detail: expect.stringContaining('901') });
    },
  );

  test('again without an amount is done also where another amount than the one asked for was captured', () => {
    const partly: Payment = { ...ASKED, status: 'SUCCEEDED', capturedCents: 850 };
    expect(unnamed(partly)).toEqual({ kind: 'done' });
    expect(unnamed(partly, 900)).toMatchObject({ kind: 'refused' });
  });

  test('under an id captures what is PENDING, like any other', () => {
    expect(judgeCapture(PENDING, { captureId: 'c1', cents: 850 }, undefined)).toEqual({ kind: 'capture', cents: 850 });
  });

  test.each([SUCCEEDED, REFUNDING, REFUNDED])(
    'under an id that is new is more money when $status, of any amount',
    (payment) => {
      for (const cents of [900, 1, undefined])
        expect(judgeCapture(payment, { captureId: 'c2', cents }, undefined)).toEqual({
          ...{ kind: 'surplus', captureId: 'c2', cents: cents ?? 900 },
        });
    },
  );

  test.each([SUCCEEDED, REFUNDING, REFUNDED])(
    'under an id that is known is done already when $status, unless another amount is named',
    (payment) => {
      expect(judgeCapture(payment, { captureId: 'c2', cents: undefined }, 40)).toEqual({ kind: 'done' });
      expect(judgeCapture(payment, { captureId: 'c2', cents: 40 }, 40)).toEqual({ kind: 'done' });
      expect(judgeCapture(payment, { captureId: 'c2', cents: 900 }, 40)).toMatchObject({ kind: 'refused' });
    },
  );
});

describe('refunding', () => {
  test('happens to what was captured, once', () => {
    expect(judgeRefund(SUCCEEDED, ASKED)).toEqual({ kind: 'refund' });
    expect(judgeRefund(REFUNDING, ASKED)).toEqual({ kind: 'done' });
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

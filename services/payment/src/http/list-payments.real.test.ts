/** GET /order-payments?orderIds=, on a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

let payment: RunningPayment;
beforeAll(async () => {
  payment = await runPayment();
});
afterAll(() => payment.close());

test('all payments of the orders asked for are listed, with what was captured, and no others', async () => {
  const open = await payment.asked('o1', 900);
  const captured = await payment.asked('o2', 900);
  await payment.asked('o3', 900);
  await payment.post(`/payments/${captured}/pay`, JSON.stringify({ amountCents: 850 }));
  const { status, body } = await payment.get('/order-payments?orderIds=o1,o2,o-unknown');
  expect([status, body]).toEqual([
    200,
    [
      { paymentId: captured, orderId: 'o2', amountCents: 900, capturedCents: 850, status: 'SUCCEEDED' },
      { paymentId: open, orderId: 'o1', amountCents: 900, capturedCents: null, status: 'PENDING' },
    ],
  ]);
});

test('one payment is told of alone, and only where it is of the order', async () => {
  const [first, second] = [await payment.asked('o4', 900), await payment.asked('o5', 900)];
  expect((await payment.get(`/order-payments?orderIds=o4&paymentId=${first}`)).body).toMatchObject([
    { paymentId: first },
  ]);
  expect((await payment.get(`/order-payments?orderIds=o4&paymentId=${second}`)).body).toEqual([]);
});

test.each([
  ['none', ''],
  ['an id that is none', '?orderIds=o1,NONE'],
  ['too many', `?orderIds=${Array.from({ length: 51 }, (_, index) => `o${String(index)}`).join(',')}`],
])('%s is 400 and names the parameter', async (_, query) => {
  expect(await payment.get(`/order-payments${query}`)).toMatchObject({
    ...{ status: 400, body: { detail: expect.stringContaining('orderIds') } },
  });
});

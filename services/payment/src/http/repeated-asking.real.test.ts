/** POST /payments that a client repeats, with a key and without, one after another and at once; on a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

let payment: RunningPayment;
beforeAll(async () => {
  payment = await runPayment();
});
afterAll(() => payment.close());

function ask(orderId: string, key?: string) {
  payment.orders.know({ orderId, status: 'PENDING_PAYMENT', totalCents: 900 });
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
  return payment.post('/payments', JSON.stringify({ orderId }), headers);
}

async function countOf(orderId: string): Promise<number | null> {
  return (await payment.database.query('select from payments where order_id = $1', [orderId])).rowCount;
}

test('without a key the payment that is still PENDING is answered again, and after it a new one', async () => {
  const first = await ask('o1');
  expect(first.status).toBe(201);
  expect(await ask('o1')).toMatchObject({ status: 200, body: first.body });
  await payment.post(`/payments/${String(first.body.paymentId)}/pay`);
  const next = await ask('o1');
  expect(next.status).toBe(201);
  expect(next.body.paymentId).not.toBe(first.body.paymentId);
});

test('ten at once without a key are one payment', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask('o2')));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
  expect(await countOf('o2')).toBe(1);
});

test('the same key is the same payment, at once and whatever has become of it or the order; another key another one', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask('o3', key)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(await countOf('o3')).toBe(1);
  const paymentId = String(answers[0]?.body.paymentId);
  await payment.post(`/payments/${paymentId}/pay`);
  payment.orders.misbehave((response) => response.destroy());
  const again = await payment.post('/payments', JSON.stringify({ orderId: 'o3' }), { 'idempotency-key': key });
  expect(again).toMatchObject({ status: 201, body: { paymentId, status: 'SUCCEEDED' } });
  payment.orders.misbehave(undefined);
  expect((await ask('o3', randomUUID())).body.paymentId).not.toBe(paymentId);
});

test('the same key for another order is 422, and a key that is none 400', async () => {
  const key = randomUUID();
  await ask('o4', key);
  expect(await ask('o5', key)).toMatchObject({ status: 422, body: { code: 'other-body' } });
  expect(await countOf('o5')).toBe(0);
  for (const bad of ['two words', 'x'.repeat(256)])
    expect(await ask('o5', bad)).toMatchObject({
      ...{ status: 400, body: { detail: expect.stringContaining('Idempotency-Key') } },
    });
});

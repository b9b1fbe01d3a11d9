/** What is captured more often than asked for, and what goes back to the payment provider, by its webhook; on a real database. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { waitFor } from '../../../../local/deadline.ts';
import { MessageSender } from '../../../../tests/services/message-sender.ts';
import { payloadsOf } from '../../../../tests/services/running-consumers.ts';
import { answerWith, startWebhook, type LoopbackWebhook } from '../../../kit/testing/loopback-webhook.ts';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

const SECRET = 'what refunds are signed with';
const DEADLINE_MS = 20_000;

let webhook: LoopbackWebhook;
let payment: RunningPayment;
let sender: MessageSender;

beforeAll(async () => {
  webhook = await startWebhook();
  payment = await runPayment({ refunds: { url: webhook.url, secret: SECRET } });
  sender = new MessageSender(payment.redis, 'payment');
});
beforeEach(() => webhook.answers(answerWith(204)));
afterAll(async () => {
  await payment.close();
  await webhook.stop();
});

const capture = (paymentId: string, body: object = {}) =>
  payment.post(`/payments/${paymentId}/pay`, JSON.stringify(body));

async function refund(paymentId: string, orderId: string, amountCents = 900) {
  const data = { ...payloadsOf(orderId).paid, paymentId, amountCents };
  const [receipt] = await sender.publish({
    ...{ id: `shop/pay-${paymentId}/refund`, type: 'payment.refund', data, reason: 'Refused', detail: 'it is closed' },
  });
  expect(receipt).toMatchObject({ result: 'delivered' });
}

const statusOf = async (paymentId: string): Promise<unknown> =>
  (await payment.get(`/payments/${paymentId}`)).body.status;
const statusIs = (paymentId: string, status: string) =>
  waitFor(async () => (await statusOf(paymentId)) === status, {
    ...{ what: `${paymentId} to be ${status}`, deadlineMs: DEADLINE_MS, everyMs: 20 },
  });

/** The refund orders that came for this payment. */
const ordersFor = (paymentId: string) =>
  webhook.calls.filter(({ body }) => (JSON.parse(body) as { readonly paymentId: string }).paymentId === paymentId);
const untilOrdered = (paymentId: string, times = 1) =>
  waitFor(async () => ordersFor(paymentId).length >= times, {
    ...{ what: `${String(times)} orders for ${paymentId}`, deadlineMs: DEADLINE_MS, everyMs: 20 },
  });
const waitingRefunds = async (paymentId: string): Promise<number> =>
  (await payment.database.query(`select from refunds where payment_id = $1 and state = 'WAITING'`, [paymentId]))
    .rowCount ?? 0;

test('a refund is ordered from the provider, signed, with a key of its own, and counts once it was taken', async () => {
  const paymentId = await payment.asked('o1', 900);
  await capture(paymentId, { captureId: 'c-1', amountCents: 900 });
  await refund(paymentId, 'o1');
  await statusIs(paymentId, 'REFUNDED');
  const [order, ...others] = ordersFor(paymentId);
  expect(others).toEqual([]);
  const refundId = `refund/${paymentId}/c-1`;
  expect(JSON.parse(order?.body ?? '')).toEqual({
    ...{ refundId, paymentId, captureId: 'c-1', amountCents: 900, reason: 'it is closed' },
  });
  expect(order?.headers['idempotency-key']).toBe(refundId);
  const [, seconds = '', digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(order?.headers['refund-signature'])) ?? [];
  expect(digest).toBe(
    createHmac('sha256', SECRET)
      .update(`${seconds}.${refundId}.${order?.body ?? ''}`)
      .digest('hex'),
  );
  expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(60);
});

test('a refund that the provider does not take is REFUNDING, in view, and ordered again under the same key until it is', async () => {
  const paymentId = await payment.asked('o2', 900);
  await capture(paymentId);
  webhook.answers(answerWith(500));
  await refund(paymentId, 'o2');
  await untilOrdered(paymentId, 2);
  expect(await statusOf(paymentId)).toBe('REFUNDING');
  const metrics = await (await fetch(`${payment.url}/metrics`)).text();
  expect(metrics).toMatch(/ordertx_payment_refunds_waiting\{[^}]*\} 1/);
  expect(metrics).toMatch(/ordertx_payment_refunds_failing\{[^}]*\} 1/);
  expect(await capture(paymentId)).toMatchObject({ status: 200, body: { status: 'REFUNDING' } });
  webhook.answers(answerWith(204));
  await statusIs(paymentId, 'REFUNDED');
  expect(new Set(ordersFor(paymentId).map(({ headers }) => headers['idempotency-key']))).toEqual(
    new Set([`refund/${paymentId}`]),
  );
  const times = ordersFor(paymentId).length;
  await refund(paymentId, 'o2');
  // None waits either: it would be ordered only after this.
  expect(await waitingRefunds(paymentId)).toBe(0);
  expect(ordersFor(paymentId)).toHaveLength(times);
});

test.each([900, 1, 1_000_000])(
  'a second capture, of %i cents, is kept and goes back, and the first one stays',
  async (cents) => {
    const orderId = `o-twice-${String(cents)}`;
    const paymentId = await payment.asked(orderId, 900);
    await capture(paymentId, { captureId: 'first' });
    for (let times = 0; times < 3; times += 1)
      expect(await capture(paymentId, { captureId: 'second', amountCents: cents })).toMatchObject({
        ...{ status: 200, body: { status: 'SUCCEEDED', amountCents: 900 } },
      });
    await untilOrdered(paymentId);
    await waitFor(async () => (await waitingRefunds(paymentId)) === 0, {
      what: 'it to be taken',
      deadlineMs: DEADLINE_MS,
    });
    expect(ordersFor(paymentId).map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      expect.objectContaining({ captureId: 'second', amountCents: cents }),
    ]);
    expect(await statusOf(paymentId)).toBe('SUCCEEDED');
    const { rows } = await payment.database.query('select data from ordertx_outbox where subject = $1', [orderId]);
    expect(rows).toHaveLength(1);
    await refund(paymentId, orderId);
    await statusIs(paymentId, 'REFUNDED');
    expect(ordersFor(paymentId)).toHaveLength(2);
  },
);

test('a capture that comes after the refund goes back as well', async () => {
  const paymentId = await payment.asked('o-late', 900);
  await capture(paymentId, { captureId: 'first' });
  await refund(paymentId, 'o-late');
  await statusIs(paymentId, 'REFUNDED');
  expect(await capture(paymentId, { captureId: 'late' })).toMatchObject({ status: 200, body: { status: 'REFUNDED' } });
  await untilOrdered(paymentId, 2);
});

test('ten captures at the same moment: one captures the payment, and the others go back, each once', async () => {
  const paymentId = await payment.asked('o-many', 900);
  const ids = Array.from({ length: 10 }, (_, index) => `c-${String(index % 5)}`);
  const answers = await Promise.all(ids.map((captureId) => capture(paymentId, { captureId })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await untilOrdered(paymentId, 4);
  await waitFor(async () => (await waitingRefunds(paymentId)) === 0, {
    what: 'all to be taken',
    deadlineMs: DEADLINE_MS,
  });
  expect(new Set(ordersFor(paymentId).map(({ headers }) => headers['idempotency-key'])).size).toBe(4);
  expect(await statusOf(paymentId)).toBe('SUCCEEDED');
});

test('the same capture with another amount is refused, and so is a capture id that is none', async () => {
  const paymentId = await payment.asked('o-odd', 900);
  await capture(paymentId, { captureId: 'first' });
  expect(await capture(paymentId, { captureId: 'first', amountCents: 901 })).toMatchObject({
    ...{ status: 409, body: { code: 'other-amount' } },
  });
  for (const captureId of ['', ' ', 'x'.repeat(129), '/', 7])
    expect(await capture(paymentId, { captureId })).toMatchObject({
      ...{ status: 400, body: { detail: expect.stringContaining('captureId') } },
    });
});

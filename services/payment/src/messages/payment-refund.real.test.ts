/** `payment.refund`, through the real stream: what was captured goes back once, and nothing else does. */
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { MessageSender, type Published } from '../../../../tests/services/message-sender.ts';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { payloadsOf } from '../../../../tests/services/running-consumers.ts';
import { sendJson } from '../../testing/loopback-orders.ts';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

const DETAIL = 'the order is closed';

let payment: RunningPayment;
let sender: MessageSender;

beforeAll(async () => {
  payment = await runPayment();
  sender = new MessageSender(payment.redis, 'payment');
});
afterAll(() => payment.close());

async function captured(orderId: string, cents?: number): Promise<string> {
  const paymentId = await payment.asked(orderId, 900);
  const body = cents === undefined ? undefined : JSON.stringify({ amountCents: cents });
  await payment.post(`/payments/${paymentId}/pay`, body);
  return paymentId;
}

interface Refund {
  readonly paymentId: string;
  readonly orderId?: string;
  readonly amountCents?: number;
}
function refundOf({ paymentId, orderId = 'o1', amountCents = 900 }: Refund): Published {
  const data = { ...payloadsOf(orderId).paid, paymentId, amountCents };
  return { id: `shop/pay-${paymentId}/refund`, type: 'payment.refund', data, reason: 'Refused', detail: DETAIL };
}

async function refunds(paymentId: string): Promise<readonly unknown[]> {
  const { rows } = await payment.database.query<object>(
    'select amount_cents::integer as cents, reason from refunds where payment_id = $1',
    [paymentId],
  );
  return rows;
}

/** Once no refund is on its way to the provider. */
async function statusOf(paymentId: string): Promise<unknown> {
  const status = async () => (await payment.get(`/payments/${paymentId}`)).body.status;
  return waitFor(async () => ((await status()) === 'REFUNDING' ? undefined : status()), {
    ...{ what: `the refund of ${paymentId} to be taken`, deadlineMs: 20_000, everyMs: 5 },
  });
}

const delivered = (id: string): object => ({ id, consumer: 'payment', result: 'delivered' });

test('gives back what was captured, and keeps why', async () => {
  const paymentId = await captured('o1');
  const message = refundOf({ paymentId });
  expect(await sender.publish(message)).toEqual([delivered(message.id)]);
  expect(await statusOf(paymentId)).toBe('REFUNDED');
  expect(await refunds(paymentId)).toEqual([{ cents: 900, reason: DETAIL }]);
});

test('that does not say why in words is kept with the reason it gives', async () => {
  const paymentId = await captured('o1');
  await sender.publish({ ...refundOf({ paymentId }), detail: '' });
  expect(await refunds(paymentId)).toEqual([{ cents: 900, reason: 'Refused' }]);
});

test('gives back the amount captured where another one was asked for', async () => {
  const paymentId = await captured('o1', 850);
  await sender.publish(refundOf({ paymentId, amountCents: 850 }));
  expect(await refunds(paymentId)).toEqual([{ cents: 850, reason: DETAIL }]);
});

test('twenty times at once is one refund', async () => {
  const paymentId = await captured('o1');
  const message = refundOf({ paymentId });
  const receipts = await sender.publish(...Array.from({ length: 20 }, () => message));
  expect(new Set(receipts.map(({ result }) => result))).toEqual(new Set(['delivered']));
  expect(await refunds(paymentId)).toHaveLength(1);
});

test.each<[string, (paymentId: string) => Partial<Published>]>([
  ['a copy of the transaction', (paymentId) => ({ id: `shop/pay-${paymentId}-again/refund` })],
  ["another payment's transaction", () => ({ id: 'shop/pay-another/refund' })],
  ['another message of the transaction', (paymentId) => ({ id: `shop/pay-${paymentId}/refund-too` })],
  ['a flow of somebody else', () => ({ source: 'ordertx/shop/money-back' })],
  [
    'a copy in another namespace',
    (paymentId) => ({ id: `${TWIN_NAMESPACE}/pay-${paymentId}/refund`, source: `ordertx/${TWIN_NAMESPACE}/pay-order` }),
  ],
])('that comes from %s is answered and gives nothing back, and the payment’s own still does', async (_, change) => {
  const paymentId = await captured('o1');
  const message = refundOf({ paymentId });
  expect(await sender.publish({ ...message, ...change(paymentId) })).toMatchObject([
    { result: 'delivered', reason: expect.stringMatching(/^without effect: /) },
  ]);
  expect([await statusOf(paymentId), await refunds(paymentId)]).toEqual(['SUCCEEDED', []]);
  expect(await sender.publish(message)).toEqual([delivered(message.id)]);
  expect(await statusOf(paymentId)).toBe('REFUNDED');
});

test('of a payment from before it was known where its order’s transactions lie waits for the order service to say so', async () => {
  const paymentId = await captured('o3');
  await payment.database.query('update payments set namespace = null where payment_id = $1', [paymentId]);
  payment.orders.misbehave((response) => response.destroy());
  const twin = { id: `${TWIN_NAMESPACE}/pay-${paymentId}/refund`, source: `ordertx/${TWIN_NAMESPACE}/pay-order` };
  const sent = { ...refundOf({ paymentId, orderId: 'o3' }), ...twin };
  await sender.publishUnanswered(sent);
  expect([await statusOf(paymentId), await refunds(paymentId)]).toEqual(['SUCCEEDED', []]);
  payment.orders.misbehave(undefined);
  expect(await sender.publish(sent)).toMatchObject([{ reason: expect.stringContaining('another namespace') }]);
  expect(await statusOf(paymentId)).toBe('SUCCEEDED');
  await sender.publish(refundOf({ paymentId, orderId: 'o3' }));
  expect(await statusOf(paymentId)).toBe('REFUNDED');
});

describe('whoever has written it,', () => {
  const untouched = ['SUCCEEDED', []];
  const seen = async (paymentId: string) => [await statusOf(paymentId), await refunds(paymentId)];

  test.each([
    ['the order is paid by the payment', { applied: true, state: 'None' }],
    ['the order has confirmed the payment', { applied: false, state: 'Confirmed' }],
  ] as const)('nothing goes back where %s, and the refusal says so', async (_, attempt) => {
    const paymentId = await captured('o1');
    payment.orders.knowAttempt(paymentId, attempt);
    const message = refundOf({ paymentId });
    const reason = 'the order is paid by this payment: it is not given back';
    expect(await sender.publish(message)).toEqual([{ ...delivered(message.id), result: 'refused', reason }]);
    expect(await seen(paymentId)).toEqual(untouched);
  });

  test.each(['None', 'Tried', 'Refused'] as const)(
    'it is not answered while the order’s branch is %s, holds up no other, and counts once that has ended',
    async (state) => {
      const [open, other] = [await captured('o1'), await captured('o1')];
      payment.orders.knowAttempt(open, { applied: false, state });
      await sender.publishUnanswered(refundOf({ paymentId: open }));
      await sender.publish(refundOf({ paymentId: other }));
      expect(await statusOf(other)).toBe('REFUNDED');
      expect(await seen(open)).toEqual(untouched);
      payment.orders.knowAttempt(open, { applied: false, state: 'Cancelled' });
      await sender.publish(refundOf({ paymentId: open }));
      expect(await statusOf(open)).toBe('REFUNDED');
    },
  );

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['does not answer', (response) => response.destroy()],
    ['answers 500', (response) => sendJson(response, 500, {})],
    ['answers with something else', (response) => sendJson(response, 200, { state: 'Cancelled' })],
  ])('it is not answered while the order service %s', async (_, misbehaviour) => {
    const paymentId = await captured('o1');
    payment.orders.misbehave(misbehaviour);
    await sender.publishUnanswered(refundOf({ paymentId }));
    payment.orders.misbehave(undefined);
    expect(await seen(paymentId)).toEqual(untouched);
    await sender.publish(refundOf({ paymentId }));
    expect(await statusOf(paymentId)).toBe('REFUNDED');
  });
});

test('that comes while the payment is being captured gives back nothing of which the order service was not asked', async () => {
  const paymentId = await payment.asked('o1', 900);
  payment.orders.knowAttempt(paymentId, { applied: true, state: 'Confirmed' });
  const capture = await payment.database.connect();
  try {
    await capture.query('begin');
    await capture.query(
      `update payments set status = 'SUCCEEDED', captured_cents = 900, captured_at = now() where payment_id = $1`,
      [paymentId],
    );
    const answered = sender.publish(refundOf({ paymentId }));
    const waitsForTheRow = waitFor(async () => ((await waiting()) > 0 ? 'waits' : undefined), {
      ...{ what: 'the row to be waited for', deadlineMs: 20_000, everyMs: 5 },
    }).catch(() => undefined);
    await Promise.race([answered, waitsForTheRow]);
    await capture.query('commit');
    expect(await answered).toMatchObject([{ result: 'refused' }]);
  } finally {
    capture.release();
  }
  expect([await statusOf(paymentId), await refunds(paymentId)]).toEqual(['SUCCEEDED', []]);
});

async function waiting(): Promise<number> {
  const { rowCount } = await payment.database.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}

test('leaves the payment answered as REFUNDED to a provider that calls once more, and tells nobody of a new payment', async () => {
  const paymentId = await captured('o1');
  await sender.publish(refundOf({ paymentId }));
  expect(await statusOf(paymentId)).toBe('REFUNDED');
  await payment.database.query('delete from ordertx_outbox');
  const again = await payment.post(`/payments/${paymentId}/pay`);
  expect(again).toMatchObject({ status: 200, body: { status: 'REFUNDED' } });
  expect((await payment.database.query('select from ordertx_outbox')).rowCount).toBe(0);
});

test('of what was never captured is refused in view, and judged afresh once it was', async () => {
  const paymentId = await payment.asked('o1', 900);
  const message = refundOf({ paymentId });
  const reason = 'the payment was never captured: there is nothing to refund';
  expect(await sender.publish(message)).toEqual([{ ...delivered(message.id), result: 'refused', reason }]);
  expect([await statusOf(paymentId), await refunds(paymentId)]).toEqual(['PENDING', []]);
  await payment.post(`/payments/${paymentId}/pay`);
  expect(await sender.publish(message)).toEqual([delivered(message.id)]);
  expect(await statusOf(paymentId)).toBe('REFUNDED');
});

test.each<[string, Partial<Refund>, string]>([
  ['of a payment nobody asked for', { paymentId: 'p-unknown' }, 'there is no such payment'],
  ['for another order', { orderId: 'o2' }, 'is of another order'],
  ['of another amount', { amountCents: 901 }, '900 cents were captured'],
])('%s is refused in words, and gives nothing back', async (_, changes, words) => {
  const paymentId = await captured('o1');
  const receipts = await sender.publish(refundOf({ paymentId, ...changes }));
  expect(receipts).toMatchObject([{ result: 'refused', reason: expect.stringContaining(words) }]);
  expect([await statusOf(paymentId), await refunds(paymentId)]).toEqual(['SUCCEEDED', []]);
});

/** GET /notifications, on a real database and with the provider that stores. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { documentedStatuses } from '../../../../tests/services/running-consumers.ts';
import { runNotification, smsPaidOf, type RunningNotification } from '../../testing/running-notification.ts';

let notification: RunningNotification;

beforeAll(async () => {
  notification = await runNotification();
});
afterAll(() => notification.close());

test('of an order that was paid is the notification that was sent, and the store has it once', async () => {
  const message = smsPaidOf('o1001', 1);
  expect(await notification.sender.publish(message)).toMatchObject([{ id: message.id, result: 'delivered' }]);
  const text = 'Your payment of 9.00 for order o1001 has arrived.';
  expect(await notification.listed('o1001')).toEqual([{ channel: 'sms', to: 'u1', text, status: 'SENT', attempts: 1 }]);
  const { rows } = await notification.database.query('select notification_id, recipient, text from stored_sends');
  expect(rows).toEqual([{ notification_id: message.id, recipient: 'u1', text }]);
});

test.each([
  [0, '0.00'],
  [5, '0.05'],
  [99, '0.99'],
  [123_456, '1234.56'],
  [1e15, '10000000000000.00'],
  [1e15 - 1, '9999999999999.99'],
])('%s cents are %s', async (amountCents, amount) => {
  const orderId = `o-${String(amountCents)}`;
  const message = smsPaidOf(orderId, 1);
  await notification.sender.publish({ ...message, data: { ...(message.data as object), amountCents } });
  expect(await notification.listed(orderId)).toMatchObject([{ text: expect.stringContaining(` ${amount} `) }]);
});

test('of an order with two payments are both, the oldest first', async () => {
  const message = smsPaidOf('o2', 1);
  await notification.sender.publish(message);
  const other = { ...(message.data as object), paymentId: 'p2', amountCents: 1_000 };
  await notification.sender.publish({ ...message, id: 'shop/pay-p2/payment-sms', data: other });
  expect(await notification.listed('o2')).toMatchObject([
    { text: expect.stringContaining('9.00') },
    { text: expect.stringContaining('10.00') },
  ]);
});

test('of an order without any is an empty list', async () => {
  expect(await notification.listed('o-unknown')).toEqual([]);
});

test.each(['', '?orderId=', '?orderId=UPPER', '?orderId=a%00', '?orderId=a&orderId=b', `?orderId=${'o'.repeat(1024)}`])(
  'with the query "%s" is 400 and names orderId',
  async (query) => {
    const answer = await fetch(`${notification.url}/notifications${query}`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    expect(((await answer.json()) as { detail: string }).detail).toContain('orderId');
  },
);

test('with an unknown parameter is 400 and names it', async () => {
  const answer = await fetch(`${notification.url}/notifications?orderId=o1&userId=u1`);
  expect([answer.status, (await answer.json()) as object]).toMatchObject([
    400,
    { detail: expect.stringContaining('userId') },
  ]);
});

test('declares every status it answers with', async () => {
  expect(await documentedStatuses(notification.url, 'get', '/notifications')).toEqual(['200', '400', '503', 'default']);
});

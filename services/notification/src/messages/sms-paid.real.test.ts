/** `sms.paid`, through the real stream to a provider on loopback: one publication is at most one call, and what is sent stays sent. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { until } from '../../../kit/testing/until.ts';
import type { Receipt } from '../../../protocol/src/index.ts';
import { answerWith, startWebhook, type LoopbackWebhook } from '../../testing/loopback-webhook.ts';
import {
  runNotification,
  smsPaidOf,
  TIMEOUT_SECONDS,
  type RunningNotification,
} from '../../testing/running-notification.ts';

let webhook: LoopbackWebhook;
let notification: RunningNotification;
let orders = 0;

beforeAll(async () => {
  webhook = await startWebhook();
  notification = await runNotification(webhook.url);
});
afterEach(() => webhook.answers(answerWith(204)));
afterAll(async () => {
  await notification.close();
  await webhook.stop();
});

const newOrder = (): string => `o${String(++orders)}`;

const publish = async (orderId: string, ...attempts: readonly number[]): Promise<readonly Receipt[]> =>
  notification.sender.publish(...attempts.map((attempt) => smsPaidOf(orderId, attempt)));

const callsFor = (orderId: string): number =>
  webhook.calls.filter(({ headers }) => headers['idempotency-key'] === smsPaidOf(orderId, 1).id).length;

/** An attempt whose process died before anything came of it. */
async function cutOff(orderId: string, attempt: number, ago: string): Promise<void> {
  const { id } = smsPaidOf(orderId, attempt);
  await notification.database.query(
    `insert into notifications (id, order_id, channel, recipient, text) values ($1, $2, 'sms', 'u1', 'a text')`,
    [id, orderId],
  );
  await notification.database.query(
    `insert into attempts (notification_id, publication, begun_at) values ($1, $2, now() - $3::interval)`,
    [id, `attempt ${String(attempt)}`, ago],
  );
}

test('it is sent, and its receipt says so', async () => {
  const orderId = newOrder();
  const { id } = smsPaidOf(orderId, 1);
  expect(await publish(orderId, 1)).toEqual([{ id, consumer: 'notification', result: 'delivered' }]);
  const text = `Your payment of 9.00 for order ${orderId} has arrived.`;
  expect(JSON.parse(webhook.calls.at(-1)?.body ?? '')).toEqual({ id, channel: 'sms', to: 'u1', text });
  expect(await notification.listed(orderId)).toEqual([{ channel: 'sms', to: 'u1', text, status: 'SENT', attempts: 1 }]);
});

test('it fails with a reason, and is sent at the next publication', async () => {
  const orderId = newOrder();
  webhook.answers(answerWith(500));
  expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason: 'the provider answered 500' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
  webhook.answers(answerWith(200));
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2 }]);
});

test('a provider that hangs is a failed attempt once its time is over', async () => {
  const orderId = newOrder();
  webhook.answers(() => undefined);
  const reason = `the provider did not answer within ${TIMEOUT_SECONDS} s`;
  expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
});

describe('a publication that comes again', () => {
  test('is not sent again where it failed, and says that it did', async () => {
    const orderId = newOrder();
    webhook.answers(answerWith(503));
    await publish(orderId, 1);
    webhook.answers(answerWith(200));
    const reason = 'this attempt was made before and its outcome was failed: the provider answered 503';
    for (let copy = 0; copy < 2; copy++)
      expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
  });

  test('is delivered where it was sent', async () => {
    const orderId = newOrder();
    for (let copy = 0; copy < 3; copy++) expect(await publish(orderId, 1)).toMatchObject([{ result: 'delivered' }]);
    expect(callsFor(orderId)).toBe(1);
  });

  test('in ten copies at the same moment is one call', async () => {
    const orderId = newOrder();
    const receipts = await publish(orderId, ...Array.from({ length: 10 }, () => 1));
    expect(receipts.map(({ result }) => result)).toContain('delivered');
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 1 }]);
  });
});

test('later publications of what is sent are delivered without a call, also one that names no attempt', async () => {
  const orderId = newOrder();
  await publish(orderId, 1);
  const { attempt: _, ...nameless } = smsPaidOf(orderId, 1);
  const receipts = [...(await publish(orderId, 2, 3)), ...(await notification.sender.publish({ ...nameless }))];
  expect(receipts.map(({ result }) => result)).toEqual(['delivered', 'delivered', 'delivered']);
  expect(callsFor(orderId)).toBe(1);
});

test('while an attempt is under way the next publication makes none: two calls could both be sent', async () => {
  const orderId = newOrder();
  const held: ServerResponse[] = [];
  webhook.answers((response) => held.push(response));
  const first = publish(orderId, 1);
  await until('the provider is called', () => held.length === 1);
  const reason = 'an earlier attempt is still under way';
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'failed', reason }]);
  held.forEach((response) => answerWith(200)(response));
  expect(await first).toMatchObject([{ result: 'delivered' }]);
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
  expect(callsFor(orderId)).toBe(1);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 1 }]);
});

test('an attempt that ends after it was taken for cut off takes nothing back', async () => {
  const orderId = newOrder();
  const held: ServerResponse[] = [];
  webhook.answers((response) => held.push(response));
  const first = publish(orderId, 1);
  await until('the provider is called', () => held.length === 1);
  await notification.database.query(
    `update attempts set begun_at = now() - interval '1 hour' where notification_id = $1`,
    [smsPaidOf(orderId, 1).id],
  );
  webhook.answers(answerWith(200));
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
  held.forEach((response) => answerWith(500)(response));
  expect(await first).toMatchObject([{ result: 'failed', reason: 'the provider answered 500' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2 }]);
});

describe('an attempt that was cut off between its row and its outcome', () => {
  const reason = 'this attempt was made before and its outcome was not known';

  test.each(['1 second', '1 hour'])('%s ago is not made again', async (ago) => {
    const orderId = newOrder();
    await cutOff(orderId, 1, ago);
    expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
    expect(callsFor(orderId)).toBe(0);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'PENDING', attempts: 1 }]);
  });

  test('may still be under way, so another publication waits for as long as a call can take', async () => {
    const orderId = newOrder();
    await cutOff(orderId, 1, '1 second');
    expect(await publish(orderId, 2)).toMatchObject([
      { result: 'failed', reason: 'an earlier attempt is still under way' },
    ]);
    expect(callsFor(orderId)).toBe(0);
  });

  test('longer ago than a call can take stands in nobody’s way', async () => {
    const orderId = newOrder();
    await cutOff(orderId, 1, '1 minute');
    expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2, text: 'a text' }]);
  });
});

test('what is no message of this service is refused in words', async () => {
  const message = smsPaidOf(newOrder(), 1);
  expect(await notification.sender.publish({ ...message, type: 'sms.shipped' })).toMatchObject([
    { result: 'refused', reason: expect.stringContaining('sms.paid') },
  ]);
  expect(await notification.sender.publish({ ...message, data: { orderId: 'o1' } })).toMatchObject([
    { result: 'refused', reason: expect.stringContaining('data.userId') },
  ]);
});

/** What members are granted for payments, whatever comes when; on a real Redis and a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  arrivalsOf,
  ask,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { TOTAL_CENTS_MAX, type PayOrderPayload, type Receipt } from '../../../protocol/src/index.ts';

let member: RunningConsumer;
let orders = 0;
let users = 0;

beforeAll(async () => {
  member = await runConsumer('member');
});
afterAll(() => member.close());

const newUserId = (): string => `u${String(++users)}`;

const payment = (userId: string, amountCents: number, orderId = `o${String(++orders)}`): PayOrderPayload => ({
  ...payloadsOf(orderId, userId).paid,
  amountCents,
});

const send = (data: PayOrderPayload, id = `shop/pay-${data.paymentId}/points`): Promise<Receipt> =>
  member.sender.send({ type: 'points.grant', data, id });

async function pointsOf(userId: string): Promise<number> {
  const { points, growth } = (await ask(`${member.url}/members/${userId}`)).body;
  expect(growth).toBe(points);
  return points as number;
}

test('a payment is answered with a receipt, and brings a point and a growth for each whole 100 cents', async () => {
  const userId = newUserId();
  const data = payment(userId, 2_599);
  expect(await send(data)).toEqual({
    id: `shop/pay-${data.paymentId}/points`,
    consumer: 'member',
    result: 'delivered',
  });
  expect(await pointsOf(userId)).toBe(25);
});

test.each([
  [0, 0],
  [99, 0],
  [100, 1],
  [TOTAL_CENTS_MAX, TOTAL_CENTS_MAX / 100],
])('a payment of %i cents brings %i', async (amountCents, points) => {
  const userId = newUserId();
  expect(await send(payment(userId, amountCents))).toMatchObject({ result: 'delivered' });
  expect(await pointsOf(userId)).toBe(points);
});

test('cents that are left over do not add up over orders', async () => {
  const userId = newUserId();
  for (let order = 0; order < 3; order++) await send(payment(userId, 150));
  expect(await pointsOf(userId)).toBe(3);
});

test.each(arrivalsOf([100, 200, 400]).map((amounts) => ({ amounts })))(
  'payments of several orders that arrive as $amounts, each of them three times, count once each',
  async ({ amounts }) => {
    const userId = newUserId();
    const payments = amounts.map((amountCents) => payment(userId, amountCents));
    for (const each of payments) {
      expect(await send(each)).toMatchObject({ result: 'delivered' });
      expect(await send(each)).toMatchObject({ result: 'delivered' });
    }
    for (const each of payments) {
      expect(await send(each, `shop/other-${each.paymentId}/points`)).toMatchObject({ result: 'delivered' });
    }
    expect(await pointsOf(userId)).toBe(7);
  },
);

test('a payment that is told of by another transaction than its own brings nothing, and its own brings the points', async () => {
  const userId = newUserId();
  const data = payment(userId, 500);
  const id = `shop/pay-${data.paymentId}/points`;
  const foreign = { result: 'delivered', reason: expect.stringMatching(/^without effect: points\.grant counts only/) };
  for (const change of [
    { id: `shop/pay-${data.paymentId}-again/points` },
    { id: 'shop/pay-another/points' },
    { id: `shop/pay-${data.paymentId}/points-too` },
    { source: 'ordertx/shop/gifts' },
  ])
    expect(await member.sender.publish({ id, type: 'points.grant', data, ...change })).toMatchObject([foreign]);
  // The first as well as later: another namespace is not the shop because it was quicker.
  const twin = { id: id.replace('shop', TWIN_NAMESPACE), source: `ordertx/${TWIN_NAMESPACE}/pay-order` };
  const fromTwin = () => member.sender.publish({ type: 'points.grant', data: { ...data, amountCents: 900 }, ...twin });
  const elsewhere = {
    ...{ result: 'delivered', reason: expect.stringMatching(/^without effect: it comes from another namespace/) },
  };
  expect(await fromTwin()).toMatchObject([elsewhere]);
  expect(await pointsOf(userId)).toBe(0);
  expect(await send(data)).toEqual({ id, consumer: 'member', result: 'delivered' });
  expect(await fromTwin()).toMatchObject([elsewhere]);
  expect(await pointsOf(userId)).toBe(5);
});

test('payments of many orders of one member at once count once each', async () => {
  const userId = newUserId();
  const payments = Array.from({ length: 20 }, () => payment(userId, 300));
  const receipts = await Promise.all(
    payments.flatMap((each) => [send(each), send(each), send(each, `shop/other-${each.paymentId}/points`)]),
  );
  expect(new Set(receipts.map(({ result }) => result))).toEqual(new Set(['delivered']));
  expect(await pointsOf(userId)).toBe(60);
});

test('another payment of the same order is refused for people, however often it comes, and brings nothing', async () => {
  const userId = newUserId();
  const first = payment(userId, 500);
  const second = { ...first, paymentId: 'another', amountCents: 900 };
  await send(first);
  for (let delivery = 0; delivery < 2; delivery++) {
    expect(await send(second)).toMatchObject({
      result: 'refused',
      reason:
        'the order has had its points for another payment: this one brings none, and someone must look why it was paid twice',
    });
  }
  expect(await send(first)).toMatchObject({ result: 'delivered' });
  expect(await pointsOf(userId)).toBe(5);
});

describe('what is no message of this service', () => {
  const good = payment('nobody', 100, 'bad');

  test.each<[string, string, unknown, RegExp]>([
    ['an unknown type', 'points.take', good, /^type: .*points\.grant$/],
    ['an unknown field', 'points.grant', { ...good, tier: 'gold' }, /^data\.tier: is not a known field/],
    ['a negative amount', 'points.grant', { ...good, amountCents: -1 }, /^data\.amountCents: /],
    ['half a cent', 'points.grant', { ...good, amountCents: 0.5 }, /^data\.amountCents: /],
    ['a huge amount', 'points.grant', { ...good, amountCents: TOTAL_CENTS_MAX + 1 }, /^data\.amountCents: /],
    ['no user', 'points.grant', { ...good, userId: undefined }, /^data\.userId: /],
    ['no payment', 'points.grant', payloadsOf('bad').created, /data\.paymentId: /],
  ])('%s is refused with a reason that names it', async (_, type, data, reason) => {
    expect(await member.sender.send({ type, data, id: 'shop/bad/points' })).toEqual({
      id: 'shop/bad/points',
      consumer: 'member',
      result: 'refused',
      reason: expect.stringMatching(reason),
    });
    expect(await pointsOf('nobody')).toBe(0);
  });
});

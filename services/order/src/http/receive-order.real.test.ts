/** POST /orders/:orderId/receipt. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { placeOrder } from '../../../../tests/services/order-client.ts';
import { done, OrderFixture } from '../../testing/order-fixture.ts';

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('receipt');
}, 30_000);
afterAll(() => fixture.close());

const receive = (orderId: string) => fixture.post(`/orders/${orderId}/receipt`);

test('a shipped order is RECEIVED, and the same answer comes again', async () => {
  const orderId = await fixture.orderIn('SHIPPED');
  const received = { status: 200, type: 'application/json', body: { orderId, status: 'RECEIVED' } };
  expect(await receive(orderId)).toEqual(received);
  expect(await receive(orderId)).toEqual(received);
  const steps = (await fixture.history(orderId)).map(([status]) => status);
  expect(steps).toEqual(['INIT', 'PENDING_PAYMENT', 'PAYING', 'PAID', 'SHIPPED', 'RECEIVED']);
});

test('ten receipts at once are one, and all have the same answer', async () => {
  const orderId = await fixture.orderIn('SHIPPED');
  const answers = await Promise.all(Array.from({ length: 10 }, () => receive(orderId)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await fixture.history(orderId)).filter(([status]) => status === 'RECEIVED')).toHaveLength(1);
});

describe('an order that cannot have arrived is 409, and stays as it is:', () => {
  const refused = (orderId: string, orderStatus: string) => ({
    ...{ status: 409, type: 'application/problem+json' },
    body: {
      ...{ code: 'wrong-status', orderId, orderStatus },
      detail: `order ${orderId} cannot have arrived: it is ${orderStatus}, not SHIPPED`,
    },
  });

  test('INIT, before its own row is there and after', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    expect(await receive(orderId)).toMatchObject(refused(orderId, 'INIT'));
    await done(fixture.creation(orderId), 'try');
    expect(await receive(orderId)).toMatchObject(refused(orderId, 'INIT'));
  });

  test.each(['PENDING_PAYMENT', 'PAYING', 'CLOSING', 'PAID', 'CLOSED', 'CANCELLED'] as const)('%s', async (status) => {
    const orderId = await fixture.orderIn(status);
    const before = await fixture.seen(orderId);
    expect(await receive(orderId)).toMatchObject(refused(orderId, status));
    expect(await fixture.seen(orderId)).toEqual(before);
  });
});

test('an order that nobody placed is 404', async () => {
  expect(await receive('nowhere')).toMatchObject({
    ...{ status: 404, type: 'application/problem+json' },
    body: { code: 'unknown-order', detail: 'there is no order nowhere' },
  });
});

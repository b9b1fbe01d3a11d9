/** `wms.shipped` through the real stream: when an order is SHIPPED, and what the warehouse is told. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { placeOrder } from '../../../../tests/services/order-client.ts';
import { done, OrderFixture } from '../../testing/order-fixture.ts';

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('shipped');
}, 30_000);
afterAll(() => fixture.close());

const idOf = (orderId: string): string => `wms/wms.shipped/${orderId}`;
const tell = (orderId: string, id = idOf(orderId)) => fixture.deliver({ type: 'wms.shipped', data: { orderId }, id });
const delivered = (orderId: string) => ({ id: idOf(orderId), consumer: 'order', result: 'delivered' });

const statuses = async (orderId: string): Promise<readonly (string | undefined)[]> =>
  (await fixture.history(orderId)).map(([status]) => status);
const SHIPPED = ['INIT', 'PENDING_PAYMENT', 'PAYING', 'PAID', 'SHIPPED'];

describe('of an order that is paid', () => {
  test('makes it SHIPPED', async () => {
    const orderId = await fixture.orderIn('PAID');
    expect(await tell(orderId)).toEqual(delivered(orderId));
    expect(await statuses(orderId)).toEqual(SHIPPED);
    expect(await fixture.row(orderId)).toMatchObject({ status: 'SHIPPED', payment_id: expect.any(String) });
  });

  test('ships it once, however often it comes: at once, again, forgotten by the inbox; under another id it is refused', async () => {
    const orderId = await fixture.orderIn('PAID');
    const receipts = await Promise.all(Array.from({ length: 10 }, () => tell(orderId)));
    expect(receipts).toEqual(receipts.map(() => delivered(orderId)));
    expect(await tell(orderId)).toEqual(delivered(orderId));
    await fixture.forgetMessage(idOf(orderId));
    expect(await tell(orderId)).toEqual(delivered(orderId));
    expect(await tell(orderId, `${idOf(orderId)}-again`)).toMatchObject({
      result: 'refused',
      reason: 'id: is not that of what the data are about',
    });
    expect(await statuses(orderId)).toEqual(SHIPPED);
  });

  test('is without effect once the customer has it', async () => {
    const orderId = await fixture.orderIn('RECEIVED');
    await fixture.forgetMessage(idOf(orderId));
    const before = await fixture.seen(orderId);
    expect(await tell(orderId)).toEqual(delivered(orderId));
    expect(await fixture.seen(orderId)).toEqual(before);
  });
});

describe('that comes before the order is paid has no receipt, changes nothing, and ends right when it comes again:', () => {
  test('while it is created, waits for its payment, and is being paid', async () => {
    const { orderId } = (await placeOrder(fixture.service.url)).body;
    const payment = fixture.payment(orderId);
    const early = async (status: string): Promise<void> => {
      expect(await tell(orderId)).toBeUndefined();
      expect(await fixture.status(orderId)).toBe(status);
    };
    await early('INIT');
    await done(fixture.creation(orderId), 'try');
    await early('INIT');
    await done(fixture.creation(orderId), 'confirm');
    await early('PENDING_PAYMENT');
    await done(payment, 'try');
    await early('PAYING');
    await done(payment, 'confirm');
    expect(await tell(orderId)).toEqual(delivered(orderId));
    expect(await statuses(orderId)).toEqual(SHIPPED);
  });

  test('while it is being closed: refused once it is closed', async () => {
    const orderId = await fixture.placed();
    const closing = await fixture.beginClose(orderId);
    await done(closing, 'try');
    expect(await tell(orderId)).toBeUndefined();
    await done(closing, 'confirm');
    expect(await tell(orderId)).toMatchObject({ result: 'refused' });
  });
});

describe('is refused, in words, and changes nothing', () => {
  test.each(['CLOSED', 'CANCELLED'] as const)('of an order that is %s', async (status) => {
    const orderId = await fixture.orderIn(status);
    const before = await fixture.seen(orderId);
    const reason = `order ${orderId} is ${status}: it should not have been shipped`;
    expect(await tell(orderId)).toEqual({ ...delivered(orderId), result: 'refused', reason });
    expect(await tell(orderId)).toEqual({ ...delivered(orderId), result: 'refused', reason });
    expect(await fixture.seen(orderId)).toEqual(before);
  });

  test('of an order that nobody placed', async () => {
    const reason = 'there is no order nowhere';
    expect(await tell('nowhere')).toEqual({ ...delivered('nowhere'), result: 'refused', reason });
  });
});

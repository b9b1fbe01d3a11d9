/**
 * The whole chain in one shop with all seven services: ordered, paid, shipped, received; and every way in which money comes back.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop } from '../world/shop.ts';

const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 1_250 };
const COST = 2_500;
const LOCKED_MS = 30_000;

let shop: Shop;
let customers: Customers;

beforeAll(async () => {
  shop = await openShop('chain', {
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
  });
  customers = new Customers(shop);
  await shop.startController();
  await shop.stock('tea', 1_000);
}, 120_000);
afterAll(async () => {
  await shop.close();
});

const answered = async (service: 'dispatch' | 'wms' | 'member' | 'notification', path: string) =>
  (await customers.call(service, 'GET', path)).body;

describe('an order that is paid', () => {
  test('is sold, scheduled, picked, rewarded and told of; then shipped and received', async () => {
    const orderId = await customers.orderToPay([TEA], 'ann');
    for (const [service, path] of [
      ['wms', `/shipments/${orderId}`],
      ['dispatch', `/dispatches/${orderId}`],
    ] as const)
      await waitFor(async () => (await answered(service, path)).state === 'LOCKED', {
        what: `${service} to lock`,
        deadlineMs: LOCKED_MS,
      });
    const before = await shop.stockOf('tea');
    await customers.pay(orderId);
    await customers.atRest();
    expect(await shop.stockOf('tea')).toMatchObject({ frozen: before.frozen - 2, sold: before.sold + 2 });
    expect(await answered('dispatch', `/dispatches/${orderId}`)).toMatchObject({ state: 'SCHEDULED' });
    expect(await answered('wms', `/shipments/${orderId}`)).toMatchObject({ state: 'OUTBOUND' });
    expect(await answered('member', '/members/ann')).toEqual({ userId: 'ann', points: 25, growth: 25 });
    await customers.isTold(orderId);
    expect(await answered('notification', `/notifications?orderId=${orderId}`)).toMatchObject([
      { channel: 'sms', to: 'ann', status: 'SENT', attempts: 1 },
    ]);
    expect((await customers.ship(orderId)).status).toBe(200);
    await customers.statusIs(orderId, 'SHIPPED');
    expect((await customers.receive(orderId)).status).toBe(200);
    expect(await customers.receive(orderId)).toEqual({ status: 200, body: { orderId, status: 'RECEIVED' } });
    const { body } = await customers.call('order', 'GET', `/orders/${orderId}`);
    const steps = (body.history as { readonly status: string }[]).map(({ status }) => status);
    expect(steps).toEqual(['INIT', 'PENDING_PAYMENT', 'PAYING', 'PAID', 'SHIPPED', 'RECEIVED']);
    await customers.atRest();
  });

  test('is one transaction of two status writes, named after the payment', async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = await customers.pay(orderId);
    const { status } = await shop.final(`pay-${paymentId}`);
    expect(status).toMatchObject({ phase: 'Succeeded', decision: 'Confirm', decisionReason: 'AllTried', message: '' });
    const states = status?.messages?.map(({ name, state }) => `${name} ${state}`);
    expect(states).toEqual(expect.arrayContaining(['outbound-wms Delivered', 'points Delivered']));
    expect(states).not.toEqual(expect.arrayContaining([expect.stringContaining('refund')]));
  });
});

describe('money comes back', () => {
  test('for a payment of another amount, and the order waits for the right one', async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    await customers.capture(paymentId, COST - 1);
    await customers.paymentIs(paymentId, 'REFUNDED');
    expect(await customers.status(orderId)).toBe('PENDING_PAYMENT');
    const { status } = await shop.final(`pay-${paymentId}`);
    expect(status?.message).toContain(`costs ${COST} cents, and the payment is of ${COST - 1}`);
    await customers.pay(orderId);
    await customers.atRest();
  });

  test('for the second of two payments, in turn or at once', async () => {
    for (const atOnce of [false, true]) {
      const orderId = await customers.orderToPay([TEA]);
      const links = [await customers.paymentLink(orderId), await customers.paymentLink(orderId)].map(String);
      if (atOnce) await Promise.all(links.map((link) => customers.capture(link)));
      else {
        await customers.capture(links[0]!);
        await customers.statusIs(orderId, 'PAID');
        await customers.capture(links[1]!);
      }
      await customers.atRest();
      const states = await Promise.all(
        links.map(async (link) => (await customers.call('payment', 'GET', `/payments/${link}`)).body.status),
      );
      expect([atOnce, states.toSorted()]).toEqual([atOnce, ['REFUNDED', 'SUCCEEDED']]);
      expect(await customers.status(orderId)).toBe('PAID');
    }
  });

  test('for a payment of an order that was withdrawn meanwhile', async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    expect(await customers.withdraw(orderId)).toMatchObject({ status: 200, body: { orderId, status: 'CLOSED' } });
    await customers.capture(paymentId);
    await customers.paymentIs(paymentId, 'REFUNDED');
    expect(await customers.status(orderId)).toBe('CLOSED');
    await customers.atRest();
  });
});

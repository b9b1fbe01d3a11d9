/**
 * Pay against close with everything real: exactly one wins, whoever is first; and orders that nobody pays are closed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop } from '../world/shop.ts';

const TEA = { skuId: 'tea', quantity: 3, unitPriceCents: 500 };
/** Of those who never pay; the time in which they do not goes by beside the other tests. */
const COFFEE = { ...TEA, skuId: 'coffee' };
const COFFEE_STOCKED = 1_000;
const ROUNDS = 30;
const TEST_MS = 180_000;
const PAYMENT_TIMEOUT_SECONDS = 25;

let shop: Shop;
let customers: Customers;
let unpaid: readonly string[];
beforeAll(async () => {
  shop = await openShop('against', {
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
    serviceEnv: { order: { ORDER_PAYMENT_TIMEOUT_SECONDS: String(PAYMENT_TIMEOUT_SECONDS) } },
  });
  customers = new Customers(shop);
  await Promise.all([shop.startController(), shop.startController()]);
  await shop.stock('tea', 10_000);
  await shop.stock('coffee', COFFEE_STOCKED);
  unpaid = await Promise.all(Array.from({ length: 20 }, () => customers.orderToPay([COFFEE])));
}, 120_000);
afterAll(() => shop.close(), 60_000);

test(
  'a payment and a withdrawal at the same moment: one wins, the stock is sold or back on sale, the money applied or refunded',
  async () => {
    const ends = await Promise.all(
      Array.from({ length: ROUNDS }, async () => {
        const orderId = await customers.orderToPay([TEA]);
        const paymentId = (await customers.paymentLink(orderId)) ?? '';
        await Promise.all([
          customers.capture(paymentId),
          customers.insist('the withdrawal to be answered', () => customers.withdraw(orderId, 0)),
        ]);
        return { orderId, paymentId, status: await customers.statusIs(orderId, 'PAID', 'CLOSED') };
      }),
    );
    await customers.atRest();
    const pairs = await Promise.all(
      ends.map(async ({ paymentId, status }) => {
        const { body } = await customers.call('payment', 'GET', `/payments/${paymentId}`);
        return `${status} ${String(body.status)}`;
      }),
    );
    process.stdout.write(`pay against close: ${JSON.stringify(countsOf(pairs))}\n`);
    for (const pair of pairs) expect(['PAID SUCCEEDED', 'CLOSED REFUNDED']).toContain(pair);
  },
  TEST_MS,
);

test(
  'a close that is cancelled on request is made again, with the next number, until it has its way',
  async () => {
    const orderId = await customers.orderToPay([TEA]);
    const inventory = shop.services.inventory.part;
    inventory.process.kill('SIGKILL');
    await inventory.process.exited;
    expect((await customers.withdraw(orderId, 0)).status).toBe(202);
    const first = `close-${orderId}-1`;
    await shop.transactionWhen(first, 'to be tried', () => true);
    await customers.statusIs(orderId, 'CLOSING');
    expect(await shop.patch(first, { spec: { cancelRequested: true } })).toBe(200);
    await customers.statusIs(orderId, 'PENDING_PAYMENT');
    await inventory.restart();
    await customers.statusIs(orderId, 'CLOSED');
    expect((await shop.final(first)).status).toMatchObject({ phase: 'Cancelled', decisionReason: 'CancelRequested' });
    const second = await shop.final(`close-${orderId}-2`);
    expect(second.spec.payload).toMatchObject({ cause: 'withdrawn' });
    await customers.atRest();
  },
  TEST_MS,
);

test(
  'orders that nobody pays are closed in time, and their stock is back on sale',
  async () => {
    for (const orderId of unpaid) await customers.statusIs(orderId, 'CLOSED');
    await customers.atRest();
    expect(await shop.stockOf('coffee')).toMatchObject({ sellable: COFFEE_STOCKED, frozen: 0, sold: 0 });
    const { body } = await customers.call('order', 'GET', `/orders/${unpaid[0]}`);
    expect((body.history as { readonly reason: string | null }[]).at(-1)?.reason).toBe('it was not paid in time');
  },
  TEST_MS,
);

function countsOf(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

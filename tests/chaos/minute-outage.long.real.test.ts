/**
 * An inventory or a controller that is away for a minute while a captured payment waits: nothing is refunded, and the order is paid
 * when it is back.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import type { Part } from '../../local/parts.ts';
import { openFullShop, type FullShop } from './full-shop.ts';

const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 1_250 };
const MINUTE_MS = 60_000;
const TEST_MS = 300_000;

let full: FullShop;
beforeAll(async () => {
  full = await openFullShop('minute', { ORDER_PAYMENT_TIMEOUT_SECONDS: '600' });
}, 120_000);
afterAll(() => full.close(), 60_000);

test(
  'a minute without inventory, then one without a controller, refunds nothing',
  async () => {
    const { customers, shop } = full;
    for (const part of [shop.services.inventory.part, full.controller.part] satisfies Part[]) {
      const orderId = await customers.orderToPay([TEA]);
      const paymentId = (await customers.paymentLink(orderId)) ?? '';
      part.process.kill('SIGKILL');
      await part.process.exited;
      const awayUntilMs = Date.now() + MINUTE_MS;
      await customers.capture(paymentId);
      await waitFor(
        async () => {
          const { body } = await customers.call('payment', 'GET', `/payments/${paymentId}`);
          expect([part.name, body.status]).toEqual([part.name, 'SUCCEEDED']);
          return Date.now() >= awayUntilMs;
        },
        { what: 'the outage to have lasted a minute', deadlineMs: MINUTE_MS + 10_000, everyMs: 500 },
      );
      expect(['PAYING', 'PENDING_PAYMENT']).toContain(await customers.status(orderId));
      await part.restart();
      await customers.statusIs(orderId, 'PAID');
      await customers.atRest();
      expect((await customers.call('payment', 'GET', `/payments/${paymentId}`)).body.status).toBe('SUCCEEDED');
    }
  },
  TEST_MS,
);

/**
 * The API server's store was put back to an older snapshot: what this process remembers of the lost time decides nothing.
 */
import { expect, test } from '@jest/globals';
import { KEY, Shop } from './shop-fake.ts';

test('writes that meet another copy although it was just read are made ever more slowly, and end when they are taken', async () => {
  const shop = new Shop();
  shop.order();
  const controller = shop.controller();
  controller.store.fault = (request) => (request === 'write' ? 'conflict' : 'none');
  await controller.workFor(60_000);
  expect(shop.server.conflicts.length).toBeGreaterThan(5);
  expect(shop.server.conflicts.length).toBeLessThan(20);
  controller.store.fault = () => 'none';
  await controller.workUntilFinal();
  expect(shop.now.status?.phase).toBe('Succeeded');
});

test('a transaction that is undecided again, past its deadline, is not cancelled before each branch was asked again', async () => {
  const shop = new Shop();
  shop.order();
  shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
  const controller = shop.controller();
  await controller.work();
  expect(shop.now.status?.decision).toBe('Confirm');
  shop.clock.ms += 3_600_000;
  shop.server.goBack(KEY, 1);
  shop.participants.fault = () => 'none';
  controller.relisted();
  await controller.workUntilFinal();
  expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
});

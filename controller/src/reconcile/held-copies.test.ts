/** What a transaction takes in this process while nothing can be done for it, of which there may be tens of thousands. */
import { expect, test } from '@jest/globals';
import { settle } from '../runtime/manual-clock.ts';
import { collectGarbage } from '../runtime/testing/garbage.ts';
import { KEY, Shop } from './shop-fake.ts';

test('between two attempts nothing holds a copy of it: the watch brings one of its own', async () => {
  const shop = new Shop();
  shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
  shop.order();
  const controller = shop.controller();
  await controller.work();
  expect(shop.now.status?.waitingFor).toBe('inventory');
  const copies = shop.server.versions(KEY).map((copy) => new WeakRef(copy));
  expect(copies.length).toBeGreaterThan(1);
  shop.server.edit(KEY, (transaction) => ({ ...transaction }));
  shop.server.forgetOlder(KEY);
  controller.store.relisted();
  await settle();
  collectGarbage();
  expect(copies.map((copy) => copy.deref())).toEqual(copies.map(() => undefined));
  shop.participants.fault = () => 'none';
  await controller.workUntilFinal();
});

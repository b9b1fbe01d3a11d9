/** Who is looked at soon, and who in turn: a start finds thousands that fail, and one that has just come. */
import { expect, test } from '@jest/globals';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { KEY, Shop, type Controller } from './shop-fake.ts';

/** As flows say by default, and the shop's does. */
const STUCK_AFTER_MS = 60_000;

/** Of one step: how often it was content with a turn, and whether anything is due at all. */
function ranks(controller: Controller, step: () => void): { readonly inTurns: number; readonly due: boolean } {
  while (controller.queue.take() !== undefined);
  const before = controller.queue.inTurns;
  step();
  return { inTurns: controller.queue.inTurns - before, due: controller.queue.take() !== undefined };
}

test('a new transaction is looked at soon, by whoever hears of it', () => {
  const shop = new Shop();
  shop.order();
  const controller = shop.controller();
  expect(ranks(controller, () => controller.heard())).toEqual({ inTurns: 0, due: true });
});

test('what fails is looked at in turn by a controller that has just started, and soon by one that works on it', async () => {
  const shop = new Shop();
  shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
  shop.order();
  const first = shop.controller();
  await first.work();
  expect(shop.now.status?.waitingFor).toBe('inventory');
  expect(ranks(first, () => first.heard())).toEqual({ inTurns: 0, due: true });
  first.crash();
  const second = shop.controller();
  expect(ranks(second, () => second.heard())).toEqual({ inTurns: 1, due: true });
});

test('what nobody was told of and takes too long already is looked at in turn after a start', () => {
  const shop = new Shop();
  shop.order();
  shop.clock.ms += STUCK_AFTER_MS - 1;
  const first = shop.controller();
  expect(ranks(first, () => first.heard())).toEqual({ inTurns: 0, due: true });
  first.crash();
  shop.clock.ms += 1;
  const second = shop.controller();
  expect(ranks(second, () => second.heard())).toEqual({ inTurns: 1, due: true });
});

test('an attempt in vain is looked at in turn, a success soon', async () => {
  const shop = new Shop();
  shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
  shop.order();
  const controller = shop.controller();
  await controller.work();
  expect(controller.queue.inTurns).toBe(1);
  shop.participants.fault = () => 'none';
  await controller.workUntilFinal();
  expect(controller.queue.inTurns).toBe(1);
});

test('an attempt that a person asked for is looked at soon, also in vain', async () => {
  const shop = new Shop();
  shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
  shop.order();
  const controller = shop.controller();
  await controller.work();
  const before = controller.queue.inTurns;
  const annotations = { [RETRY_ANNOTATION]: new Date(shop.clock.now()).toISOString() };
  shop.server.edit(KEY, (stored) => ({ ...stored, metadata: { ...stored.metadata, annotations } }));
  controller.queue.soon(KEY);
  await controller.work();
  expect(shop.now.status?.lastHandledRetryAt).toBeDefined();
  expect(shop.now.status?.branches).toContainEqual(expect.objectContaining({ name: 'inventory', attempts: 2 }));
  expect(controller.queue.inTurns).toBe(before);
});

test('what is suspended is looked at in turn after a start', async () => {
  const shop = new Shop();
  shop.order();
  shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend: true } }));
  const first = shop.controller();
  await first.work();
  first.crash();
  const second = shop.controller();
  expect(ranks(second, () => second.heard())).toEqual({ inTurns: 1, due: true });
});

test('what waits for a participant that answers again goes on in turn', async () => {
  const shop = new Shop();
  shop.participants.fault = ({ participant }) => (participant.name === 'inventory' ? 'lost' : 'none');
  shop.participants.failFor('inventory', 3);
  shop.order();
  const controller = shop.controller();
  await controller.passesFor(5_000);
  const before = controller.queue.inTurns;
  shop.participants.fault = () => 'none';
  await controller.passesFor(5_000);
  expect(shop.now.status?.phase).toBe('Succeeded');
  expect(controller.queue.inTurns).toBeGreaterThan(before);
});

/**
 * A watch of flows that is behind the watch of transactions: nothing is said of a missing flow before the API server was asked.
 */
import { describe, expect, test } from '@jest/globals';
import { findCondition } from '../transaction/conditions.ts';
import { flowNamed, KEY, Shop } from './shop-fake.ts';

const FLOW = 'create-order';

const toldOf = (shop: Shop): string | undefined => findCondition(shop.now.status, 'Stuck')?.message;
const everStuck = (shop: Shop): boolean =>
  shop.server.versions(KEY).some(({ status }) => findCondition(status, 'Stuck') !== undefined);

describe('a transaction that is heard of before its flow', () => {
  const deleting = { ...flowNamed(FLOW).metadata, deletionTimestamp: '2025-12-31T23:59:59Z' };
  test.each([
    ['is not shown yet', undefined],
    ['is shown as it was deleted before it was created again', { ...flowNamed(FLOW), metadata: deleting }],
  ])('goes on at once while the flow %s, and is never Stuck', async (_what, shown) => {
    const shop = new Shop();
    shop.flows.behind.set(FLOW, shown);
    shop.order();
    await shop.controller().workFor(1_000);
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(everStuck(shop)).toBe(false);
    expect(shop.flows.reads).toBe(1);
  });

  test('whose branches are known goes on under the flow that has them all again', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.flows.behind.set(FLOW, flowNamed(FLOW, ['order']));
    shop.participants.fault = () => 'none';
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(everStuck(shop)).toBe(false);
  });

  test('waits without a word while the API server does not answer, and goes on when it does', async () => {
    const shop = new Shop();
    shop.flows.behind.set(FLOW, undefined);
    shop.flows.isAway = true;
    shop.order();
    const controller = shop.controller();
    await controller.workFor(20_000);
    expect(shop.now.status).toBeUndefined();
    expect(shop.flows.reads).toBeLessThan(15);
    shop.flows.isAway = false;
    await controller.workFor(15_000);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });
});

describe('a flow that is not there', () => {
  test('is asked for once for each transaction, however often that is looked at', async () => {
    const shop = new Shop();
    shop.flows.flows.clear();
    shop.order();
    const controller = shop.controller();
    for (let pass = 0; pass < 20; pass += 1) {
      controller.queue.soon(KEY);
      await controller.workFor(10_000);
    }
    expect(toldOf(shop)).toContain('does not exist');
    expect(shop.flows.reads).toBe(1);
  });

  test('is not asked for again by a controller that finds it said already', async () => {
    const shop = new Shop();
    shop.flows.flows.clear();
    shop.order();
    await shop.controller().work();
    await shop.controller().work();
    expect(shop.flows.reads).toBe(1);
  });

  test('is asked for again when something else would be said of it', async () => {
    const shop = new Shop();
    shop.participants.fault = () => 'lost';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.flows.flows.clear();
    controller.queue.soon(KEY);
    await controller.work();
    shop.flows.behind.set(FLOW, flowNamed(FLOW, ['order']));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.flows.reads).toBe(2);
    expect(toldOf(shop)).toContain('does not exist');
  });
});

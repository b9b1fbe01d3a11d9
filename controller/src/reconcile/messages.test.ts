/**
 * Delivery (T7, T8): what is published when, and when a transaction may end.
 */
import { describe, expect, test } from '@jest/globals';
import type { MessageTemplate } from '../../../crds/generated/transactionflow.ts';
import { settle } from '../runtime/manual-clock.ts';
import { flowNamed, KEY, Shop } from './shop-fake.ts';

const WMS: MessageTemplate = {
  name: 'lock-wms',
  when: 'Confirmed',
  stream: 'wms',
  type: 'stock.lock',
  delivery: 'Reliable',
};
const SMS: MessageTemplate = {
  name: 'sms',
  when: 'Confirmed',
  stream: 'notification',
  type: 'sms.paid',
  delivery: 'BestEffort',
  maxAttempts: 3,
};

function shopWithMessages(...messages: readonly MessageTemplate[]): Shop {
  const shop = new Shop();
  const flow = flowNamed('create-order');
  shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages } });
  shop.order();
  return shop;
}

describe('messages', () => {
  test('a reliable message is published again until its receipt comes, and only then the transaction ends', async () => {
    const shop = shopWithMessages(WMS);
    const controller = shop.controller();
    await controller.workFor(5_000);
    expect(shop.published.length).toBeGreaterThan(2);
    expect(shop.now.status?.phase).toBe('Confirming');
    expect(shop.server.writes).toBe(1);
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', messages: [{ name: 'lock-wms', state: 'Delivered' }] });
    expect(shop.server.writes).toBe(2);
  });

  test('a restarted controller publishes what has no receipt in the stored status', async () => {
    const shop = shopWithMessages(WMS);
    const controller = shop.controller();
    await controller.work();
    controller.crash();
    const before = shop.published.length;
    await shop.controller().work();
    expect(shop.published.length).toBe(before + 1);
  });

  test('a refused reliable message is Stuck, is published again at the longest delay, and ends once accepted', async () => {
    const shop = shopWithMessages(WMS);
    const controller = shop.controller();
    await controller.work();
    controller.receipt('lock-wms', { kind: 'refused', detail: 'unknown type' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Delivering', waitingFor: 'lock-wms' });
    expect(shop.warnings).toEqual(['MessageRefused']);
    const before = shop.published.length;
    await controller.workFor(60_000);
    expect(shop.published.length).toBe(before + 1);
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
  });

  test('a message settled by hand counts as delivered', async () => {
    const shop = shopWithMessages(WMS);
    const controller = shop.controller();
    await controller.work();
    shop.server.edit(KEY, (transaction) => ({
      ...transaction,
      spec: { ...transaction.spec, resolutions: [{ target: 'lock-wms', as: 'Delivered', reason: 'told by phone' }] },
    }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a broker that is away is trouble that is told, and passes', async () => {
    const shop = shopWithMessages(WMS);
    shop.brokerIsDown = true;
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Delivering', waitingFor: 'lock-wms' });
    shop.brokerIsDown = false;
    await controller.workFor(5_000);
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('best effort holds nothing up, is published at most maxAttempts times, gives up, and only then may be removed', async () => {
    const shop = shopWithMessages(SMS);
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(shop.now.status?.expires).toBeUndefined();
    await controller.workFor(600_000);
    expect(shop.published).toEqual(['sms 1', 'sms 2', 'sms 3']);
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'GaveUp' }], expires: '2026-01-01T00:05Z' });
  });

  test('while the broker is known to be away nothing is attempted and nothing wakes, and its trouble is told', async () => {
    const shop = shopWithMessages(WMS, SMS);
    shop.brokerIsAway = true;
    const controller = shop.controller();
    await controller.workFor(5_000);
    expect(shop.published).toEqual([]);
    expect(shop.now.status).toMatchObject({
      phase: 'Delivering',
      waitingFor: 'lock-wms',
      message:
        'the message lock-wms is not delivered: the broker is away. Next: it is published again, until its receipt comes',
      messages: [{ lastError: 'the broker is away' }, { attempts: 0 }],
    });
    const writes = shop.server.writes;
    await controller.workFor(50_000);
    expect(shop.server.writes).toBe(writes);
    await controller.workFor(3_600_000);
    // Once more when it takes too long.
    expect(shop.server.writes).toBe(writes + 1);
    expect(controller.queue.nextAtMs()).toBeUndefined();
    shop.brokerIsAway = false;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.published).toEqual(['lock-wms 1', 'sms 1']);
    controller.receipt('lock-wms', { kind: 'delivered' });
    controller.receipt('sms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', expires: expect.any(String) });
  });

  test('best effort: no attempt is counted while the broker is away', async () => {
    const shop = shopWithMessages(SMS);
    const controller = shop.controller();
    await controller.work();
    shop.brokerIsAway = true;
    await controller.workFor(600_000);
    expect(shop.published).toEqual(['sms 1']);
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'Pending' }] });
    shop.brokerIsAway = false;
    controller.queue.soon(KEY);
    await controller.workFor(600_000);
    expect(shop.published).toEqual(['sms 1', 'sms 2', 'sms 3']);
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'GaveUp' }] });
  });

  test('best effort: an attempt is neither counted nor given up while the one before is in its consumer’s hand', async () => {
    const shop = shopWithMessages(SMS);
    shop.consumerIsSlow = true;
    const controller = shop.controller();
    for (const published of [['sms 1'], ['sms 1', 'sms 2'], ['sms 1', 'sms 2', 'sms 3']]) {
      await controller.workFor(100_000);
      expect(shop.published).toEqual(published);
      expect(shop.now.status?.messages).toMatchObject([{ state: 'Pending' }]);
      shop.consumerEnds();
      await settle();
    }
    await controller.workFor(100_000);
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'GaveUp' }], expires: expect.any(String) });
  });

  test('best effort that is through late may be removed in the minute of its end, not in one that has passed', async () => {
    const shop = shopWithMessages(SMS);
    shop.consumerIsSlow = true;
    const controller = shop.controller();
    await controller.workFor(600_000);
    expect(shop.now.status?.expires).toBeUndefined();
    controller.receipt('sms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'Delivered' }], expires: '2026-01-01T00:10Z' });
  });

  test('best effort: crashes between publications lose some and never add one', async () => {
    const shop = shopWithMessages(SMS);
    for (let crashes = 0; crashes < 6; crashes += 1) {
      const controller = shop.controller();
      await controller.workFor(1_000);
      controller.crash();
    }
    expect(shop.published.filter((each) => each !== 'sms 1').length).toBeLessThanOrEqual(2);
  });

  test('a receipt for the best-effort message lets the finished transaction expire', async () => {
    const shop = shopWithMessages(SMS);
    const controller = shop.controller();
    await controller.work();
    controller.receipt('sms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ messages: [{ state: 'Delivered' }], expires: '2026-01-01T00:05Z' });
  });
});

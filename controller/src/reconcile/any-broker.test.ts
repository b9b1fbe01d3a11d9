/**
 * A broker that is full, away and back, consumers that are silent, slow, or refuse, and crashes in between, drawn by fast-check: a
 * reliable message ends delivered, best effort keeps to its attempts, and nothing is published while the broker is known to be away.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { MessageTemplate } from '../../../crds/generated/transactionflow.ts';
import { settle } from '../runtime/manual-clock.ts';
import { flowNamed, Shop } from './shop-fake.ts';

const ATTEMPTS_MAX = 3;
const WMS: MessageTemplate = {
  ...{ name: 'lock-wms', when: 'Confirmed', stream: 'wms', type: 'stock.lock', delivery: 'Reliable' },
};
const SMS: MessageTemplate = {
  ...{ name: 'sms', when: 'Confirmed', stream: 'notification', type: 'sms.paid', delivery: 'BestEffort' },
  maxAttempts: ATTEMPTS_MAX,
};

const turn = fc.record({
  broker: fc.constantFrom('takes' as const, 'takes' as const, 'refuses' as const, 'away' as const),
  slow: fc.boolean(),
  ends: fc.boolean(),
  wms: fc.constantFrom('silent' as const, 'silent' as const, 'refused' as const, 'delivered' as const),
  sms: fc.constantFrom('silent' as const, 'silent' as const, 'failed' as const),
  crash: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  forMs: fc.constantFrom(0, 100, 2_000, 70_000),
});

test('whatever becomes of broker and consumers, a reliable message is delivered in the end and best effort keeps to its attempts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 25 }), async (turns) => {
      const shop = new Shop();
      const flow = flowNamed('create-order');
      shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages: [WMS, SMS] } });
      shop.order();
      let controller = shop.controller();
      await controller.work();
      for (const { broker, slow, ends, wms, sms, crash, forMs } of turns) {
        if (crash) {
          controller.crash();
          controller = shop.controller();
        }
        shop.brokerIsDown = broker !== 'takes';
        shop.brokerIsAway = broker === 'away';
        shop.consumerIsSlow = slow;
        const before = shop.published.length;
        await controller.workFor(forMs);
        if (broker !== 'takes') expect(shop.published).toHaveLength(before);
        if (ends) shop.consumerEnds();
        await settle();
        if (wms !== 'silent') controller.receipt('lock-wms', { kind: wms, detail: 'by the warehouse' });
        if (sms !== 'silent') controller.receipt('sms', { kind: sms, detail: 'by the provider' });
        await controller.work();
      }
      shop.brokerIsDown = false;
      shop.brokerIsAway = false;
      shop.consumerIsSlow = false;
      shop.consumerEnds();
      const last = shop.controller();
      await last.work();
      last.receipt('lock-wms', { kind: 'delivered' });
      await last.workFor(600_000);
      const { phase, messages = [], expires } = shop.now.status ?? {};
      expect({ phase, wms: messages[0]?.state, isOver: expires !== undefined }).toEqual({
        ...{ phase: 'Succeeded', wms: 'Delivered', isOver: true },
      });
      // The first is not counted before it is made, so that each process may make it once more; its consumer knows it again.
      const counted = shop.published.filter((each) => each.startsWith('sms') && each !== 'sms 1');
      expect(new Set(counted).size).toBe(counted.length);
      expect(counted.length).toBeLessThan(ATTEMPTS_MAX);
      expect(shop.server.refusals).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

/**
 * Any number of controllers (T2, T3), with copies of any age, crashes, and lost requests and answers, drawn by fast-check.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Controller, KEY, Shop } from './shop-fake.ts';

describe('any number of controllers', () => {
  const fault = fc.constantFrom(
    'none' as const,
    'none' as const,
    'none' as const,
    'lost' as const,
    'answer-lost' as const,
  );
  const turn = fc.record({
    controller: fc.nat(1),
    lag: fc.nat(3),
    api: fault,
    participant: fault,
    crash: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    advanceMs: fc.constantFrom(0, 0, 100, 1_000, 40_000),
    interleave: fc.boolean(),
  });

  test('with copies of any age, crashes and lost calls and answers, end in agreement with each effect once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 30 }), fc.boolean(), async (turns, refuses) => {
        const shop = new Shop();
        shop.participants.refusesTry = (branch) => refuses && branch === 'inventory';
        shop.order();
        const controllers = [shop.controller(), shop.controller()];
        for (const { controller: index, lag, api, participant, crash, advanceMs, interleave } of turns) {
          if (crash) {
            controllers[index]?.crash();
            controllers[index] = shop.controller();
          }
          const controller = controllers[index] as Controller;
          controller.store.lag = () => lag;
          controller.store.fault = () => api;
          shop.participants.fault = () => participant;
          shop.clock.ms += advanceMs;
          controller.queue.soon(KEY);
          await (interleave ? controller.pass() : controller.work());
        }
        shop.participants.fault = () => 'none';
        const last = shop.controller();
        await last.workUntilFinal();
        const decision = shop.now.status?.decision;
        const expected = decision === 'Confirm' ? 'Confirmed' : 'Cancelled';
        expect([...shop.participants.rows.values()]).toEqual([expected, expected]);
        expect([...shop.participants.effects.values()].every((count) => count === 1)).toBe(true);
        expect(shop.server.refusals).toEqual([]);
        if (refuses) expect(decision).toBe('Cancel');
      }),
      { numRuns: 300 },
    );
  });
});

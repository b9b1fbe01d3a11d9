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
    owns: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    setWallMs: fc.constantFrom(0, 0, 0, 0, -3_600_000, 3_600_000),
    restore: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 9 },
      { arbitrary: fc.record({ versionsKept: fc.nat(3), relists: fc.boolean() }), weight: 1 },
    ),
  });
  type Restore = { readonly versionsKept: number; readonly relists: boolean };

  /** Whatever turns there are, they take less than the deadline. */
  const BEFORE_THE_DEADLINE_MS = 900;

  /** etcd goes back; of the transaction at most so many versions are left, or none, and its creator creates it again. */
  function putBack(shop: Shop, controllers: readonly Controller[], { versionsKept, relists }: Restore): void {
    if (versionsKept > 0) shop.server.goBack(KEY, versionsKept);
    else shop.orderAgain();
    for (const { store, queue } of controllers) {
      if (relists) store.relisted();
      queue.soon(KEY);
    }
  }
  const wallAheadMs = fc.constantFrom(0, 0, -3_600_000, 3_600_000);

  /** When its deadline is over, by the clock that dated it. */
  const deadlineMs = (shop: Shop): number => Date.parse(shop.now.metadata.creationTimestamp ?? '') + 30_000;

  test('with copies of any age, clocks that are wrong and set, crashes, lost calls and answers, and an etcd that is put back, end in agreement with each effect once, and no deadline decides early', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 30 }), fc.boolean(), wallAheadMs, async (turns, refuses, wallMs) => {
        const shop = new Shop();
        shop.participants.refusesTry = (branch) => refuses && branch === 'inventory';
        shop.order();
        // What is put back to undecided, and gets no answer past its deadline, is cancelled against what was confirmed: for a person.
        const goesBack = turns.some(({ restore }) => restore !== undefined);
        const controllers = [shop.controller({ wallAheadMs: wallMs }), shop.controller()];
        for (const {
          controller: index,
          lag,
          api,
          participant,
          crash,
          advanceMs,
          interleave,
          owns,
          setWallMs,
          restore,
        } of turns) {
          if (restore !== undefined) putBack(shop, controllers, restore);
          if (crash) {
            controllers[index]?.crash();
            controllers[index] = shop.controller({ wallAheadMs: wallMs });
          }
          const controller = controllers[index] as Controller;
          controller.store.lag = () => lag;
          controller.store.fault = () => api;
          shop.participants.fault = () => participant;
          shop.clock.ms += goesBack ? Math.min(advanceMs, BEFORE_THE_DEADLINE_MS) : advanceMs;
          controller.queue.soon(KEY);
          controller.wallAheadMs += setWallMs;
          controller.owns = owns;
          await (interleave ? controller.pass() : controller.work());
          if (shop.now.status?.decisionReason === 'DeadlineExceeded')
            expect(shop.clock.ms).toBeGreaterThanOrEqual(deadlineMs(shop));
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

  test('put back to before the tries were answered, they are asked again before a deadline that is over counts', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    shop.clock.ms += 40_000;
    for (let passes = 0; shop.now.status?.decision === undefined && passes < 10; passes += 1) {
      controller.queue.soon(KEY);
      await controller.pass();
    }
    expect(shop.now.status).toMatchObject({ phase: 'Confirming', decision: 'Confirm' });
    shop.server.goBack(KEY, 1);
    controller.store.relisted();
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decision: 'Confirm' });
  });
});

/**
 * The API server's store was put back to an older snapshot: what this process remembers of the lost time decides nothing.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
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

describe('a participant that has confirmed before', () => {
  /** Order has confirmed in a life that the store has forgotten; inventory has only tried. */
  function tornShop(): Shop {
    const shop = new Shop();
    shop.order();
    shop.participants.rows.set(`${KEY}/order`, 'Confirmed');
    shop.participants.rows.set(`${KEY}/inventory`, 'Tried');
    return shop;
  }
  const inventoryIs = (shop: Shop, fault: 'none' | 'lost'): void => {
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? fault : 'none');
  };
  const stuck = (shop: Shop) => shop.now.status?.conditions?.find(({ type }) => type === 'Stuck');
  const rows = (shop: Shop) => [...shop.participants.rows.values()];

  test('is confirmed with the others as soon as they have tried', async () => {
    const shop = tornShop();
    await shop.controller().workUntilFinal();
    expect([shop.now.status?.phase, ...rows(shop)]).toEqual(['Succeeded', 'Confirmed', 'Confirmed']);
  });

  test('is not cancelled by the deadline, not by the next controller either; it is an alarm until the answer comes', async () => {
    const shop = tornShop();
    inventoryIs(shop, 'lost');
    const first = shop.controller();
    await first.workFor(40_000);
    expect(shop.now.status).toMatchObject({ waitingFor: 'inventory', branches: [{ confirmedBefore: true }, {}] });
    expect(stuck(shop)).toMatchObject({ status: 'True', reason: 'ConfirmedBefore' });
    expect(shop.now.status?.message).toBe(
      'order has confirmed it before, so it is not cancelled although no answer to the try within 30 s from inventory (no answer)',
    );
    expect(shop.warnings).toEqual(['ConfirmedBefore']);
    first.crash();
    const second = shop.controller();
    await second.workFor(600_000);
    expect(shop.now.status?.decision).toBeUndefined();
    inventoryIs(shop, 'none');
    await second.workUntilFinal();
    expect([shop.now.status?.phase, ...rows(shop)]).toEqual(['Succeeded', 'Confirmed', 'Confirmed']);
    expect(stuck(shop)).toMatchObject({ status: 'False' });
  });

  test('is not cancelled on request: neither can be stored, and a person is called', async () => {
    const shop = tornShop();
    inventoryIs(shop, 'lost');
    const controller = shop.controller();
    await controller.work();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, cancelRequested: true } }));
    inventoryIs(shop, 'none');
    controller.queue.soon(KEY);
    await controller.workFor(60_000);
    expect(shop.now.status?.decision).toBeUndefined();
    expect(stuck(shop)).toMatchObject({ status: 'True', reason: 'ConfirmedBefore' });
    expect(rows(shop)).toEqual(['Confirmed', 'Tried']);
  });

  test('makes another’s refusal something to mend, whichever answer comes first', async () => {
    for (const order of ['first', 'last']) {
      const shop = tornShop();
      shop.participants.rows.set(`${KEY}/inventory`, 'Refused');
      const slow = order === 'last' ? 'order' : 'inventory';
      shop.participants.takes = async ({ participant }) => {
        for (let turn = 0; turn < (participant.name === slow ? 5 : 0); turn += 1) await Promise.resolve();
      };
      const controller = shop.controller();
      await controller.workFor(1_000);
      expect(shop.now.status?.decision).toBeUndefined();
      expect(stuck(shop)).toMatchObject({ status: 'True', reason: 'ConfirmedBefore' });
      expect(shop.now.status).toMatchObject({ waitingFor: 'inventory' });
      shop.participants.rows.set(`${KEY}/inventory`, 'Tried');
      await controller.workUntilFinal();
      expect([shop.now.status?.phase, ...rows(shop)]).toEqual(['Succeeded', 'Confirmed', 'Confirmed']);
    }
  });
});

/**
 * Whether the version tells of a try's answer and the decision that is lost with it was Cancel: stored answers are not asked for
 * again, so one whose branch was cancelled since is believed. Not promised (docs/reference/transaction.md).
 */
function forgetsACancel(shop: Shop, versionsKept: number): boolean {
  const { decision, branches = [] } = shop.server.versions(KEY)[versionsKept - 1]?.status ?? {};
  const isAnswered = branches.some(({ state }) => state !== 'Untried');
  return shop.now.status?.decision === 'Cancel' && decision === undefined && isAnswered;
}

test('put back to any version, any number of times, it ends in agreement with each effect once, if tries are answered then', async () => {
  const fault = fc.constantFrom('none' as const, 'none' as const, 'lost' as const, 'answer-lost' as const);
  const turn = fc.record({
    controller: fc.nat(1),
    order: fault,
    inventory: fault,
    advanceMs: fc.constantFrom(0, 100, 5_000, 40_000),
    versionsKept: fc.constantFrom(undefined, undefined, 1, 1, 2, 3),
  });
  let putBackDecided = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 20 }), fc.boolean(), async (turns, refuses) => {
      const shop = new Shop();
      shop.participants.refusesTry = (branch) => refuses && branch === 'inventory';
      shop.order();
      const controllers = [shop.controller(), shop.controller()];
      let wasPutBack = false;
      for (const { controller, advanceMs, versionsKept, ...faults } of turns) {
        // A try that is never answered tells nobody that its branch was confirmed before: the deadline then decides as ever.
        shop.participants.fault = ({ participant, operation }) =>
          operation === 'try' && wasPutBack ? 'none' : faults[participant.name as 'order' | 'inventory'];
        shop.clock.ms += advanceMs;
        controllers[controller]!.queue.soon(KEY);
        await controllers[controller]!.work();
        if (versionsKept === undefined || forgetsACancel(shop, versionsKept)) continue;
        if (shop.now.status?.decision !== undefined) putBackDecided += 1;
        shop.server.goBack(KEY, versionsKept);
        wasPutBack = true;
        for (const each of controllers) each.relisted();
      }
      shop.participants.fault = () => 'none';
      await shop.controller().workUntilFinal();
      const end = shop.now.status?.decision === 'Confirm' ? 'Confirmed' : 'Cancelled';
      expect([...shop.participants.rows.values()]).toEqual([end, end]);
      expect([...shop.participants.effects.values()].every((count) => count === 1)).toBe(true);
      expect(shop.server.refusals).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(putBackDecided).toBeGreaterThan(100);
});

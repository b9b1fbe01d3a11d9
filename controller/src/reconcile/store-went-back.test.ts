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
      'order has confirmed it before, so it is not cancelled although no answer to the try within 30 s from inventory (no answer). Next: those that have not tried are asked again, until their data agrees with the Confirm',
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

describe('a stored answer to a try', () => {
  /** Inventory's Tried is stored, with the news that order does not answer. */
  async function halfTried(): Promise<{ readonly shop: Shop; readonly orderAnswers: () => void }> {
    const shop = new Shop();
    shop.order();
    shop.participants.fault = ({ participant }) => (participant.name === 'order' ? 'lost' : 'none');
    const first = shop.controller();
    await first.workFor(1_000);
    expect(shop.now.status?.branches).toMatchObject([
      { name: 'order', state: 'Untried' },
      { name: 'inventory', state: 'Tried' },
    ]);
    first.crash();
    return { shop, orderAnswers: () => (shop.participants.fault = () => 'none') };
  }
  const triesAt = (shop: Shop, name: string): number =>
    shop.participants.calls.filter(({ branch, operation }) => branch === name && operation === 'try').length;

  test('does not count once its branch was cancelled in a life that the store has forgotten', async () => {
    const { shop, orderAnswers } = await halfTried();
    const kept = shop.server.versions(KEY).length;
    await shop.controller().workFor(40_000);
    expect(shop.now.status).toMatchObject({ decision: 'Cancel', decisionReason: 'DeadlineExceeded' });
    orderAnswers();
    await shop.controller().workUntilFinal();
    shop.participants.rows.delete(`${KEY}/order`);
    shop.server.goBack(KEY, kept);
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({
      ...{ phase: 'Cancelled', decisionReason: 'Refused' },
      branches: [{ state: 'Cancelled' }, { state: 'Cancelled' }],
    });
    expect([...shop.participants.rows.values()]).toEqual(['Cancelled', 'Cancelled']);
    expect(shop.now.status?.conditions?.find(({ type }) => type === 'Succeeded')?.message).toBe(
      'inventory refused: cancelled',
    );
    expect(shop.server.refusals).toEqual([]);
  });

  test('that was on its way when the store went back does not count either', async () => {
    const shop = new Shop();
    shop.order();
    const arrived = Promise.withResolvers<undefined>();
    shop.participants.returns = ({ participant }) =>
      participant.name === 'inventory' ? arrived.promise : Promise.resolve();
    const first = shop.controller();
    await first.passes();
    expect(shop.participants.rows.get(`${KEY}/inventory`)).toBe('Tried');
    shop.participants.returns = () => Promise.resolve();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, cancelRequested: true } }));
    await shop.controller().workUntilFinal();
    // Of the order's branch the store knows what its service has forgotten as well; inventory's service has forgotten nothing.
    shop.participants.rows.delete(`${KEY}/order`);
    shop.server.goBack(KEY, 1);
    first.relisted();
    arrived.resolve(undefined);
    await first.workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
    expect(shop.server.refusals).toEqual([]);
  });

  test('is asked for again by a controller that has not heard it, and only once', async () => {
    const { shop, orderAnswers } = await halfTried();
    expect(triesAt(shop, 'inventory')).toBe(1);
    const second = shop.controller();
    await second.workFor(5_000);
    expect(triesAt(shop, 'inventory')).toBe(2);
    orderAnswers();
    await second.workUntilFinal();
    expect(triesAt(shop, 'inventory')).toBe(2);
    expect(shop.participants.effects.get(`${KEY}/inventory/try`)).toBe(1);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('stays stored while its participant is away; then the deadline decides, after it was asked', async () => {
    const { shop } = await halfTried();
    shop.participants.fault = () => 'lost';
    const second = shop.controller();
    await second.workFor(20_000);
    expect(shop.now.status).toMatchObject({
      waitingFor: 'order',
      branches: [{ state: 'Untried' }, { state: 'Tried' }],
    });
    const writes = shop.server.writes;
    await second.workFor(8_000);
    expect(shop.server.writes - writes).toBeLessThanOrEqual(1);
    await second.workFor(20_000);
    expect(shop.now.status).toMatchObject({
      ...{ decision: 'Cancel', decisionReason: 'DeadlineExceeded' },
      branches: [{ state: 'Untried' }, { state: 'Tried' }],
    });
    expect(triesAt(shop, 'inventory')).toBeGreaterThan(1);
  });

  test('that was no is not stored before the decision: after a suspension another may turn out to have confirmed', async () => {
    const shop = new Shop();
    shop.order();
    shop.participants.rows.set(`${KEY}/order`, 'Confirmed');
    shop.participants.refusesTry = (branch) => branch === 'inventory';
    shop.participants.fault = ({ participant }) => (participant.name === 'order' ? 'lost' : 'none');
    const suspended = (suspend: boolean): void =>
      shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend } }));
    const controller = shop.controller();
    shop.participants.takes = async ({ participant }) => {
      if (participant.name === 'inventory' && !shop.now.spec.suspend) suspended(true);
    };
    await controller.workFor(1_000);
    expect(shop.now.status).toMatchObject({
      branches: [{ state: 'Untried' }, { state: 'Untried', lastError: 'refused' }],
      conditions: [{ type: 'Suspended', status: 'True' }],
    });
    shop.participants.takes = () => Promise.resolve();
    suspended(false);
    shop.participants.fault = ({ participant }) => (participant.name === 'order' ? 'none' : 'lost');
    controller.queue.soon(KEY);
    await controller.workFor(1_000);
    expect(shop.now.status?.decision).toBeUndefined();
    shop.participants.rows.set(`${KEY}/inventory`, 'Tried');
    shop.participants.fault = () => 'none';
    await controller.workUntilFinal();
    expect([shop.now.status?.phase, ...shop.participants.rows.values()]).toEqual([
      'Succeeded',
      'Confirmed',
      'Confirmed',
    ]);
  });
});

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
        if (versionsKept === undefined) continue;
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
    { numRuns: 500 },
  );
  expect(putBackDecided).toBeGreaterThan(100);
});

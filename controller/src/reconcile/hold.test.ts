/**
 * Participants and messages on hold: nothing is sent, nothing is counted, nobody is alarmed; and all goes on when they are released.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate } from '../../../crds/generated/transactionflow.ts';
import { conditionIsTrue } from '../transaction/conditions.ts';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { type Controller, flowNamed, KEY, Shop } from './shop-fake.ts';

const DEADLINE_MS = 30_000;
const LATER_MS = 120_000;
const LOCK: MessageTemplate = {
  ...{ name: 'lock-wms', when: 'Confirmed', stream: 'wms', type: 'stock.lock', delivery: 'Reliable' },
};
const SMS: MessageTemplate = {
  ...{ name: 'sms', when: 'Confirmed', stream: 'notification', type: 'sms.paid', delivery: 'BestEffort' },
  maxAttempts: 2,
};

let shop: Shop;
let controller: Controller;
let generation: number;
/** `<operation> <branch>`. */
let sent: string[];
let writesBefore: number;

beforeEach(() => {
  shop = new Shop();
  generation = 1;
  sent = [];
  shop.participants.onSent = ({ operation, participant }) => void sent.push(`${operation} ${participant.name}`);
});

function putFlow(
  hold: Readonly<Record<string, string>>,
  { timeoutSeconds = 86_400, messages = [] as readonly MessageTemplate[] } = {},
): void {
  generation += 1;
  const flow = flowNamed('create-order');
  shop.flows.flows.set('create-order', {
    ...flow,
    metadata: { ...flow.metadata, generation },
    spec: { ...flow.spec, timeoutSeconds, messages, hold },
  });
  controller?.queue.soon(KEY);
}

function begin(): void {
  shop.order();
  controller = shop.controller();
  writesBefore = shop.server.writes;
}

function edit(change: Partial<OrderTransaction['spec']>): void {
  shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, ...change } }));
  controller.queue.soon(KEY);
}

function writes(): number {
  return shop.server.writes - writesBefore;
}

function isStuck(): boolean {
  return conditionIsTrue(shop.now.status, 'Stuck');
}

describe('a participant on hold', () => {
  test('is not called; that it is on hold, and why, is one write', async () => {
    putFlow({ inventory: 'stock count until 14:00' });
    begin();
    await controller.workFor(LATER_MS);
    expect(sent).toEqual(['try order']);
    expect(shop.now.status).toMatchObject({
      waitingFor: 'inventory',
      message: 'on hold: inventory (stock count until 14:00); the deadline runs on',
    });
    expect(shop.now.status?.branches?.find(({ name }) => name === 'inventory')).toEqual({
      ...{ name: 'inventory', state: 'Untried', attempts: 0 },
    });
    // And what order answered, within a minute.
    expect(writes()).toBe(2);
  });

  test('makes nothing Stuck, neither meanwhile nor when it is released', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.workFor(LATER_MS);
    expect(isStuck()).toBe(false);
    shop.participants.takes = ({ participant }) =>
      participant.name === 'inventory' ? new Promise(() => undefined) : Promise.resolve();
    putFlow({});
    await controller.passesFor(59_000);
    expect(isStuck()).toBe(false);
    await controller.passesFor(2_000);
    expect(isStuck()).toBe(true);
    expect(shop.warnings).toEqual(['TakingTooLong']);
  });

  test('released, is called at once, and the transaction ends without another write about the hold', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.workFor(1_000);
    const before = shop.server.writes;
    putFlow({});
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', message: '', waitingFor: '' });
    expect(shop.server.writes - before).toBe(2);
  });

  test('is released for a controller as well that has never seen the hold', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.workFor(LATER_MS);
    controller.crash();
    putFlow({});
    controller = shop.controller();
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(shop.warnings).toEqual([]);
  });

  test('does not keep the deadline from deciding, and what was decided from waiting for it', async () => {
    putFlow({ inventory: 'stock count' }, { timeoutSeconds: 30 });
    begin();
    await controller.workFor(DEADLINE_MS - 1);
    expect(shop.now.status?.decision).toBeUndefined();
    await controller.workFor(LATER_MS);
    expect(shop.now.status).toMatchObject({
      ...{ decision: 'Cancel', decisionReason: 'DeadlineExceeded', phase: 'Cancelling', waitingFor: 'inventory' },
      message: 'on hold: inventory (stock count)',
    });
    expect(sent).toEqual(['try order', 'cancel order']);
    expect(isStuck()).toBe(false);
    putFlow({});
    await controller.work();
    expect(shop.now.status).toMatchObject({
      phase: 'Cancelled',
      message: 'no answer to the try within 30 s from inventory (on hold: stock count)',
    });
  });

  test('ends the alarm that it takes too long: somebody sees to it', async () => {
    putFlow({});
    shop.participants.fault = ({ participant }) => (participant.name === 'inventory' ? 'lost' : 'none');
    begin();
    await controller.workFor(LATER_MS);
    expect(isStuck()).toBe(true);
    putFlow({ inventory: 'it is being mended' });
    await controller.work();
    expect(isStuck()).toBe(false);
    expect(shop.now.status?.message).toBe('on hold: inventory (it is being mended); the deadline runs on');
  });

  test('hides no other trouble', async () => {
    putFlow({ inventory: 'stock count' });
    shop.participants.fault = ({ participant }) => (participant.name === 'order' ? 'lost' : 'none');
    begin();
    await controller.workFor(LATER_MS);
    expect(shop.now.status).toMatchObject({
      waitingFor: 'order',
      message:
        'the try at order is not done: no answer. Next: it is asked again, until the deadline cancels the transaction',
    });
    expect(isStuck()).toBe(true);
  });

  test('with a new reason, or another one, is told within a minute and not at once for each', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.workFor(LATER_MS);
    const before = shop.server.writes;
    putFlow({ inventory: 'it takes longer' });
    await controller.work();
    await controller.workFor(61_000);
    expect(shop.server.writes - before).toBe(1);
    expect(shop.now.status?.message).toContain('it takes longer');
  });

  test('withdraws the call that waits for its place, and what is under way ends as it ends', async () => {
    putFlow({});
    const free = shop.participants.occupy('inventory');
    const flow = shop.flows.flows.get('create-order')!;
    const narrow = flow.spec.participants.map((each) => ({ ...each, maxConcurrency: 1 }));
    shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, participants: narrow } });
    begin();
    await controller.passes();
    putFlow({ inventory: 'stock count' });
    free();
    await controller.passes();
    expect(sent).toEqual(['try order']);
  });

  test('is not called on a retry request, but at once when it is released', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.workFor(1_000);
    const annotations = { [RETRY_ANNOTATION]: 'now' };
    shop.server.edit(KEY, (stored) => ({ ...stored, metadata: { ...stored.metadata, annotations } }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(sent).toEqual(['try order']);
    expect(shop.now.status?.lastHandledRetryAt).toBe('now');
    putFlow({});
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('keeps no cancellation and no resolution from taking effect', async () => {
    putFlow({ inventory: 'stock count' });
    begin();
    await controller.work();
    edit({ cancelRequested: true });
    await controller.work();
    expect(shop.now.status).toMatchObject({ decisionReason: 'CancelRequested', phase: 'Cancelling' });
    edit({ resolutions: [{ target: 'inventory', as: 'Cancelled', reason: 'by hand' }] });
    await controller.work();
    expect(shop.now.status?.phase).toBe('Cancelled');
    expect(sent).not.toContain('cancel inventory');
  });
});

describe('a message on hold', () => {
  test('holds no other, whatever that one is called', async () => {
    const odd = { ...LOCK, name: 'constructor' };
    putFlow({ 'lock-wms': 'stocktaking' }, { messages: [LOCK, odd] });
    begin();
    await controller.work();
    expect(shop.published).toEqual(['constructor 1']);
  });

  test('is not published, says so once, and is not Stuck; released, it is published at once', async () => {
    putFlow({ 'lock-wms': 'warehouse moves' }, { messages: [LOCK] });
    begin();
    await controller.workFor(LATER_MS);
    expect(shop.published).toEqual([]);
    expect(shop.now.status).toMatchObject({
      ...{ phase: 'Delivering', waitingFor: 'lock-wms', message: 'on hold: lock-wms (warehouse moves)' },
      messages: [{ name: 'lock-wms', state: 'Pending', attempts: 0 }],
    });
    expect(isStuck()).toBe(false);
    expect(writes()).toBe(2);
    putFlow({}, { messages: [LOCK] });
    await controller.work();
    expect(shop.published).toEqual(['lock-wms 1']);
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', message: '' });
    expect(writes()).toBe(3);
  });

  test('that was published before is published at once after its release, whatever its back-off', async () => {
    putFlow({}, { messages: [LOCK] });
    begin();
    await controller.workFor(100_000);
    putFlow({ 'lock-wms': 'warehouse moves' }, { messages: [LOCK] });
    await controller.work();
    const before = shop.published.length;
    await controller.workFor(1_000);
    expect(shop.published.length).toBe(before);
    putFlow({}, { messages: [LOCK] });
    await controller.work();
    expect(shop.published.length).toBe(before + 1);
  });

  test('and its receipt comes after all: it is delivered', async () => {
    putFlow({}, { messages: [LOCK] });
    begin();
    await controller.work();
    putFlow({ 'lock-wms': 'warehouse moves' }, { messages: [LOCK] });
    await controller.work();
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('whose consumer does not answer once it is released is not said to be on hold for ever', async () => {
    putFlow({ 'lock-wms': 'warehouse moves' }, { messages: [LOCK] });
    begin();
    await controller.workFor(LATER_MS);
    putFlow({}, { messages: [LOCK] });
    await controller.workFor(61_000);
    expect(shop.now.status?.message).not.toContain('on hold');
  });

  test('of best effort keeps its attempts, and removal waits for it', async () => {
    putFlow({ sms: 'provider away' }, { messages: [SMS] });
    begin();
    await controller.workFor(LATER_MS);
    expect(shop.published).toEqual([]);
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', messages: [{ state: 'Pending', attempts: 0 }] });
    expect(shop.now.status?.expires).toBeUndefined();
    putFlow({}, { messages: [SMS] });
    await controller.workFor(LATER_MS);
    expect(shop.published).toEqual(['sms 1', 'sms 2']);
    expect(shop.now.status?.messages).toEqual([expect.objectContaining({ state: 'GaveUp', attempts: 2 })]);
    expect(shop.now.status?.expires).toBeDefined();
  });
});

test('whatever is held and released, and whatever fails: nothing is sent to what is held, and all ends once released', async () => {
  const target = fc.constantFrom('order', 'inventory', 'lock-wms', 'sms');
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ hold: target }) },
    { weight: 3, arbitrary: fc.record({ release: target }) },
    { weight: 4, arbitrary: fc.record({ passMs: fc.constantFrom(0, 1_000, 31_000) }) },
    fc.record({ does: fc.constantFrom('lose', 'answer', 'refuse', 'receipt', 'restart', 'cancel') }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      shop = new Shop();
      const hold = new Map<string, string>();
      const put = (): void => putFlow(Object.fromEntries(hold), { timeoutSeconds: 30, messages: [LOCK, SMS] });
      const wrong: string[] = [];
      const held = (name: string): boolean => shop.flows.flows.get('create-order')?.spec.hold?.[name] !== undefined;
      shop.participants.onSent = ({ participant: { name } }) => {
        if (held(name)) wrong.push(name);
      };
      put();
      begin();
      for (const each of steps) {
        const published = shop.published.length;
        if ('hold' in each) hold.set(each.hold, 'maintenance');
        if ('release' in each) hold.delete(each.release);
        if ('hold' in each || 'release' in each) put();
        if ('passMs' in each) await controller.workFor(each.passMs);
        if ('does' in each) await live(each.does);
        const publishedNow = shop.published.slice(published).map((text) => text.split(' ')[0] ?? '');
        wrong.push(...publishedNow.filter(held));
        const { status = {} } = shop.now;
        if (status.message?.startsWith('on hold') === true && isStuck()) wrong.push('Stuck on hold');
        expect(wrong).toEqual([]);
      }
      hold.clear();
      shop.participants.fault = () => 'none';
      put();
      await controller.workFor(61_000);
      controller.receipt('lock-wms', { kind: 'delivered' });
      await controller.workFor(300_000);
      expect(shop.now.status?.expires).toBeDefined();
      expect([...shop.participants.effects.values()].every((count) => count === 1)).toBe(true);
    }),
    { numRuns: 150 },
  );

  async function live(what: string): Promise<void> {
    switch (what) {
      case 'lose':
        shop.participants.fault = () => 'lost';
        return;
      case 'answer':
        shop.participants.fault = () => 'none';
        return;
      case 'refuse':
        shop.participants.refusesTry = (branch) => branch === 'order';
        return;
      case 'receipt':
        controller.receipt('lock-wms', { kind: 'delivered' });
        return;
      case 'cancel':
        if (shop.now.status?.decision === undefined) edit({ cancelRequested: true });
        return;
      case 'restart':
        controller.crash();
        controller = shop.controller();
        await controller.workFor(0);
    }
  }
});

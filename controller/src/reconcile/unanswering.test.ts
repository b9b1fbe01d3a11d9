/**
 * A participant that answers nobody: who asks it meanwhile, what is said and decided, and how all go on when it is back.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { type Controller, flowNamed, KEY, Shop } from './shop-fake.ts';

const DEADLINE_MS = 30_000;
const SENTENCE =
  'the try at inventory is not done: answers no transaction at present: it is asked again once a second, by turns. Next: it is asked again, until the deadline cancels the transaction';

let shop: Shop;
let controller: Controller;
/** Calls that went out to inventory: `<second> <operation>`. */
let asked: string[];
let startedMs: number;

beforeEach(() => {
  shop = new Shop();
  asked = [];
  startedMs = shop.clock.now();
  shop.participants.onSent = ({ operation, participant }) => {
    if (participant.name === 'inventory') asked.push(`${(shop.clock.now() - startedMs) / 1_000} ${operation}`);
  };
  shop.participants.fault = ({ participant }) => (participant.name === 'inventory' ? 'lost' : 'none');
});

/** Inventory answers nobody, and this controller knows. */
function inventoryIsDown(): void {
  controller ??= shop.controller();
  shop.participants.failFor('inventory', 3);
}

function inventoryIsBack(): void {
  shop.participants.fault = () => 'none';
}

describe('behind a participant that answers nobody', () => {
  beforeEach(async () => {
    inventoryIsDown();
    // Created long enough after it was found out.
    shop.clock.ms += 5_000;
    startedMs = shop.clock.now();
    shop.participants.occupy('inventory'); // It is another's turn just now.
    shop.order();
    controller = shop.controller();
    await controller.passesFor(0);
  });

  test('a new transaction says so without having called it, in one write', () => {
    expect(shop.now.status).toMatchObject({ waitingFor: 'inventory', message: SENTENCE });
    expect(shop.now.status?.branches).toContainEqual(expect.objectContaining({ name: 'inventory', attempts: 0 }));
    expect(shop.server.writes).toBe(1);
  });

  test('it is asked by turns, in vain, and no oftener', async () => {
    await controller.passesFor(10_000);
    expect(asked.length).toBeGreaterThanOrEqual(9);
    expect(asked.length).toBeLessThanOrEqual(11);
  });

  test('hundreds of turns in vain cost a write a minute', async () => {
    shop.flows.flows.set('create-order', longFlow());
    controller.queue.soon(KEY);
    await controller.passesFor(0);
    const before = shop.server.writes;
    await controller.passesFor(300_000);
    // The first error of its own, that it takes too long, and one a minute.
    expect(shop.server.writes - before).toBeLessThanOrEqual(8);
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stuck', status: 'True' }));
  });

  test('its first answer is the end of the waiting, and the transaction goes on at once', async () => {
    await controller.passesFor(3_000);
    inventoryIsBack();
    await controller.passesFor(1_000);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('another transaction’s answer is as good', async () => {
    shop.participants.answerOther('inventory');
    inventoryIsBack();
    await controller.passesFor(0);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('the deadline decides in time, also of what was not its turn yet', async () => {
    // Somebody else's transactions take all the turns.
    keepTurnsTaken();
    await controller.passesFor(DEADLINE_MS + 1_000);
    expect(asked.filter((call) => call.endsWith('try'))).toEqual([]);
    expect(shop.now.status).toMatchObject({ decision: 'Cancel', decisionReason: 'DeadlineExceeded' });
    expect(Date.parse(shop.now.status?.decidedAt ?? '') - startedMs).toBe(DEADLINE_MS);
  });

  test('the cancel waits for its turn, and is carried out when it is back', async () => {
    await controller.passesFor(DEADLINE_MS + 5_000);
    expect(shop.now.status).toMatchObject({ phase: 'Cancelling', waitingFor: 'inventory' });
    inventoryIsBack();
    await controller.passesFor(1_000);
    expect(shop.now.status?.phase).toBe('Cancelled');
  });

  test('a suspension holds at once and nothing is asked', async () => {
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, suspend: true } }));
    controller.queue.soon(KEY);
    await controller.passesFor(10_000);
    expect(asked).toEqual([]);
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Suspended', status: 'True' }));
  });

  test('a cancellation that is requested is decided at once', async () => {
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, cancelRequested: true } }));
    controller.queue.soon(KEY);
    await controller.passesFor(0);
    expect(shop.now.status?.decisionReason).toBe('CancelRequested');
  });

  test('a branch settled by hand is asked no more, and the transaction ends', async () => {
    await controller.passesFor(DEADLINE_MS);
    asked = [];
    const resolutions = [{ target: 'inventory', as: 'Cancelled' as const, reason: 'by hand' }];
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, resolutions } }));
    controller.queue.soon(KEY);
    await controller.passesFor(5_000);
    expect(shop.now.status?.phase).toBe('Cancelled');
    expect(asked).toEqual([]);
  });

  test('a person’s retry is one attempt at once, and no second one', async () => {
    keepTurnsTaken();
    requestRetry('now');
    await controller.passesFor(4_000);
    expect(asked).toEqual(['0 try']);
    expect(shop.now.status?.lastHandledRetryAt).toBe('now');
  });

  test('a corrected endpoint is called at once', async () => {
    inventoryIsBack();
    const flow = flowNamed('create-order');
    const participants = flow.spec.participants.map((each) => ({
      ...each,
      endpoint: { service: { name: `${each.name}-2`, port: 8080 } },
    }));
    shop.flows.flows.set('create-order', {
      ...flow,
      metadata: { ...flow.metadata, generation: 2 },
      spec: { ...flow.spec, participants },
    });
    controller.queue.soon(KEY);
    await controller.passesFor(0);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });
});

test('a back-off that has grown long ends when the participant comes back', async () => {
  shop.order();
  shop.flows.flows.set('create-order', longFlow());
  controller = shop.controller();
  await controller.passesFor(100_000);
  asked = [];
  inventoryIsDown();
  await controller.passesFor(0);
  shop.participants.answerOther('inventory');
  inventoryIsBack();
  await controller.passesFor(0);
  expect(shop.now.status?.phase).toBe('Succeeded');
});

test('one transaction that always fails keeps to its back-off', async () => {
  shop.order();
  shop.flows.flows.set('create-order', longFlow());
  controller = shop.controller();
  await controller.passesFor(60_000);
  expect(asked.length).toBeLessThan(12);
  expect(shop.participants.health('', longFlow().spec.participants[1]!).downForMs).toBeUndefined();
});

test('a participant that has said when it wants to be asked is not asked sooner by turns', async () => {
  shop.order();
  shop.participants.fault = ({ participant }) => (participant.name === 'inventory' ? 'later' : 'none');
  controller = shop.controller();
  await controller.passesFor(0);
  inventoryIsDown();
  asked = [];
  await controller.passesFor(40);
  expect(asked).toEqual([]);
});

test('a restarted controller asks each branch once before the deadline counts (T5)', async () => {
  shop.order();
  shop.clock.ms += 2 * DEADLINE_MS;
  startedMs = shop.clock.now();
  controller = shop.controller();
  inventoryIsDown();
  await controller.passesFor(200);
  expect(asked).toEqual([]);
  expect(shop.now.status?.decision).toBeUndefined();
  await controller.passesFor(100);
  expect(asked[0]).toBe('0.25 try');
  expect(shop.now.status?.decisionReason).toBe('DeadlineExceeded');
});

function longFlow() {
  const flow = flowNamed('create-order');
  return { ...flow, spec: { ...flow.spec, timeoutSeconds: 86_400 } };
}

/** A call of another's takes each turn before ours, and hangs. */
function keepTurnsTaken(): void {
  for (let nth = 0; nth < 100; nth += 1) shop.participants.occupy('inventory', 'overdue');
}

function requestRetry(token: string): void {
  shop.server.edit(KEY, (stored) => ({
    ...stored,
    metadata: { ...stored.metadata, annotations: { [RETRY_ANNOTATION]: token } },
  }));
  controller.queue.soon(KEY);
}

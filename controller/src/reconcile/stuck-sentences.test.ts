/**
 * What a person reads of a transaction that cannot go on, how soon, and what it costs the API server (T6).
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { WORKING_ON_IT, type Operation, type Outcome } from '../transaction/outcome.ts';
import { type Controller, flowNamed, KEY, Shop, LOCK_WMS } from './shop-fake.ts';

const MINUTE_MS = 60_000;
const DAY_SECONDS = 86_400;
const unavailable: Outcome = { kind: 'unknown', detail: 'answered 503: it is not available; is it running and ready?' };
const timedOut: Outcome = { kind: 'unknown', detail: 'gave no answer within the time' };
const later: Outcome = { kind: 'ongoing', detail: WORKING_ON_IT };
const ANSWERS: readonly Outcome[] = [unavailable, timedOut, later];

/** A shop whose transactions have a day, and longest delays of so many seconds. */
function patientShop(maxDelaySeconds = 60): Shop {
  const shop = new Shop();
  const { spec, ...flow } = flowNamed('create-order');
  const retry = { ...spec.retry, maxDelaySeconds };
  shop.flows.flows.set('create-order', { ...flow, spec: { ...spec, retry, timeoutSeconds: DAY_SECONDS } });
  return shop;
}

/** From now on inventory answers these by turns. */
function inventoryAnswers(shop: Shop, ...answers: readonly (Outcome | 'none')[]): void {
  let calls = 0;
  shop.participants.fault = ({ participant }) => {
    if (participant.name !== 'inventory') return 'none';
    calls += 1;
    return answers[calls % answers.length] ?? 'none';
  };
}

/** Numbers in [0, 1) that are the same in each run: a linear congruential generator. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const told = (shop: Shop) => shop.now.status?.message ?? '';

async function writesIn(shop: Shop, controller: Controller, durationMs: number): Promise<number> {
  const before = shop.server.writes;
  await controller.workFor(durationMs);
  return shop.server.writes - before;
}

describe('sentences that alternate', () => {
  test.each([5, 60])('cost a write a minute with longest delays of %s s', async (maxDelaySeconds) => {
    const shop = patientShop(maxDelaySeconds);
    inventoryAnswers(shop, ...ANSWERS);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(2 * MINUTE_MS);
    expect(await writesIn(shop, controller, 60 * MINUTE_MS)).toBeLessThanOrEqual(60);
    expect(shop.now.status?.waitingFor).toBe('inventory');
  });

  test('whatever they are, however they alternate, and also where it goes well in between, cost no more, and one Event at most', async () => {
    const answer = fc.constantFrom<Outcome | 'unsent' | 'lost'>(...ANSWERS, 'unsent', 'lost');
    const operations = fc.constantFrom<Operation>('try', 'confirm');
    await fc.assert(
      fc.asyncProperty(
        fc.array(answer, { minLength: 1, maxLength: 6 }),
        fc.array(answer, { minLength: 1, maxLength: 6 }),
        operations,
        fc.constantFrom(10, 60),
        async (atOrder, atInventory, operation, maxDelaySeconds) => {
          const shop = patientShop(maxDelaySeconds);
          const calls = { order: 0, inventory: 0 };
          shop.participants.fault = (call) => {
            if (call.operation !== operation) return 'none';
            const name = call.participant.name as 'order' | 'inventory';
            const answers = name === 'order' ? atOrder : atInventory;
            calls[name] += 1;
            return answers[calls[name] % answers.length] ?? 'none';
          };
          shop.order();
          const controller = shop.controller();
          await controller.workFor(2 * MINUTE_MS);
          expect(await writesIn(shop, controller, 30 * MINUTE_MS)).toBeLessThanOrEqual(30);
          // Each new controller may say once what it finds.
          controller.crash();
          const next = shop.controller();
          expect(await writesIn(shop, next, 30 * MINUTE_MS)).toBeLessThanOrEqual(31);
          expect(shop.warnings.length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 6 },
    );
  });

  test('of ten thousand that failed at the same moment cost under 200 writes a second from the second minute on', async () => {
    const SAMPLE = 400;
    const WINDOW_MS = 30_000;
    const chance = seeded(7);
    const windows = new Map<number, number>();
    for (let nth = 0; nth < SAMPLE; nth += 1) {
      const shop = patientShop();
      inventoryAnswers(shop, ...ANSWERS);
      shop.random = chance;
      shop.order(`uid-${String(nth)}`);
      const controller = shop.controller();
      await controller.workFor(MINUTE_MS + 1);
      for (let window = 0; window < 12; window += 1) {
        const writes = await writesIn(shop, controller, WINDOW_MS);
        windows.set(window, (windows.get(window) ?? 0) + writes);
      }
    }
    const perSecond = [...windows.values()].map((writes) => ((writes / SAMPLE) * 10_000) / (WINDOW_MS / 1_000));
    expect(Math.max(...perSecond)).toBeLessThan(200);
    expect(Math.min(...perSecond.slice(-4))).toBeGreaterThan(50);
  });
});

test('where 30,000 are unfinished, one costs a third of the writes, and its first trouble is told at once all the same', async () => {
  const shop = patientShop();
  inventoryAnswers(shop, ...ANSWERS);
  shop.order();
  const controller = shop.controller();
  await controller.carriesBesides(30_000);
  await controller.work();
  expect(told(shop)).toContain('inventory');
  await controller.workFor(10 * MINUTE_MS);
  const writes = await writesIn(shop, controller, 60 * MINUTE_MS);
  expect(writes).toBeLessThanOrEqual(20);
  expect(writes).toBeGreaterThanOrEqual(5);
});

describe('what is told', () => {
  test('at once: the first trouble, and what it turns out to be', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, timedOut);
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(told(shop)).toBe(
      'the try at inventory is not done: gave no answer within the time. Next: it is asked again, until the deadline cancels the transaction',
    );
    inventoryAnswers(shop, unavailable);
    await controller.workFor(1_000);
    expect(told(shop)).toContain('answered 503');
  });

  test('at once, after long trouble of one kind: another', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, unavailable);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(30 * MINUTE_MS);
    inventoryAnswers(shop, timedOut);
    await controller.workFor(61_000);
    expect(told(shop)).toContain('gave no answer within the time');
  });

  test('at once: the trouble of what was decided, whatever was told before', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, ...ANSWERS);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(5 * MINUTE_MS);
    shop.participants.fault = ({ operation }) => (operation === 'confirm' ? unavailable : 'none');
    await controller.workFor(61_000);
    expect(shop.now.status).toMatchObject({
      ...{ decision: 'Confirm', waitingFor: 'order' },
      message: expect.stringMatching(
        /^the confirm at order is not done: answered 503: .* Next: it is asked again, until it has done it$/,
      ),
    });
  });

  test('at once: what the attempt brought that a person has asked for, also where it is the same again', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, unavailable);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(10 * MINUTE_MS);
    for (const token of ['one', 'two', 'three']) {
      const attempts = () => shop.now.status?.branches?.find(({ name }) => name === 'inventory')?.attempts ?? 0;
      shop.server.edit(KEY, (stored) => ({
        ...stored,
        metadata: { ...stored.metadata, annotations: { [RETRY_ANNOTATION]: token } },
      }));
      controller.queue.soon(KEY);
      const before = attempts();
      await controller.workFor(6_000);
      expect(shop.now.status?.lastHandledRetryAt).toBe(token);
      expect(attempts()).toBe(shop.participants.calls.filter(({ branch }) => branch === 'inventory').length);
      expect(attempts()).toBeGreaterThan(before);
      expect(told(shop)).toContain('answered 503');
    }
  });

  test('however much people have asked for, a write a minute again afterwards', async () => {
    const shop = patientShop(5);
    inventoryAnswers(shop, ...ANSWERS);
    shop.order();
    const controller = shop.controller();
    for (let request = 0; request < 20; request += 1) {
      shop.server.edit(KEY, (stored) => ({
        ...stored,
        metadata: { ...stored.metadata, annotations: { [RETRY_ANNOTATION]: `token ${String(request)}` } },
      }));
      controller.queue.soon(KEY);
      await controller.workFor(6_000);
    }
    await controller.workFor(2 * MINUTE_MS);
    expect(await writesIn(shop, controller, 30 * MINUTE_MS)).toBeLessThanOrEqual(30);
    expect(await writesIn(shop, controller, 10 * MINUTE_MS)).toBeGreaterThan(4);
  });

  test('soon: that it goes well again, where it does not end by that', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, unavailable);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(30_000);
    shop.participants.fault = ({ participant }) => (participant.name === 'order' ? later : 'none');
    shop.server.edit(KEY, (stored) => stored);
    await controller.workFor(4 * MINUTE_MS);
    expect(shop.now.status?.message).not.toContain('503');
  });

  test('after trouble, a "later" as what it is, and not as the end of the trouble', async () => {
    const shop = patientShop();
    const flow = shop.flows.flows.get('create-order');
    if (!flow) throw new Error('there is no flow');
    shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, stuckAfterSeconds: DAY_SECONDS } });
    inventoryAnswers(shop, unavailable);
    shop.order();
    const controller = shop.controller();
    await controller.work();
    inventoryAnswers(shop, later);
    await controller.workFor(5 * MINUTE_MS);
    expect(shop.now.status).toMatchObject({
      waitingFor: 'inventory',
      message: expect.stringContaining(WORKING_ON_IT),
    });
  });

  test('where a participant says "later" for too long: that, and who', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, later);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(59_000);
    expect(shop.server.writes).toBe(0);
    await controller.workFor(2_000);
    expect(shop.now.status).toMatchObject({
      waitingFor: 'inventory',
      message: `the try at inventory is not done: ${WORKING_ON_IT}. Next: it is asked again, until the deadline cancels the transaction`,
      conditions: [{ type: 'Stuck', reason: 'TakingTooLong' }],
    });
  });

  test('where a refusal can be none: what was answered, and that a person is needed', async () => {
    const shop = patientShop();
    shop.participants.fault = ({ operation, participant }) =>
      operation === 'confirm' && participant.name === 'inventory'
        ? { kind: 'refused', code: 'no-try', detail: 'the branch was never tried' }
        : 'none';
    shop.order();
    await shop.controller().work();
    expect(shop.now.status).toMatchObject({
      waitingFor: 'inventory',
      message:
        'the confirm at inventory is not done: refused: the branch was never tried. Next: it is asked again at the longest delay, until its data is mended or the branch is settled by hand',
      conditions: [{ type: 'Stuck', reason: 'ConfirmRefused' }],
    });
    expect(shop.warnings).toEqual(['ConfirmRefused']);
  });

  test('where one refuses and others do not answer: the one that needs a person, whoever answers last; and once it is settled, the others', async () => {
    const shop = patientShop();
    shop.participants.fault = ({ operation, participant }) => {
      if (operation !== 'confirm') return 'none';
      return participant.name === 'order' ? unavailable : { kind: 'refused', code: 'no-try', detail: 'never tried' };
    };
    shop.order();
    const controller = shop.controller();
    for (const waitMs of [0, 5_000, 25_000]) {
      await controller.workFor(waitMs);
      const sentence = expect.stringMatching(/^the confirm at inventory is not done: refused: never tried/);
      expect(shop.now.status).toMatchObject({
        ...{ waitingFor: 'inventory', message: sentence },
        conditions: [{ type: 'Stuck', status: 'True', reason: 'ConfirmRefused', message: sentence }],
      });
    }
    // However much was written at once before.
    for (const token of ['one', 'two', 'three']) {
      const annotations = { [RETRY_ANNOTATION]: token };
      shop.server.edit(KEY, (stored) => ({ ...stored, metadata: { ...stored.metadata, annotations } }));
      controller.queue.soon(KEY);
      await controller.workFor(6_000);
    }
    const resolution = { target: 'inventory', as: 'Confirmed', reason: 'TICKET-1' } as const;
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, resolutions: [resolution] } }));
    controller.queue.soon(KEY);
    await controller.work();
    const sentence = expect.stringMatching(/^the confirm at order is not done: answered 503/);
    expect(shop.now.status).toMatchObject({ waitingFor: 'order', message: sentence });
    expect(shop.now.status?.conditions).toMatchObject([{ type: 'Stuck', status: 'False' }]);
    await controller.workFor(15_000);
    expect(shop.now.status?.conditions).toMatchObject([{ status: 'True', reason: 'TakingTooLong', message: sentence }]);
    expect(shop.warnings).toEqual(['ConfirmRefused', 'TakingTooLong']);
  });

  test('at once: what a person has settled, also where the sentence is about another and stays', async () => {
    const shop = patientShop();
    shop.participants.fault = ({ operation }) => (operation === 'confirm' ? unavailable : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(5 * MINUTE_MS);
    const sentence = told(shop);
    const resolution = { target: 'inventory', as: 'Confirmed', reason: 'TICKET-1' } as const;
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, resolutions: [resolution] } }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.branches).toMatchObject([
      { name: 'order', state: 'Tried' },
      { name: 'inventory', state: 'Confirmed' },
    ]);
    expect(told(shop)).toBe(sentence);
  });

  test('where one refuses and another may not be called: no alarm takes the place of the other each time', async () => {
    const shop = patientShop(5);
    shop.participants.fault = ({ operation, participant }) => {
      if (operation !== 'confirm') return 'none';
      return participant.name === 'order'
        ? { kind: 'blocked', reason: 'EndpointForbidden', detail: 'is not called: its endpoint is not allowed' }
        : { kind: 'refused', code: 'no-try', detail: 'never tried' };
    };
    shop.random = seeded(7);
    shop.order();
    const controller = shop.controller();
    await controller.workFor(2 * MINUTE_MS);
    expect(shop.now.status?.conditions).toMatchObject([{ status: 'True', reason: 'ConfirmRefused' }]);
    expect(await writesIn(shop, controller, 30 * MINUTE_MS)).toBeLessThanOrEqual(30);
  });

  test('where it was not called at all: that no deadline decides; the alarm ends when it can be, whatever is answered then', async () => {
    const shop = patientShop();
    shop.participants.fault = ({ participant }) =>
      participant.name === 'inventory'
        ? { kind: 'blocked', reason: 'EndpointForbidden', detail: 'is not called: its endpoint is not allowed' }
        : 'none';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status).toMatchObject({
      message:
        'the try at inventory is not done: is not called: its endpoint is not allowed. Next: it is called once it can be; no deadline decides before that, but a cancellation can be requested',
      conditions: [{ type: 'Stuck', status: 'True', reason: 'EndpointForbidden' }],
    });
    inventoryAnswers(shop, unavailable);
    await controller.workFor(61_000);
    expect(shop.now.status?.message).toContain('answered 503');
    expect(shop.now.status?.conditions).not.toContainEqual(expect.objectContaining({ reason: 'EndpointForbidden' }));
  });

  test('where its flow is missing: which, also to those who select by what is waited for', async () => {
    const shop = patientShop();
    shop.flows.flows.delete('create-order');
    shop.order();
    await shop.controller().work();
    expect(shop.now.status).toMatchObject({
      waitingFor: 'create-order',
      message:
        'the TransactionFlow create-order does not exist in this namespace: create it. Next: nothing is called, decided or ended until then; the deadline does not decide either',
    });
  });

  test('where it is suspended: that, and afterwards what was wrong before', async () => {
    const shop = patientShop();
    inventoryAnswers(shop, unavailable);
    shop.order();
    const controller = shop.controller();
    await controller.work();
    const suspend = (value: boolean): void => {
      shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, suspend: value } }));
      controller.queue.soon(KEY);
    };
    suspend(true);
    await controller.work();
    expect(told(shop)).toBe(
      'suspended: nothing is sent and nothing is decided until spec.suspend is false again; the deadline runs on',
    );
    suspend(false);
    await controller.work();
    expect(told(shop)).toContain('answered 503');
  });

  test('where it goes on after a suspension and its flow is missing: that, and that it is suspended no more', async () => {
    const shop = patientShop();
    shop.flows.flows.delete('create-order');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    for (const suspend of [true, false]) {
      shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, suspend } }));
      controller.queue.soon(KEY);
      await controller.work();
      const [stuck, suspended] = shop.now.status?.conditions ?? [];
      expect({ stuck, suspended }).toMatchObject({
        stuck: { type: 'Stuck', status: 'True', reason: 'FlowNotFound' },
        suspended: { type: 'Suspended', status: suspend ? 'True' : 'False' },
      });
    }
    expect(told(shop)).toContain('the TransactionFlow create-order does not exist');
    const writes = shop.server.writes;
    await controller.workFor(MINUTE_MS);
    expect(shop.server.writes).toBe(writes);
  });

  test('where a consumer sends no receipt: which message, after some publications and not at the first', async () => {
    const shop = patientShop();
    const flow = shop.flows.flows.get('create-order');
    if (!flow) throw new Error('there is no flow');
    shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages: [LOCK_WMS] } });
    shop.order();
    const controller = shop.controller();
    await controller.workFor(5_000);
    expect(shop.server.writes).toBe(1);
    await controller.workFor(15_000);
    expect(shop.now.status).toMatchObject({
      ...{ phase: 'Delivering', waitingFor: 'lock-wms' },
      message:
        'the message lock-wms is not delivered: its consumer has sent no receipt: is it running? read its log. Next: it is published again, until its receipt comes',
    });
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
  });
});

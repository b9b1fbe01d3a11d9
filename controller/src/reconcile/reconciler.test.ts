/**
 * The loop against small working substitutes: single stories first, then any number of controllers with copies of any
 * age, crashes, and lost requests and answers, as drawn by fast-check.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import {
  FencedParticipants,
  keyOf,
  LaggingStore,
  ManualClock,
  ManualQueue,
  MemoryApiServer,
  MemoryFlows,
} from './fakes.ts';
import type { Key } from './ports.ts';
import { Reconciler } from './reconciler.ts';

const KEY: Key = 'shop/create-o1';

function flowNamed(name: string, participants: readonly string[] = ['order', 'inventory']): TransactionFlow {
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'TransactionFlow',
    metadata: { name, namespace: 'shop', creationTimestamp: '2025-01-01T00:00:00Z' },
    spec: {
      timeoutSeconds: 30,
      stuckAfterSeconds: 60,
      ttlSecondsAfterFinished: 300,
      retry: { initialDelaySeconds: 0.2, maxDelaySeconds: 60, factor: 2 },
      participants: participants.map((each) => ({
        name: each,
        path: '/tcc/create-order',
        timeoutSeconds: 3,
        maxConcurrency: 64,
        endpoint: { service: { name: each, port: 8080 } },
      })),
    },
  };
}

class Shop {
  readonly clock = new ManualClock();
  readonly server = new MemoryApiServer();
  readonly flows = new MemoryFlows();
  readonly participants = new FencedParticipants();
  readonly warnings: string[] = [];
  readonly ended: string[] = [];

  constructor() {
    this.flows.flows.set('create-order', flowNamed('create-order'));
  }

  order(): OrderTransaction {
    return this.server.create({
      metadata: {
        name: 'create-o1',
        namespace: 'shop',
        uid: 'u1',
        creationTimestamp: new Date(this.clock.now()).toISOString(),
      },
      spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
    });
  }

  controller(): Controller {
    return new Controller(this);
  }

  get now(): OrderTransaction {
    const current = this.server.current(KEY);
    if (!current) throw new Error('the transaction is gone');
    return current;
  }
}

class Controller {
  readonly store: LaggingStore;
  readonly queue: ManualQueue;
  readonly #shop: Shop;
  readonly #reconciler: Reconciler;
  readonly #stopping = new AbortController();

  constructor(shop: Shop) {
    this.#shop = shop;
    this.store = new LaggingStore(shop.server);
    this.queue = new ManualQueue(shop.clock);
    this.#reconciler = new Reconciler({
      transactions: this.store,
      flows: shop.flows,
      participants: shop.participants,
      messages: { publish: () => Promise.resolve({ kind: 'published' }) },
      events: { warn: (_transaction, reason) => shop.warnings.push(reason) },
      ownership: { owns: () => true },
      schedule: this.queue,
      observer: {
        statusWritten: () => undefined,
        statusRefused: () => undefined,
        ended: (transaction) => shop.ended.push(keyOf(transaction)),
      },
      clock: shop.clock,
      random: () => 0.5,
      stopping: this.#stopping.signal,
    });
    this.queue.soon(KEY);
  }

  /** Everything that can be done at this moment. */
  async work(): Promise<void> {
    for (let key = this.queue.take(); key !== undefined; key = this.queue.take()) {
      await this.#reconciler.reconcile(key);
      await this.#reconciler.idle();
    }
  }

  /** One pass only, without waiting for what it began. */
  async pass(): Promise<void> {
    const key = this.queue.take();
    if (key !== undefined) await this.#reconciler.reconcile(key);
  }

  /** Works and lets the time run until the transaction is final. */
  async workUntilFinal(limitMs = 600_000): Promise<void> {
    const endMs = this.#shop.clock.now() + limitMs;
    for (;;) {
      await this.work();
      if (this.#shop.now.status?.finishedAt !== undefined) return;
      const nextMs = this.queue.nextAtMs();
      if (nextMs === undefined || nextMs > endMs)
        throw new Error(`not final: ${JSON.stringify(this.#shop.now.status)}`);
      this.#shop.clock.ms = nextMs;
    }
  }

  crash(): void {
    this.#stopping.abort();
  }
}

describe('one controller', () => {
  test('a happy transaction is written twice and every effect happens once', async () => {
    const shop = new Shop();
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decision: 'Confirm', decisionReason: 'AllTried' });
    expect(shop.server.writes).toBe(2);
    expect([...shop.participants.effects.values()]).toEqual([1, 1, 1, 1]);
    expect(shop.ended).toEqual([KEY]);
  });

  test('a refused transaction is cancelled everywhere in two writes and says why', async () => {
    const shop = new Shop();
    shop.participants.refusesTry = (branch) => branch === 'inventory';
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({
      phase: 'Cancelled',
      decisionReason: 'Refused',
      message: 'inventory refused: refused',
      waitingFor: '',
    });
    expect(shop.server.writes).toBe(2);
    expect([...shop.participants.rows.values()]).toEqual(['Cancelled', 'Cancelled']);
  });

  test('no confirm or cancel is sent by a copy that does not carry the decision', async () => {
    const shop = new Shop();
    shop.order();
    await shop.controller().workUntilFinal();
    const early = shop.participants.calls.filter((call) => call.operation !== 'try' && call.decided === undefined);
    expect(early).toEqual([]);
  });

  test('trouble is written with the first failed attempt and then at most once a minute', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'confirm' ? 'lost' : 'none';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Confirming', waitingFor: 'inventory' });
    expect(shop.server.writes).toBe(2);
    const endMs = shop.clock.now() + 600_000;
    for (
      let next = controller.queue.nextAtMs();
      next !== undefined && next < endMs;
      next = controller.queue.nextAtMs()
    ) {
      shop.clock.ms = next;
      await controller.work();
    }
    expect(shop.server.writes).toBeLessThanOrEqual(2 + 10 + 1);
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stuck', status: 'True' }));
    expect(shop.warnings).toEqual(['TakingTooLong']);
    shop.participants.fault = () => 'none';
    await controller.workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stuck', status: 'False' }));
  });

  test('a try that is never answered ends in Cancel at the deadline, for every branch', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'try' ? 'lost' : 'none';
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
    expect([...shop.participants.rows.values()]).toEqual(['Cancelled', 'Cancelled']);
  });

  test('however late: when every try is answered after the deadline, a restarted controller confirms', async () => {
    const shop = new Shop();
    shop.order();
    shop.clock.ms += 3_600_000;
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
  });

  test('a refused confirm is an alarm at once, is asked again for ever, and ends when it is mended', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    shop.participants.fault = (call) => {
      if (call.operation === 'confirm' && call.participant.name === 'order')
        shop.participants.rows.set(`${KEY}/order`, 'Cancelled');
      return 'none';
    };
    await controller.work();
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stuck', status: 'True', reason: 'ConfirmRefused' }),
    );
    shop.participants.fault = () => 'none';
    shop.participants.rows.set(`${KEY}/order`, 'Tried');
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a missing flow calls nobody; the transaction goes on when it appears', async () => {
    const shop = new Shop();
    shop.flows.flows.clear();
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.participants.calls).toEqual([]);
    expect(shop.now.status).toMatchObject({ phase: 'Pending' });
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stuck', reason: 'FlowNotFound' }),
    );
    shop.flows.flows.set('create-order', flowNamed('create-order'));
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a flow that came back with fewer participants is not believed', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.flows.flows.set('create-order', flowNamed('create-order', ['order']));
    shop.clock.ms += 120_000;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Trying' });
    expect(shop.now.status?.message).toContain('lacks this transaction’s participant inventory'.replace('’', "'"));
    expect(shop.now.status?.decision).toBeUndefined();
  });

  test('suspended, it sends and decides nothing and says so; resumed, it goes on', async () => {
    const shop = new Shop();
    shop.order();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend: true } }));
    const controller = shop.controller();
    shop.clock.ms += 120_000;
    await controller.work();
    expect(shop.participants.calls).toEqual([]);
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Suspended', status: 'True', observedGeneration: 1 }),
    );
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend: false } }));
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a cancel requested before the decision wins over all branches tried', async () => {
    const shop = new Shop();
    shop.order();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, cancelRequested: true } }));
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'CancelRequested' });
  });

  test('a branch settled by hand is not called again and the transaction ends', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'confirm' ? 'lost' : 'none';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.server.edit(KEY, (transaction) => ({
      ...transaction,
      spec: { ...transaction.spec, resolutions: [{ target: 'inventory', as: 'Confirmed', reason: 'done by hand' }] },
    }));
    const before = shop.participants.calls.length;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(shop.participants.calls.length).toBe(before);
  });

  test('the retry annotation asks at once and is acknowledged', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.participants.fault = () => 'none';
    shop.server.edit(KEY, (transaction) => ({
      ...transaction,
      metadata: { ...transaction.metadata, annotations: { 'ordertx.dev/retry-requested-at': 'now' } },
    }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', lastHandledRetryAt: 'now' });
  });
});

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

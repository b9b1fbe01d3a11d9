/**
 * A shop in memory: the loop with its substitutes put together, one transaction, and as many controllers as a test wants.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { settle } from '../runtime/manual-clock.ts';
import { RemoteClock } from '../runtime/remote-clock.ts';
import type { MessageOutcome } from '../transaction/answers.ts';
import { isFinal } from '../transaction/phase.ts';
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

/** At one moment there is little to do for one transaction: more is a loop that nothing ends. */
const PASSES_AT_ONCE_MAX = 100;

const CLOCKS_STARTED_MS = Date.parse('2020-01-01T00:00:00Z');

export const KEY: Key = 'shop/create-o1';

/** A message of a flow, to the warehouse. */
export const LOCK_WMS = {
  name: 'lock-wms',
  when: 'Confirmed',
  stream: 'wms',
  type: 'stock.lock',
  delivery: 'Reliable',
} as const;

export function flowNamed(name: string, participants: readonly string[] = ['order', 'inventory']): TransactionFlow {
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'TransactionFlow',
    metadata: {
      ...{ name, namespace: 'shop', creationTimestamp: '2025-01-01T00:00:00Z' },
      finalizers: ['ordertx.dev/in-use'],
    },
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

export class Shop {
  readonly clock = new ManualClock();
  readonly server = new MemoryApiServer();
  readonly flows = new MemoryFlows();
  readonly participants = new FencedParticipants(this.clock);
  readonly warnings: string[] = [];
  readonly ended: string[] = [];
  readonly published: string[] = [];
  /** What back-offs are spread by, in [0, 1). */
  random: () => number = () => 0.5;
  brokerIsDown = false;
  /** Down, and the controllers know it. */
  brokerIsAway = false;
  /** Whether a publication stays in its consumer's hand until `consumerEnds`. */
  consumerIsSlow = false;
  readonly #inHand: (() => void)[] = [];
  #creations = 1;

  constructor() {
    this.flows.flows.set('create-order', flowNamed('create-order'));
  }

  /** As its creator does when the API server has lost it: the same transaction, and another object. */
  orderAgain(): OrderTransaction {
    this.server.remove(KEY);
    this.#creations += 1;
    return this.order();
  }

  /** @param uid the object's */
  order(uid = `u${this.#creations}`): OrderTransaction {
    return this.server.create({
      metadata: {
        name: 'create-o1',
        namespace: 'shop',
        uid,
        creationTimestamp: new Date(this.clock.now()).toISOString(),
      },
      spec: {
        flow: 'create-order',
        orderId: 'o1',
        payload: {},
        suspend: false,
        cancelRequested: false,
        resolutions: [],
      },
    });
  }

  /** What lies on the stream, or is being handled, is taken off without a receipt. */
  consumerEnds(): void {
    this.#inHand.splice(0).forEach((ended) => ended());
  }

  handled(): Promise<void> {
    return this.consumerIsSlow ? new Promise((resolve) => this.#inHand.push(resolve)) : Promise.resolve();
  }

  controller(clocks: ControllerClocks = {}): Controller {
    return new Controller(this, clocks);
  }

  get now(): OrderTransaction {
    const current = this.server.current(KEY);
    if (!current) throw new Error('the transaction is gone');
    return current;
  }
}

export interface ControllerClocks {
  /** By how much the clock on its machine's wall is ahead; what it goes by is what the API server's answers say. */
  readonly wallAheadMs?: number;
  /** By how much the time that it goes by is ahead, as if it asked nobody. */
  readonly skewMs?: number;
}

export class Controller {
  /** May be set at any time. */
  wallAheadMs: number;
  readonly store: LaggingStore;
  readonly queue: ManualQueue;
  readonly #shop: Shop;
  readonly #reconciler: Reconciler;
  readonly #stopping = new AbortController();
  owns = true;

  constructor(shop: Shop, { wallAheadMs = 0, skewMs = 0 }: ControllerClocks) {
    this.#shop = shop;
    this.wallAheadMs = wallAheadMs;
    const monotonicMs = (): number => shop.clock.now() - CLOCKS_STARTED_MS;
    const now = (): number => shop.clock.now() + this.wallAheadMs;
    const apiClock = new RemoteClock({ now, monotonicMs, setTimer: () => () => undefined });
    const heard = (): void =>
      apiClock.heard({
        dateMs: Math.floor(shop.clock.now() / 1000) * 1000,
        sentMs: monotonicMs(),
        receivedMs: monotonicMs(),
      });
    heard();
    this.store = new LaggingStore(shop.server, heard);
    this.queue = new ManualQueue(shop.clock);
    this.#reconciler = new Reconciler({
      transactions: this.store,
      flows: shop.flows,
      participants: shop.participants,
      messages: {
        publish: ({ template, attempt }) => {
          if (shop.brokerIsDown) return Promise.resolve({ kind: 'unpublished', detail: 'the broker is away' });
          shop.published.push(`${template.name} ${attempt}`);
          return Promise.resolve({ kind: 'published' });
        },
        ended: () => shop.handled(),
        get away() {
          return shop.brokerIsAway ? 'the broker is away' : undefined;
        },
      },
      events: { warn: (_transaction, reason) => shop.warnings.push(reason) },
      ownership: { owns: () => this.owns },
      schedule: this.queue,
      observer: {
        takenUp: () => ({
          statusWritten: () => undefined,
          stored: (before, after) => {
            if (isFinal(after.status?.phase) && !isFinal(before.status?.phase)) shop.ended.push(keyOf(after));
          },
        }),
        statusRefused: () => undefined,
      },
      clock: { now: () => apiClock.now() + skewMs },
      random: () => shop.random(),
      stopping: this.#stopping.signal,
    });
    this.queue.soon(KEY);
    shop.participants.onBreaker.push(() => this.#reconciler.revived());
  }

  /** The watch tells of the transaction. */
  heard(): void {
    this.#reconciler.heard(KEY);
  }

  /** Has so many more to carry, which are suspended. */
  async carriesBesides(count: number): Promise<void> {
    const { metadata, spec } = this.#shop.now;
    for (let number = 1; number <= count; number += 1) {
      const name = `create-besides${String(number)}`;
      this.#shop.server.create({ metadata: { ...metadata, name, uid: name }, spec: { ...spec, suspend: true } });
      this.queue.soon(`shop/${name}`);
      await this.work();
    }
  }

  /** Everything that can be done at this moment. */
  async work(): Promise<void> {
    let passes = 0;
    for (let key = this.queue.take(); key !== undefined; key = this.queue.take()) {
      passes += 1;
      if (passes > PASSES_AT_ONCE_MAX) throw new Error('the loop turns without a pause');
      await this.#reconciler.reconcile(key);
      await this.#reconciler.idle();
    }
  }

  /** Every pass that is due, without waiting for what they began. */
  async passes(): Promise<void> {
    for (let key = this.queue.take(); key !== undefined; key = this.queue.take()) {
      await this.#reconciler.reconcile(key);
      await settle();
    }
  }

  /** Passes, turns and back-offs in this time, without waiting for what they began. */
  async passesFor(durationMs: number): Promise<void> {
    const { clock } = this.#shop;
    const endMs = clock.now() + durationMs;
    for (;;) {
      clock.fireTimers();
      await settle();
      await this.passes();
      const nextMs = Math.min(this.queue.nextAtMs() ?? Infinity, clock.nextTimerMs() ?? Infinity);
      if (nextMs > endMs) break;
      clock.ms = Math.max(clock.ms, nextMs);
    }
    clock.ms = endMs;
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

  /** Resolves once every call begun has ended. */
  async callsEnd(): Promise<void> {
    await this.#reconciler.idle();
  }

  /** The API server could not be shown to have the history that was known: see Informer. */
  relisted(): void {
    this.store.relisted();
    this.#reconciler.beginAnew('shop');
    this.queue.soon(KEY);
  }

  receipt(message: string, outcome: MessageOutcome): void {
    this.#reconciler.receipt(KEY, message, outcome);
  }

  /** Works through everything that becomes due in this time. */
  async workFor(durationMs: number): Promise<void> {
    const endMs = this.#shop.clock.now() + durationMs;
    await this.work();
    for (let next = this.queue.nextAtMs(); next !== undefined && next <= endMs; next = this.queue.nextAtMs()) {
      this.#shop.clock.ms = next;
      await this.work();
    }
    this.#shop.clock.ms = endMs;
  }

  crash(): void {
    this.#stopping.abort();
  }
}

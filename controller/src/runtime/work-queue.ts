/**
 * The work queue: keys in, one handler call per key at a time.
 *
 * It carries keys and never objects, so whoever handles one looks at the newest state and not at what woke it. The
 * semantics are client-go's (k8s.io/client-go/util/workqueue). What the keys mean is the handler's affair.
 *
 *  Q1  A key is handled by at most one worker at a time.
 *  Q2  A key added any number of times before its turn is handled once.
 *  Q3  A key added while it is being handled is handled again afterwards: no wake-up is lost.
 *  Q4  Of several delayed adds of a key the earliest counts. An immediate add leaves a delayed one in place: one wake-up
 *      too many is harmless, one too few is not.
 *  Q5  A handler that throws has a bug: it is reported, and the key comes again with growing delays. Nothing else stops.
 *  Q6  Delays are counted on the monotonic clock: one that is set while a key waits makes it neither early nor late.
 *  Q7  News goes before routine, which is what was added for later and what is added as such, but never keeps it out (ready-keys.ts).
 *      Routine has a quarter of the workers at most: what they wait for (an API server that has no more to give) keeps the others waiting.
 *  Q8  Others have their turn: after TURN_MS_MAX of one turn of the event loop the rest waits for the next. Handlers that end without
 *      waiting for anything would let a hundred thousand keys pass in one turn, in which nothing is heard, answered or renewed.
 */
import { backoffMs, type BackoffPolicy } from './backoff.ts';
import type { Cancel, Clock } from './clock.ts';
import { DelayHeap } from './delay-heap.ts';
import { ReadyKeys, type Rank, type ReadyKey } from './ready-keys.ts';

/** What is counted; the names are those of client-go's metrics provider. */
export interface WorkQueueMetrics {
  added(): void;
  /** How long a key waited for its worker. */
  waited(seconds: number): void;
  /** How long its handler took. */
  worked(seconds: number): void;
  /** A key was added for later: by `addAfter`, or after its handler threw. */
  retried(): void;
}

export interface WorkQueueOptions {
  readonly name: string;
  readonly workersMax: number;
  readonly handle: (key: string) => Promise<void>;
  readonly clock: Clock;
  readonly onPanic: (key: string, error: unknown) => void;
  readonly metrics?: WorkQueueMetrics;
  /**
   * Begins what is due in the next turn of the event loop: after everything that came in this one, so that it is handled once (and Q8).
   * Default: at once, and all of it.
   */
  readonly begin?: (work: () => void) => void;
  /** In [0, 1); spreads the retries of panicking handlers. */
  readonly random?: () => number;
}

const ROUTINE_SHARE = 1 / 4;
const TURN_MS_MAX = 10;

/** A bug seldom heals by itself: quick at first for a passing cause, then out of everyone's way. */
const PANIC_BACKOFF: BackoffPolicy = { initialMs: 100, maxMs: 60_000, factor: 2, jitter: 0.5 };

export class WorkQueue {
  readonly name: string;
  readonly #options: WorkQueueOptions;
  /** Keys that wait for a worker. A key being handled is never in here (Q1). */
  readonly #ready = new ReadyKeys();
  /** Every key that must still be handled, ready or, when it is being handled, afterwards (Q2, Q3). */
  readonly #dirty = new Map<string, Rank>();
  readonly #startedMs = new Map<string, number>();
  #routineRunning = 0;
  readonly #delayed = new DelayHeap();
  readonly #panics = new Map<string, number>();
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #whenIdle: (() => void) | undefined;
  #turnIsAsked = false;
  /** When the first key of this turn of the event loop was taken; undefined before. */
  #turnBeganMs: number | undefined;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that are scheduled for later. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** Keys being handled now. */
  get running(): number {
    return this.#startedMs.size;
  }

  /** How long the longest of the running handlers has been at it: a handler that hangs shows here. */
  longestRunningMs(): number {
    let earliestMs = Infinity;
    for (const startedMs of this.#startedMs.values()) earliestMs = Math.min(earliestMs, startedMs);
    return earliestMs === Infinity ? 0 : this.#options.clock.monotonicMs() - earliestMs;
  }

  /** @param rank default: there is news of it */
  add(key: string, rank: Rank = 'news'): void {
    const before = this.#dirty.get(key);
    if (this.#state === 'stopped' || before === 'news' || before === rank) return;
    this.#dirty.set(key, rank);
    if (before === undefined) this.#options.metrics?.added();
    if (this.#startedMs.has(key)) return;
    if (before === undefined) this.#enqueue(key, rank);
    else this.#ready.promote(key);
    this.#begin();
  }

  /** Adds the key as routine when that much time has passed; of several the earliest counts (Q4, Q6). */
  addAfter(key: string, delayMs: number): void {
    if (this.#state === 'stopped') return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    this.#options.metrics?.retried();
    if (this.#delayed.schedule(key, this.#options.clock.monotonicMs() + delayMs)) this.#arm();
  }

  /** Drops what is scheduled for later and the record of panics: for a key whose object is gone. A due turn stays. */
  forget(key: string): void {
    this.#delayed.delete(key);
    this.#panics.delete(key);
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#work();
  }

  /**
   * Starts no further handler and waits for the running ones, at most `deadlineMs`.
   * @returns how many of them are still running
   */
  async drain(deadlineMs: number): Promise<number> {
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.running === 0) return 0;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimer(deadlineMs, resolve);
      this.#whenIdle = () => {
        cancel();
        resolve();
      };
    });
    return this.running;
  }

  #enqueue(key: string, rank: Rank): void {
    this.#ready.push(key, rank, this.#options.clock.monotonicMs());
  }

  #begin(): void {
    const { begin } = this.#options;
    if (begin === undefined) this.#work();
    else this.#askForTurn(begin);
  }

  #work(): void {
    while (this.#state === 'running' && this.running < this.#options.workersMax && !this.#turnIsOver()) {
      const next = this.#ready.take(this.#routineRunning < this.#options.workersMax * ROUTINE_SHARE);
      if (next === undefined) return;
      this.#noteTurn();
      void this.#handle(next);
    }
  }

  /** Where it is, the next one has been asked for. */
  #turnIsOver(): boolean {
    return this.#turnBeganMs !== undefined && this.#options.clock.monotonicMs() - this.#turnBeganMs >= TURN_MS_MAX;
  }

  /** Only once a key has been taken: to ask for turn after turn while none may be would keep the process busy for nothing. */
  #noteTurn(): void {
    const { begin, clock } = this.#options;
    if (begin === undefined || this.#turnBeganMs !== undefined) return;
    this.#turnBeganMs = clock.monotonicMs();
    this.#askForTurn(begin);
  }

  #askForTurn(begin: NonNullable<WorkQueueOptions['begin']>): void {
    if (this.#turnIsAsked) return;
    this.#turnIsAsked = true;
    begin(() => {
      this.#turnIsAsked = false;
      this.#turnBeganMs = undefined;
      this.#work();
    });
  }

  async #handle({ key, rank, sinceMs }: ReadyKey): Promise<void> {
    const { clock, handle, metrics } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#dirty.delete(key);
    this.#startedMs.set(key, startedMs);
    if (rank === 'routine') this.#routineRunning += 1;
    metrics?.waited((startedMs - sinceMs) / 1000);
    try {
      await handle(key);
      this.#panics.delete(key);
    } catch (error) {
      this.#panicked(key, error);
    }
    metrics?.worked((clock.monotonicMs() - startedMs) / 1000);
    this.#startedMs.delete(key);
    if (rank === 'routine') this.#routineRunning -= 1;
    const again = this.#dirty.get(key);
    if (again !== undefined) this.#enqueue(key, again);
    if (this.running === 0) this.#whenIdle?.();
    this.#work();
  }

  #panicked(key: string, error: unknown): void {
    const { onPanic, random = Math.random } = this.#options;
    const panics = (this.#panics.get(key) ?? 0) + 1;
    this.#panics.set(key, panics);
    onPanic(key, error);
    this.addAfter(key, backoffMs(PANIC_BACKOFF, panics, random()));
  }

  /** Keeps exactly one timer, on the earliest delayed key. */
  #arm(): void {
    const earliestMs = this.#delayed.earliestMs();
    if (this.#timer !== undefined) {
      if (earliestMs !== undefined && this.#timer.atMs <= earliestMs) return;
      this.#timer.cancel();
      this.#timer = undefined;
    }
    if (earliestMs === undefined) return;
    const cancel = this.#options.clock.setTimer(earliestMs - this.#options.clock.monotonicMs(), () => this.#release());
    this.#timer = { atMs: earliestMs, cancel };
  }

  #release(): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    for (let key = this.#delayed.takeDue(nowMs); key !== undefined; key = this.#delayed.takeDue(nowMs))
      this.add(key, 'routine');
    this.#arm();
  }
}

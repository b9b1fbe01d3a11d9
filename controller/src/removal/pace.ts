/**
 * So many acts a second, evenly: what has piled up is worked off without a spike.
 */
import { delay, type Clock } from '../runtime/clock.ts';

/** Whoever is next looks so often whether some of the turn before it was given back. */
const LOOK_EVERY_MS = 20;
/** By so much at most a turn that began late is made up for: a timer is late in a process that has much to do, a pause is a pause. */
const LATE_MS_MAX = 100;

export class Pace {
  readonly #clock: Clock;
  readonly #apartMs: number;
  /** Until then the turn lasts that began last. */
  #freeAtMs = -Infinity;
  /** Resolves when that turn has begun for whoever asked for one last. */
  #begun: Promise<void> = Promise.resolve();

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#apartMs = 1000 / perSecond;
  }

  /** Resolves when it is the caller's turn for so many acts, in the order of asking; turns that nobody asked for are not made up for. */
  turn(signal: AbortSignal, acts = 1): Promise<void> {
    this.#begun = this.#begin(this.#begun, signal, acts);
    return this.#begun;
  }

  /** So many of a turn's acts were not needed: whoever is next waits that much less. */
  giveBack(acts: number): void {
    this.#freeAtMs -= acts * this.#apartMs;
  }

  async #begin(before: Promise<void>, signal: AbortSignal, acts: number): Promise<void> {
    const askedMs = this.#clock.monotonicMs();
    await before;
    while (!signal.aborted && this.#clock.monotonicMs() < this.#freeAtMs)
      await delay(this.#clock, Math.min(LOOK_EVERY_MS, this.#freeAtMs - this.#clock.monotonicMs()), signal);
    const dueMs = Math.max(askedMs, this.#freeAtMs, this.#clock.monotonicMs() - LATE_MS_MAX);
    this.#freeAtMs = dueMs + acts * this.#apartMs;
  }
}

/**
 * So many acts a second, evenly: what has piled up is worked off without a spike.
 */
import { delay, type Clock } from '../runtime/clock.ts';

/** Whoever is next looks so often whether some of the turn before it was given back. */
const LOOK_EVERY_MS = 20;

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

  /** Resolves when it is the caller's turn for so many acts, in the order of asking; turns that nobody took are not made up for. */
  turn(signal: AbortSignal, acts = 1): Promise<void> {
    this.#begun = this.#begin(this.#begun, signal, acts);
    return this.#begun;
  }

  /** So many of a turn's acts were not needed: whoever is next waits that much less. */
  giveBack(acts: number): void {
    this.#freeAtMs -= acts * this.#apartMs;
  }

  async #begin(before: Promise<void>, signal: AbortSignal, acts: number): Promise<void> {
    await before;
    while (!signal.aborted && this.#clock.monotonicMs() < this.#freeAtMs)
      await delay(this.#clock, Math.min(LOOK_EVERY_MS, this.#freeAtMs - this.#clock.monotonicMs()), signal);
    this.#freeAtMs = Math.max(this.#clock.monotonicMs(), this.#freeAtMs) + acts * this.#apartMs;
  }
}

/**
 * So many acts a second, evenly: what has piled up is worked off without a spike.
 */
import { delay, type Clock } from '../runtime/clock.ts';

export class Pace {
  readonly #clock: Clock;
  readonly #apartMs: number;
  #nextMs = -Infinity;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#apartMs = 1000 / perSecond;
  }

  /**
   * Resolves when it is the caller's turn for so many acts; turns that nobody took are not made up for.
   * @returns until when it lasts, for whoever gives some of it back
   */
  async turn(signal: AbortSignal, acts = 1): Promise<number> {
    const nowMs = this.#clock.monotonicMs();
    const atMs = Math.max(nowMs, this.#nextMs);
    const untilMs = (this.#nextMs = atMs + acts * this.#apartMs);
    if (atMs > nowMs) await delay(this.#clock, atMs - nowMs, signal);
    return untilMs;
  }

  /** So many of a turn's acts were not needed. They are lost where another turn follows it already. */
  giveBack(untilMs: number, acts: number): void {
    if (this.#nextMs === untilMs) this.#nextMs -= acts * this.#apartMs;
  }
}

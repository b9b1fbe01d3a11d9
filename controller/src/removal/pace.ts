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

  /** Resolves when it is the caller's turn for one act; turns that nobody took are not made up for. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#apartMs;
    if (atMs > nowMs) await delay(this.#clock, atMs - nowMs, signal);
  }

  /** The act turned out to be that many more: whoever comes next waits for them. */
  more(acts: number): void {
    this.#nextMs += acts * this.#apartMs;
  }
}

/**
 * The clock of another machine, as the dates on its answers tell it, without ever believing our own.
 *
 * An answer that says 12:00:00 was sent before it came here, so that machine's clock now shows at least that much plus the
 * time that has passed here since (Cristian's algorithm). Every answer gives such a bound; the highest of the last while
 * is what `now` goes by. So it may be behind by the way of the quickest answer and the second that a date is cut to, and
 * is never ahead: what waits for a moment of that clock waits long enough, whatever the clock on this machine's wall says.
 *
 *  C1  Time in between is counted on the monotonic clock: a wall clock that is set moves nothing.
 *  C2  A bound counts for WINDOW_MS, so that clocks that run at slightly different speeds do not drift apart.
 *  C3  An answer that cannot have been sent as late as `now` says, counted from before it was asked for, shows that the
 *      other clock was set back, or that another machine answers. Then only that answer counts.
 */
import type { Clock } from './clock.ts';

export interface DatedAnswer {
  /** Milliseconds since the epoch, as the answer says; cut to whole seconds. */
  readonly dateMs: number;
  /** When it was asked for and when it came, on the monotonic clock. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

interface Bound {
  readonly aheadMs: number;
  readonly receivedMs: number;
}

/** In it a clock drifts by some tens of milliseconds at worst, and every usual request is made many times. */
const WINDOW_MS = 600_000;
/** Bounds kept are at least this far apart: a thousand answers a second need no more memory than one. */
const BOUND_APART_MS = 1_000;
/** An HTTP date is cut to it. */
const DATE_MS = 1_000;

export class RemoteClock {
  readonly #clock: Clock;
  /** How far that clock is ahead of our monotonic one, at least: the highest first, each later one lower. */
  #bounds: readonly Bound[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since the epoch by that machine's clock; by our own until it has been heard. */
  now(): number {
    const [highest] = this.#bounds;
    return highest === undefined ? this.#clock.now() : this.#clock.monotonicMs() + highest.aheadMs;
  }

  /** How far our wall clock is ahead of that one (behind: negative), give or take a second; 0 until it has been heard. */
  skewMs(): number {
    return this.#clock.now() - this.now();
  }

  heard({ dateMs, sentMs, receivedMs }: DatedAnswer): void {
    if (!Number.isFinite(dateMs)) return;
    const bound = { aheadMs: dateMs - receivedMs, receivedMs };
    const highest = this.#bounds[0];
    if (highest !== undefined && dateMs + DATE_MS - sentMs < highest.aheadMs) {
      this.#bounds = [bound];
      return;
    }
    const last = this.#bounds.at(-1);
    const crowded =
      last !== undefined && last.aheadMs >= bound.aheadMs && receivedMs - last.receivedMs < BOUND_APART_MS;
    if (crowded) return;
    const current = this.#bounds.filter((each) => receivedMs - each.receivedMs < WINDOW_MS);
    this.#bounds = [...current.filter((each) => each.aheadMs > bound.aheadMs), bound];
  }
}

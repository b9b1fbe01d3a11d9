/**
 * A participant that manages less than maxConcurrency at once within timeoutSeconds. It does not know who has stopped waiting, so what it
 * works on may be for nobody.
 */
import { expect, test } from '@jest/globals';
import { ManualClock, settle } from '../runtime/manual-clock.ts';
import { EndpointLimits, type Claim } from './limits.ts';

const ENDPOINT = 'http://order.shop.svc:80';
const CALLS = 500;
const TIMEOUT_MS = 3_000;
/** One after the other: 29 at once are answered in time, 64 are not. */
const WORK_MS = 100;
const BACKOFF_MS = 1_000;
const NEVER = new AbortController().signal;
const CLAIM: Claim = { endpoint: ENDPOINT, holder: 'order', maxConcurrency: 64, rank: 'settling' };

class SlowParticipant {
  readonly #clock: ManualClock;
  #busyUntilMs = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** Resolves with whether it answered in time. */
  answers(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + WORK_MS;
    const tookMs = this.#busyUntilMs - nowMs;
    return new Promise((resolve) => {
      this.#clock.setTimer(Math.min(tookMs, TIMEOUT_MS), () => resolve(tookMs < TIMEOUT_MS));
    });
  }
}

test('what it does not manage at once is done nevertheless, and nearly all that it works on is for somebody', async () => {
  const clock = new ManualClock();
  const limits = new EndpointLimits({ clock });
  const participant = new SlowParticipant(clock);
  let done = 0;
  const transaction = async (name: string): Promise<void> => {
    for (;;) {
      await limits.acquire(CLAIM, NEVER);
      const { revivals, reductions } = limits.health(ENDPOINT);
      const isAnswered = await participant.answers();
      limits.release(
        ENDPOINT,
        isAnswered
          ? { kind: 'alive', transaction: name }
          : { kind: 'failed', transaction: name, timedOut: true, revivals, reductions },
      );
      if (isAnswered) break;
      await new Promise<void>((resolve) => void clock.setTimer(BACKOFF_MS, resolve));
    }
    done += 1;
  };
  const all = Promise.all(Array.from({ length: CALLS }, (_, number) => transaction(`shop/t${number}`)));
  // Twice what it would take it, were all of it for somebody.
  await clock.advance(2 * CALLS * WORK_MS);
  await settle();
  expect(done).toBe(CALLS);
  await all;
});

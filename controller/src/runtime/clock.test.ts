/** Both clocks keep the promises that the rest of the runtime rests on. */
import { describe, expect, test } from '@jest/globals';
import { delay, systemClock } from './clock.ts';
import { ManualClock } from './manual-clock.ts';

describe('the manual clock', () => {
  test('fires in the order of the moments, at those moments', async () => {
    const clock = new ManualClock();
    const fired: [string, number][] = [];
    for (const [name, delayMs] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const) {
      clock.setTimer(delayMs, () => fired.push([name, clock.monotonicMs()]));
    }
    await clock.advance(25);
    expect(fired).toEqual([
      ['a', 10],
      ['b', 20],
    ]);
    expect(clock.monotonicMs()).toBe(25);
  });

  test('a timer taken back does not fire', async () => {
    const clock = new ManualClock();
    let fired = false;
    clock.setTimer(10, () => (fired = true))();
    await clock.advance(10);
    expect(fired).toBe(false);
  });
});

describe('a delay', () => {
  test('ends early when it is aborted, and leaves no timer', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const waited = delay(clock, 60_000, abort.signal);
    abort.abort();
    await waited;
    expect(clock.timersWaiting).toBe(0);
    await delay(clock, 60_000, abort.signal);
    expect(clock.monotonicMs()).toBe(0);
  });
});

test('a system timer of months does not fire at once', async () => {
  let fired = false;
  const cancel = systemClock.setTimer(90 * 24 * 3_600_000, () => (fired = true));
  await delay(systemClock, 5, new AbortController().signal);
  cancel();
  expect(fired).toBe(false);
});

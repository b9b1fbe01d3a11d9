/** So many a second, no more after a pause, and no fewer in a process whose timers are late. */
import { expect, test } from '@jest/globals';
import type { Clock } from '../runtime/clock.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { Pace } from './pace.ts';

const PER_SECOND = 200;
const { signal } = new AbortController();

function lateBy(clock: ManualClock, lateMs: () => number): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs + lateMs(), fire),
  };
}

/** When each of so many turns began, with as many asked for at once as there are lanes. */
async function turns(pace: Pace, clock: ManualClock, count: number, lanes: number): Promise<readonly number[]> {
  const begun: number[] = [];
  const lane = async (): Promise<void> => {
    while (begun.length < count) {
      await pace.turn(signal);
      begun.push(clock.monotonicMs());
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  await clock.advance(60_000);
  await all;
  return begun.slice(0, count);
}

test.each([0, 4, 30])('with timers that are %i ms late as many turns begin as with others', async (lateMs) => {
  const clock = new ManualClock();
  const begun = await turns(
    new Pace(
      lateBy(clock, () => lateMs),
      PER_SECOND,
    ),
    clock,
    2_000,
    25,
  );
  const tookMs = (begun.at(-1) ?? NaN) - (begun[0] ?? NaN);
  expect(tookMs).toBeGreaterThanOrEqual(9_900);
  expect(tookMs).toBeLessThan(10_100);
  const inASecond = begun.map((ms) => begun.filter((other) => other >= ms && other < ms + 1_000).length);
  expect(Math.max(...inASecond)).toBeLessThanOrEqual(PER_SECOND * 1.1);
});

test('a timer that is late by seconds is made up for by a tenth of one', async () => {
  const clock = new ManualClock();
  let late = 0;
  const begun = await turns(
    new Pace(
      lateBy(clock, () => ((late += 1) === 100 ? 5_000 : 0)),
      PER_SECOND,
    ),
    clock,
    400,
    25,
  );
  const after = begun.filter((ms) => ms >= 5_000);
  expect(after.filter((ms) => ms <= 5_510).length).toBeLessThan(25);
  expect((begun.at(-1) ?? NaN) - (begun[0] ?? NaN)).toBeGreaterThan(6_800);
});

test('a pause is not made up for', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, PER_SECOND);
  await turns(pace, clock, 10, 1);
  const [first = NaN, ...more] = await turns(pace, clock, 201, 25);
  expect((more.at(-1) ?? NaN) - first).toBeGreaterThanOrEqual(1_000);
});

test('what was given back shortens the next turn’s wait', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, PER_SECOND);
  await pace.turn(signal, 100);
  pace.giveBack(90);
  const [begun] = await turns(pace, clock, 1, 1);
  expect(begun).toBe(50);
});

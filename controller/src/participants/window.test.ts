/** How many calls at once an endpoint is sent by what it answers in time; the numbered rules are those of window.ts. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterAnswer, afterTimeOut, forgotten, SIZE_MIN, TIMED_OUT_MIN, UNBOUNDED, type Window } from './window.ts';

const FULL = 64;
const full = (): number => FULL;

const repeated = (times: number, window: Window, step: (each: Window) => Window): Window =>
  Array.from({ length: times }).reduce<Window>(step, window);

const narrowed = (running: number): Window =>
  repeated(TIMED_OUT_MIN, UNBOUNDED, (window) => afterTimeOut(window, running, 0));

test('calls that time out make it half of what was running, once for all that ran at once', () => {
  const first = narrowed(64);
  expect(first).toMatchObject({ size: 32, reductions: 1 });
  expect(repeated(61, first, (window) => afterTimeOut(window, 40, 0))).toEqual(first);
  expect(repeated(TIMED_OUT_MIN, first, (window) => afterTimeOut(window, 32, 1))).toMatchObject({ size: 16 });
});

test('it never falls below its least', () => {
  const least = repeated(100, UNBOUNDED, (window) => afterTimeOut(window, 64, window.reductions));
  expect(least.size).toBe(SIZE_MIN);
});

test('a round of answers makes it wider by one, until it bounds nobody', () => {
  const after = repeated(32, narrowed(64), (window) => afterAnswer(window, full));
  expect(Math.round(after.size)).toBe(33);
  expect(repeated(10_000, after, (window) => afterAnswer(window, full)).size).toBe(Infinity);
});

test('one that always times out beside others that are answered makes nothing narrower', () => {
  let window = UNBOUNDED;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    window = afterTimeOut(window, 64, 0);
    window = repeated(20, window, (each) => afterAnswer(each, full));
  }
  expect(window).toMatchObject({ size: Infinity, reductions: 0 });
});

test('answers cost nothing while nothing has timed out', () => {
  expect(afterAnswer(UNBOUNDED, full)).toBe(UNBOUNDED);
});

test('what is forgotten bounds nobody, and calls that began before still say nothing', () => {
  const again = forgotten(narrowed(64));
  expect(again).toEqual({ ...UNBOUNDED, reductions: 1 });
  expect(afterTimeOut(again, 64, 0)).toBe(again);
});

test('whatever is heard, it stays between its least and what bounds nobody', () => {
  const heard = fc.array(fc.oneof(fc.constant('answer'), fc.integer({ min: 1, max: FULL })), { maxLength: 300 });
  fc.assert(
    fc.property(heard, (all) => {
      let window = UNBOUNDED;
      for (const each of all) {
        window = typeof each === 'number' ? afterTimeOut(window, each, window.reductions) : afterAnswer(window, full);
        expect(window.size === Infinity || (window.size >= SIZE_MIN && window.size < FULL)).toBe(true);
      }
    }),
  );
});

/** The end comes in order and in time, whatever single parts do. */
import { expect, test } from '@jest/globals';
import { ManualClock, settle } from './manual-clock.ts';
import { Shutdown } from './shutdown.ts';

function shutdownWith(deadlineMs = 1_000) {
  const clock = new ManualClock();
  const exits: number[] = [];
  const steps: string[] = [];
  const shutdown = new Shutdown({
    clock,
    deadlineMs,
    exit: (code) => exits.push(code),
    onStep: (step, outcome) => steps.push(`${step} ${outcome}`),
  });
  return { clock, exits, steps, shutdown };
}

test('parts are stopped one after the other, in the order they were registered; then the process ends', async () => {
  const { exits, steps, shutdown } = shutdownWith();
  shutdown.onStop('intake', async () => expect(steps).toEqual([]));
  shutdown.onStop('work', () => expect(steps).toEqual(['intake stopped']));
  shutdown.request();
  expect(shutdown.signal.aborted).toBe(true);
  await settle();
  expect(steps).toEqual(['intake stopped', 'work stopped']);
  expect(exits).toEqual([0]);
});

test('a part that throws or hangs does not keep the later ones from being stopped', async () => {
  const { clock, exits, steps, shutdown } = shutdownWith();
  shutdown.onStop('bad', () => {
    throw new Error('bug');
  });
  shutdown.onStop('hanging', () => new Promise(() => undefined));
  shutdown.onStop('last', (leftMs) => expect(leftMs).toBe(0));
  shutdown.request();
  await clock.advance(1_000);
  expect(steps).toEqual(['bad threw', 'hanging late', 'last stopped']);
  expect(exits).toEqual([0]);
});

test('asked a second time, the process ends at once', async () => {
  const { exits, shutdown } = shutdownWith();
  shutdown.onStop('hanging', () => new Promise(() => undefined));
  shutdown.request();
  await settle();
  shutdown.request();
  expect(exits).toEqual([130]);
});

/** Another machine's clock, told by dates that are cut to the second and come late, beside a wall clock that is wrong. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from './manual-clock.ts';
import { RemoteClock } from './remote-clock.ts';

const TRUE_MS = Date.UTC(2026, 10, 22, 10);

/** The other machine's clock shows TRUE_MS when ours has run for 0 ms. */
function world(wallAheadMs = 0) {
  const clock = new ManualClock(TRUE_MS);
  clock.setWall(wallAheadMs);
  const remote = new RemoteClock(clock);
  let setBackMs = 0;
  const remoteNow = () => TRUE_MS + clock.monotonicMs() - setBackMs;
  return {
    clock,
    remote,
    remoteNow,
    setBack: (ms: number) => (setBackMs += ms),
    answer: async (thereMs: number, backMs: number) => {
      const sentMs = clock.monotonicMs();
      await clock.advance(thereMs);
      const dateMs = Math.floor(remoteNow() / 1000) * 1000;
      await clock.advance(backMs);
      remote.heard({ dateMs, sentMs, receivedMs: clock.monotonicMs() });
    },
  };
}

test('until it is heard our own clock has to do', () => {
  const { clock, remote } = world(5_000);
  expect(remote.now()).toBe(clock.now());
  expect(remote.skewMs()).toBe(0);
});

test.each([-3_600_000, 0, 3_600_000])('with a wall clock %d ms off it is right within a second', async (wallMs) => {
  const { remote, remoteNow, answer } = world(wallMs);
  await answer(2, 2);
  expect(remoteNow() - remote.now()).toBeGreaterThanOrEqual(0);
  expect(remoteNow() - remote.now()).toBeLessThan(1_004);
  expect(Math.abs(remote.skewMs() - wallMs)).toBeLessThan(1_004);
});

test('with many answers it is right to within the quickest one’s way', async () => {
  const { clock, remote, remoteNow, answer } = world();
  for (let index = 0; index < 200; index += 1) {
    await answer(3, index % 7 === 0 ? 3_500 : 3);
    await clock.advance(137);
  }
  expect(remoteNow() - remote.now()).toBeLessThan(100);
});

test('our wall clock that is set, however often, moves nothing', async () => {
  const { clock, remote, remoteNow, answer } = world();
  await answer(2, 2);
  for (const byMs of [-3_600_000, 7_200_000, -60_000]) {
    clock.setWall(byMs);
    await clock.advance(10_000);
    expect(Math.abs(remoteNow() - remote.now())).toBeLessThan(1_004);
  }
});

test('the other clock that is set back is followed with the next answer', async () => {
  const { remote, remoteNow, setBack, answer } = world();
  await answer(2, 2);
  setBack(3_600_000);
  await answer(2, 2);
  expect(Math.abs(remoteNow() - remote.now())).toBeLessThan(1_004);
});

test('what is no date changes nothing', async () => {
  const { remote, answer } = world();
  await answer(2, 2);
  const before = remote.now();
  remote.heard({ dateMs: NaN, sentMs: 0, receivedMs: 4 });
  expect(remote.now()).toBe(before);
});

test('it is never ahead of the other clock, whatever the answers’ ways and our wall clock do', async () => {
  const step = fc.record({
    thereMs: fc.constantFrom(0, 1, 20, 900, 3_500),
    backMs: fc.constantFrom(0, 1, 20, 900, 3_500),
    pauseMs: fc.constantFrom(0, 10, 700, 60_000, 900_000),
    wallMs: fc.constantFrom(0, 0, 0, -3_600_000, 3_600_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const { clock, remote, remoteNow, answer } = world();
      let slowestMs = 0;
      for (const { thereMs, backMs, pauseMs, wallMs } of steps) {
        clock.setWall(wallMs);
        await answer(thereMs, backMs);
        await clock.advance(pauseMs);
        slowestMs = Math.max(slowestMs, backMs);
        expect(remote.now()).toBeLessThanOrEqual(remoteNow());
        expect(remoteNow() - remote.now()).toBeLessThanOrEqual(slowestMs + 1_000);
      }
    }),
    { numRuns: 100 },
  );
});

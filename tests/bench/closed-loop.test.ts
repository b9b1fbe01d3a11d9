/** The load that throughput is measured with. */
import { expect, test } from '@jest/globals';
import { closedLoop, percentile } from './closed-loop.ts';

test('there are never more under way than lanes, and the next begins when one has ended', async () => {
  let underWay = 0;
  let most = 0;
  const act = async () => {
    most = Math.max(most, (underWay += 1));
    await Promise.resolve();
    underWay -= 1;
  };
  const { rounds, latenciesMs } = await closedLoop({ lanes: 3, milliseconds: 10_000, roundsMax: 20 }, act);
  expect([most, rounds, latenciesMs.length]).toEqual([3, 20, 20]);
});

test('it ends when its time is over', async () => {
  const { rounds } = await closedLoop({ lanes: 2, milliseconds: 0, roundsMax: 20 }, () => Promise.resolve());
  expect(rounds).toBe(0);
});

test('one failure ends it and is told', async () => {
  let count = 0;
  const act = async () => {
    if ((count += 1) === 5) throw new Error('the fifth');
  };
  await expect(closedLoop({ lanes: 2, milliseconds: 10_000, roundsMax: 1_000 }, act)).rejects.toThrow('the fifth');
  expect(count).toBeLessThan(10);
});

test('a percentile is one of the latencies measured, the smallest that so many stay under', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 99, 100]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(() => percentile([], 0.5)).toThrow('nothing was measured');
});

/** What has ended goes after its minute, and nothing else does, whatever fails meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ManualClock } from '../runtime/manual-clock.ts';
import type { Trouble } from './ports.ts';
import { ArchiveFake, MINUTE_MS, ManualRemover, START } from './manual-remover.ts';
import type { RemoverOptions } from './remover.ts';
import type { RestingFake } from './resting-fake.ts';

let remover: ManualRemover;
let clock: ManualClock;
let api: RestingFake;
let troubles: (Trouble | undefined)[];
let lines: string[];
let counts: Record<string, number>;

beforeEach(() => {
  remover = new ManualRemover();
  ({ clock, api, troubles, lines, counts } = remover);
});
afterEach(() => remover.close());

const start = (more: Partial<RemoverOptions> = {}) => remover.start(more);
const endInMinute = (minute: number, transactions: number) => {
  remover.endInMinute(minute, transactions);
};

describe.each([
  { how: 'a minute at once', archive: () => undefined },
  { how: 'one by one, after they were archived', archive: () => new ArchiveFake() },
])('removing $how', ({ archive }) => {
  const startIt = (more: Partial<RemoverOptions> = {}) => {
    const kept = archive();
    return start({ ...(kept && { archive: kept }), ...more });
  };

  test('a transaction goes once its minute has passed, and not before', async () => {
    startIt();
    api.ended('first', '2030-01-01T12:00Z');
    api.ended('second', '2030-01-01T12:01Z');
    await clock.advance(29_000);
    expect(api.names).toEqual(['first', 'second']);
    await clock.advance(15_000);
    expect(api.names).toEqual(['second']);
    await clock.advance(MINUTE_MS);
    expect(api.names).toEqual([]);
    expect(counts).toEqual({ removed: 2 });
  });

  test('what somebody left behind, however long ago, goes at the start', async () => {
    for (const day of ['2029-01-01', '2029-12-31', '2030-01-01']) api.ended(`of-${day}`, `${day}T03:00Z`);
    startIt();
    await clock.advance(10_000);
    expect(api.names).toEqual([]);
  });

  test('what is unfinished, or has open messages, stays, and stops nobody else', async () => {
    startIt();
    await clock.advance(1_000);
    api.put('faulty', { phase: 'Delivering', expires: '2030-01-01T12:00Z' });
    api.put('open', { phase: 'Succeeded' });
    api.put('new', undefined);
    for (let number = 0; number < 250; number += 1) api.ended(`ended-${number}`, '2030-01-01T12:00Z');
    await clock.advance(2 * MINUTE_MS);
    expect(api.names).toEqual(['faulty', 'open', 'new']);
  });

  test('what has piled up goes evenly, so many a second', async () => {
    for (let number = 0; number < 1_000; number += 1) api.ended(`ended-${number}`, '2030-01-01T12:00Z');
    await clock.advance(MINUTE_MS);
    startIt({ perSecond: 100 });
    await clock.advance(30_000);
    expect(api.names).toEqual([]);
    const perSecond = new Map<number, number>();
    for (const ms of api.removedAtMs.values()) {
      const second = Math.floor(ms / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(101);
    expect(perSecond.size).toBeLessThanOrEqual(12);
  });

  test('also what piled up in minutes, two of which go at once, goes at most so many a second', async () => {
    startIt({ perSecond: 100 });
    await clock.advance(1_000);
    api.down = 'the API server did not answer in time';
    await clock.advance(6 * MINUTE_MS);
    for (let minute = 0; minute < 6; minute += 1) endInMinute(minute, 500);
    api.down = undefined;
    await clock.advance(2 * MINUTE_MS);
    expect(api.names).toEqual([]);
    const times = [...api.removedAtMs.values()].sort((a, b) => a - b);
    const most = times.map((ms) => times.filter((other) => other >= ms && other < ms + 5_000).length);
    expect(Math.max(...most)).toBeLessThanOrEqual(5 * 100 + 50);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(40_000);
  });

  test('with an API server that takes 100 ms for each, more than 100 a second go', async () => {
    startIt();
    await clock.advance(1_000);
    api.removalTakesMs = 100;
    for (let number = 0; number < 6_000; number += 1) api.ended(`ended-${number}`, '2030-01-01T12:00Z');
    await clock.advance(29_000 + 15_000 + MINUTE_MS);
    expect(api.names).toEqual([]);
  });

  test('with one that takes 500 ms, removal falls behind by minutes at most and keeps up then', async () => {
    startIt();
    await clock.advance(1_000);
    api.removalTakesMs = 500;
    const stored: number[] = [];
    for (let minute = 0; minute < 20; minute += 1) {
      endInMinute(minute, 3_600);
      await clock.advance(MINUTE_MS);
      stored.push(api.names.length);
    }
    expect(Math.max(...stored)).toBeLessThan(4 * 3_600);
  });

  test('minutes that passed while the API server was away are made up for', async () => {
    const remover = startIt();
    await clock.advance(1_000);
    api.down = 'the API server did not answer in time';
    for (let minute = 0; minute < 50; minute += 1)
      api.ended(`of-${minute}`, `2030-01-01T12:${String(minute).padStart(2, '0')}Z`);
    await clock.advance(55 * MINUTE_MS);
    expect(api.names).toHaveLength(50);
    expect(troubles).toEqual([{ of: 'api', message: api.down }]);
    api.down = undefined;
    await clock.advance(MINUTE_MS);
    expect(api.names).toEqual([]);
    expect(troubles.at(-1)).toBeUndefined();
    expect(lines).toHaveLength(2);
    expect(remover.overdueMs()).toBe(0);
  });

  test('another replica’s is left alone, and taken over from where it stands', async () => {
    let ours = false;
    startIt({ isOurs: () => ours });
    api.ended('first', '2030-01-01T11:00Z');
    await clock.advance(2 * MINUTE_MS);
    expect(api.looks).toBe(0);
    ours = true;
    await clock.advance(15_000);
    expect(api.names).toEqual([]);
  });

  test('a look costs one list a minute of the last few, and nothing in between', async () => {
    startIt();
    await clock.advance(10_000);
    const before = api.looks;
    await clock.advance(10 * MINUTE_MS);
    expect(api.looks - before).toBe(40);
  });

  test('a transaction that joins a minute as it ends still goes', async () => {
    startIt();
    await clock.advance(45_000);
    api.ended('late', '2030-01-01T12:00Z');
    await clock.advance(2 * MINUTE_MS);
    expect(api.names).toEqual([]);
  });
});

test('what was left of long ago, however much, holds up no minute', async () => {
  for (let number = 0; number < 12_000; number += 1) api.ended(`old-${number}`, '2030-01-01T06:00Z');
  start({ sweepEveryMs: 5 * MINUTE_MS });
  api.removalTakesMs = 400;
  for (let minute = 0; minute < 10; minute += 1) {
    endInMinute(minute, 2_000);
    await clock.advance(MINUTE_MS);
  }
  const ofMinutes = api.names.filter((name) => name.startsWith('ended'));
  const old = api.names.length - ofMinutes.length;
  expect(ofMinutes.length).toBeLessThanOrEqual(2 * 2_000);
  expect(old).toBeLessThan(12_000 - 9 * 60 * 4);
});

test('who takes over begins with the minutes that passed meanwhile, and leaves off when it is another’s again', async () => {
  let ours = false;
  start({ isOurs: () => ours });
  api.ended('old', '2030-01-01T06:00Z');
  api.removalTakesMs = 10;
  endInMinute(0, 1_000);
  endInMinute(1, 1_000);
  await clock.advance(3 * MINUTE_MS);
  ours = true;
  await clock.advance(15_000);
  const left = api.names.length;
  expect(left).toBeLessThan(2_001 - 300);
  expect(api.names).not.toContain('old');
  ours = false;
  await clock.advance(2_000);
  const { looks } = api;
  const after = api.names.length;
  expect(after).toBeGreaterThan(0);
  await clock.advance(10 * MINUTE_MS);
  expect({ looks: api.looks, stored: api.names.length }).toEqual({ looks, stored: after });
});

test('a clock that went ahead and was set back stops no minute', async () => {
  let aheadMs = 0;
  start({ apiClock: { now: () => clock.now() + aheadMs } });
  await clock.advance(10_000);
  aheadMs = 60 * MINUTE_MS;
  await clock.advance(MINUTE_MS);
  aheadMs = 0;
  endInMinute(2, 5);
  await clock.advance(4 * MINUTE_MS);
  expect(api.names).toEqual([]);
});

test('who takes over a second time looks through what is old as well', async () => {
  let ours = true;
  start({ isOurs: () => ours });
  // Minutes that take long: from then on the two no longer look at the same moment.
  api.removalTakesMs = 7;
  endInMinute(0, 900);
  await clock.advance(90_000);
  for (let round = 0; round < 5; round += 1) {
    ours = false;
    await clock.advance(25_000 + 1_700 * round);
    api.ended(`old-${round}`, '2030-01-01T06:00Z');
    ours = true;
    await clock.advance(25_000);
    expect(api.names).toEqual([]);
  }
});

test('where one of two minutes fails, both are begun again soon, and no minute before them', async () => {
  start();
  await clock.advance(1_000);
  api.down = 'the API server did not answer in time';
  await clock.advance(50 * MINUTE_MS);
  api.down = undefined;
  for (let minute = 0; minute < 50; minute += 1) endInMinute(minute, 10);
  const removeMinute = api.removeMinute.bind(api);
  let refusals = 3;
  const asked: string[] = [];
  api.removeMinute = async (namespace, expires, limit) => {
    asked.push(expires);
    if (expires === '2030-01-01T12:40Z' && refusals-- > 0) return { kind: 'unknown', message: 'etcd has no leader' };
    return removeMinute(namespace, expires, limit);
  };
  await clock.advance(4 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(asked.filter((expires) => expires === '2030-01-01T12:05Z')).toHaveLength(1);
  expect(troubles.at(-1)).toBeUndefined();
});

test('what became due while the minute before it went is not waited for', async () => {
  start();
  await clock.advance(1_000);
  api.removalTakesMs = 11;
  for (let minute = 0; minute < 10; minute += 1) {
    endInMinute(minute, 6_000);
    await clock.advance(MINUTE_MS);
  }
  const perSecond = new Set([...api.removedAtMs.values()].map((ms) => Math.floor(ms / 1_000)));
  const idle = Array.from({ length: 400 }, (_, second) => Math.floor(START / 1_000) + 120 + second).filter(
    (second) => !perSecond.has(second),
  );
  expect(idle).toEqual([]);
});

test('while the archive is away all stay; it is said once, and for how long they wait', async () => {
  const archive = new ArchiveFake();
  const remover = start({ archive });
  archive.away = true;
  for (let number = 0; number < 150; number += 1) api.ended(`ended-${number}`, '2030-01-01T12:00Z');
  await clock.advance(61 * MINUTE_MS);
  expect(api.names).toHaveLength(150);
  expect(troubles).toEqual([{ of: 'archive', message: 'the database is away' }]);
  expect(lines).toHaveLength(1);
  expect(remover.overdueMs()).toBeGreaterThan(60 * MINUTE_MS);
  archive.away = false;
  await clock.advance(MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(new Set(archive.kept).size).toBe(150);
  expect(remover.overdueMs()).toBe(0);
});

test('after each look the replica that removes reports how it went, and no other', async () => {
  const archive = new ArchiveFake();
  archive.away = true;
  api.ended('ended', '2030-01-01T11:00Z');
  const reports: (Trouble['of'] | 'none')[] = [];
  let isOurs = false;
  const report = { looked: async (trouble: Trouble | undefined) => void reports.push(trouble?.of ?? 'none') };
  start({ archive, report, isOurs: () => isOurs });
  await clock.advance(MINUTE_MS);
  expect(reports).toEqual([]);
  isOurs = true;
  await clock.advance(MINUTE_MS);
  expect(reports.at(-1)).toBe('archive');
  archive.away = false;
  await clock.advance(MINUTE_MS);
  expect(reports.at(-1)).toBe('none');
});

/** What has ended goes after its minute, and nothing else does, whatever fails meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import type { Log } from '../runtime/log.ts';
import type { ArchiveResult, Trouble } from './ports.ts';
import { Remover, type RemoverOptions } from './remover.ts';
import { RestingFake } from './resting-fake.ts';

const START = Date.UTC(2030, 0, 1, 12, 0, 30);
const MINUTE_MS = 60_000;

let clock: ManualClock;
let api: RestingFake;
const running: Remover[] = [];
let lines: string[];
let troubles: (Trouble | undefined)[];
let counts: Record<string, number>;

beforeEach(() => {
  clock = new ManualClock(START);
  api = new RestingFake(clock);
  lines = [];
  troubles = [];
  counts = {};
});
afterEach(async () => {
  const stopped = Promise.all(running.splice(0).map((remover) => remover.stop()));
  await clock.advance(MINUTE_MS);
  await stopped;
});

function start(more: Partial<RemoverOptions> = {}): Remover {
  const write = (_fields: unknown, sentence: string) => void lines.push(sentence);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const remover = new Remover({
    ...{ resting: api, isOurs: () => true, perSecond: 200, clock, apiClock: clock, log },
    onRemoved: (result, transactions) => (counts[result] = (counts[result] ?? 0) + transactions),
    onTrouble: (trouble) => troubles.push(trouble),
    ...more,
  });
  running.push(remover);
  remover.start();
  return remover;
}

/** So many transactions with an `expires` so many minutes after the hour. */
function endInMinute(minute: number, transactions: number): void {
  const expires = `2030-01-01T12:${String(minute).padStart(2, '0')}Z`;
  for (let number = 0; number < transactions; number += 1) api.ended(`ended-${minute}-${number}`, expires);
}

/** An archive that keeps what it is given, unless told otherwise. */
class ArchiveFake {
  readonly kept: string[] = [];
  away = false;
  readonly never = new Set<string>();

  async keep(transactions: readonly OrderTransaction[]): Promise<ArchiveResult> {
    if (this.away) return { kind: 'unavailable', message: 'the database is away' };
    const [refused, taken] = [true, false].map((is) =>
      transactions.filter((each) => this.never.has(each.metadata.name) === is),
    );
    this.kept.push(...(taken ?? []).map(({ metadata }) => metadata.name));
    return { kind: 'kept', refused: new Map((refused ?? []).map((each) => [each, 'it cannot be stored'])) };
  }
}

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
    await clock.advance(1_000);
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

  test('minutes that passed while the API server was away are made up for, one after the other', async () => {
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
    await clock.advance(10_000);
    expect(api.names).toEqual([]);
  });

  test('a look costs one list a minute of the last few, and nothing in between', async () => {
    startIt();
    await clock.advance(1_000);
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

test('a collection that takes longer than its share of the pace is gone on with', async () => {
  start();
  await clock.advance(1_000);
  api.removalTakesMs = 20;
  endInMinute(0, 2_000);
  await clock.advance(2 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(api.wentTogether).toBe(2_000);
});

test('where one took much longer they go one by one, and the next minute goes together again', async () => {
  start();
  await clock.advance(1_000);
  endInMinute(0, 500);
  api.removalTakesMs = 40;
  await clock.advance(MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(api.wentTogether).toBe(100);
  endInMinute(1, 500);
  api.removalTakesMs = 1;
  const { looks } = api;
  await clock.advance(MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(api.wentTogether).toBe(100 + 500);
  expect(api.looks - looks).toBe(3 + 6);
});

test('where all are slow, a collection of few is all that a minute waits for', async () => {
  start();
  await clock.advance(1_000);
  api.removalTakesMs = 100;
  for (let minute = 0; minute < 4; minute += 1) {
    endInMinute(minute, 500);
    await clock.advance(MINUTE_MS);
  }
  await clock.advance(MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(api.wentTogether).toBe(100 + 3 * 20);
});

test('where a minute’s collections take longer than it, two minutes go at once and removal keeps up', async () => {
  start();
  await clock.advance(1_000);
  api.removalTakesMs = 15;
  const stored: number[] = [];
  for (let minute = 0; minute < 30; minute += 1) {
    endInMinute(minute, 6_000);
    await clock.advance(MINUTE_MS);
    stored.push(api.names.length);
  }
  expect(api.wentTogether).toBeGreaterThan(25 * 6_000);
  expect(Math.max(...stored)).toBeLessThan(4 * 6_000);
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

test('where a collection takes so long that it is not answered at all, all but a few go one by one', async () => {
  start();
  await clock.advance(1_000);
  [api.removalTakesMs, api.answeredWithinMs] = [500, 30_000];
  for (let number = 0; number < 500; number += 1) api.ended(`ended-${number}`, '2030-01-01T12:00Z');
  await clock.advance(2 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect({ wentTogether: api.wentTogether, troubles }).toEqual({ wentTogether: 20, troubles: [] });
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

test('one that no archive can take stays, and stops nobody else', async () => {
  const archive = new ArchiveFake();
  archive.never.add('ended-7');
  for (let number = 0; number < 250; number += 1) api.ended(`ended-${number}`, '2030-01-01T11:00Z');
  const told: string[] = [];
  start({ archive, onUnarchivable: ({ metadata }, reason) => told.push(`${metadata.name}: ${reason}`) });
  await clock.advance(10_000);
  expect(api.names).toEqual(['ended-7']);
  expect(counts).toEqual({ removed: 249, unarchivable: 1 });
  expect(told).toEqual(['ended-7: it cannot be stored']);
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
  expect(new Set(reports)).toEqual(new Set(['archive']));
  archive.away = false;
  await clock.advance(MINUTE_MS);
  expect(reports.at(-1)).toBe('none');
});

test('a copy that changed since it was archived stays until that one is archived as well', async () => {
  const archive = new ArchiveFake();
  const keep = archive.keep.bind(archive);
  let meanwhile = (): void => void api.ended('changed', '2030-01-01T11:00Z');
  archive.keep = async (transactions) => {
    const kept = await keep(transactions);
    meanwhile();
    meanwhile = () => undefined;
    return kept;
  };
  api.ended('changed', '2030-01-01T11:00Z');
  start({ archive, sweepEveryMs: MINUTE_MS });
  await clock.advance(5_000);
  expect(api.names).toEqual(['changed']);
  await clock.advance(2 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(archive.kept).toEqual(['changed', 'changed']);
});

test('a namespace that may not be read stops no other', async () => {
  api.namespaces = ['forbidden', 'shop'];
  api.forbidden = ['forbidden'];
  api.ended('before', '2030-01-01T11:00Z');
  start();
  await clock.advance(5_000);
  expect(api.names).toEqual([]);
  api.ended('later', '2030-01-01T12:01Z');
  await clock.advance(2 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(troubles).toEqual([]);
});

test('where the right is missing it is said once, and asked again ever more rarely', async () => {
  api.remove = async () => ({ kind: 'refused', message: 'forbidden' });
  for (let number = 0; number < 20; number += 1) api.ended(`ended-${number}`, '2030-01-01T11:00Z');
  start();
  await clock.advance(10 * MINUTE_MS);
  expect(lines).toHaveLength(1);
  expect(api.looks).toBeLessThan(60);
});

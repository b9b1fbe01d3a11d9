/** How many are asked for at once, and what becomes of the others where one cannot be removed. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { delay } from '../runtime/clock.ts';
import type { ManualClock } from '../runtime/manual-clock.ts';
import type { Resting, Trouble } from './ports.ts';
import { ArchiveFake, MINUTE_MS, ManualRemover } from './manual-remover.ts';
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

test('a namespace in which nothing may be removed stops no other, and what stayed goes once it may', async () => {
  api.namespaces = ['forbidden', 'shop'];
  const theirs = api.ended('theirs', '2030-01-01T12:00Z');
  api.stored.clear();
  let [isAllowed, isGone] = [false, false];
  const isTheirs = (which: Resting) => which.kind === 'all' || which.expires === theirs.status?.expires;
  const [page, removeMinute, remove] = [api.page.bind(api), api.removeMinute.bind(api), api.remove.bind(api)];
  api.page = async (namespace, which, ...more) => {
    if (namespace === 'shop') return page(namespace, which, ...more);
    return { kind: 'page', transactions: isTheirs(which) && !isGone ? [theirs] : [], next: undefined };
  };
  api.removeMinute = async (namespace, expires, limit) => {
    if (namespace === 'shop') return removeMinute(namespace, expires, limit);
    return isTheirs({ kind: 'minute', expires }) && !isGone
      ? { kind: 'refused', message: 'no right to delete' }
      : { kind: 'removed', removed: 0, more: false };
  };
  api.remove = async (transaction) => {
    if (transaction !== theirs) return remove(transaction);
    isGone = isAllowed;
    return isAllowed ? { kind: 'removed' } : { kind: 'refused', message: 'no right to delete' };
  };
  api.ended('old', '2030-01-01T06:00Z');
  endInMinute(0, 5);
  start();
  await clock.advance(20 * MINUTE_MS);
  expect(api.names).toEqual([]);
  expect(troubles).toEqual([{ of: 'api', message: 'no right to delete' }]);
  isAllowed = true;
  await clock.advance(6 * MINUTE_MS);
  expect(isGone).toBe(true);
  expect(troubles.at(-1)).toBeUndefined();
});

test('one that is refused among what is old stops none behind it', async () => {
  const remove = api.remove.bind(api);
  api.remove = async (transaction) =>
    transaction.metadata.name === 'odd' ? { kind: 'refused', message: 'somebody keeps it' } : remove(transaction);
  start({ sweepEveryMs: 60 * MINUTE_MS });
  await clock.advance(10_000);
  for (let number = 0; number < 199; number += 1) api.ended(`first-${number}`, '2031-01-01T06:00Z');
  api.ended('odd', '2030-01-01T06:00Z');
  for (let number = 0; number < 150; number += 1) api.ended(`later-${number}`, '2030-01-01T06:00Z');
  await clock.advance(62 * MINUTE_MS);
  expect(api.names.filter((name) => !name.startsWith('first'))).toEqual(['odd']);
});

test('minutes in which nothing ended are passed over, in however many namespaces', async () => {
  api.namespaces = [...Array.from({ length: 20 }, (_, number) => `empty-${number}`), 'shop'];
  const [page, removeMinute] = [api.page.bind(api), api.removeMinute.bind(api)];
  api.page = async (namespace, ...more) =>
    namespace === 'shop' ? page(namespace, ...more) : { kind: 'page', transactions: [], next: undefined };
  api.removeMinute = async (namespace, ...more) =>
    namespace === 'shop' ? removeMinute(namespace, ...more) : { kind: 'removed', removed: 0, more: false };
  start();
  await clock.advance(10_000);
  api.down = 'the API server did not answer in time';
  await clock.advance(30 * MINUTE_MS);
  api.down = undefined;
  endInMinute(29, 5);
  await clock.advance(50_000);
  expect(api.names).toEqual([]);
});

test('one by one, none waits for a page’s slowest, nor for the next page to be read and archived', async () => {
  const archive = new ArchiveFake();
  const [page, remove, forever] = [api.page.bind(api), api.remove.bind(api), new AbortController().signal];
  api.page = async (...which) => {
    await delay(clock, 900, forever);
    return page(...which);
  };
  let removals = 0;
  api.remove = async (transaction) => {
    removals += 1;
    await delay(clock, removals % 50 === 0 ? 2_000 : 200, forever);
    return remove(transaction);
  };
  start({ archive });
  await clock.advance(1_000);
  endInMinute(0, 4_000);
  await clock.advance(29_000 + 15_000 + (4_000 / 90) * 1_000);
  expect(api.names).toEqual([]);
  expect(archive.kept).toHaveLength(4_000);
});

test('where all are refused from one on it is told until one goes again, and what stayed goes', async () => {
  const [remove, archive] = [api.remove.bind(api), new ArchiveFake()];
  let [isAway, asked] = [true, 0];
  api.remove = async (transaction) => {
    asked += 1;
    return isAway && asked > 150 ? { kind: 'refused', message: 'failed calling webhook' } : remove(transaction);
  };
  for (let number = 0; number < 3_000; number += 1) api.ended(`old-${number}`, '2030-01-01T06:00Z');
  const running = start({ archive });
  await clock.advance(2 * MINUTE_MS);
  expect(asked).toBeLessThan(150 + 100 + 25);
  expect(troubles).toEqual([{ of: 'api', message: 'failed calling webhook' }]);
  expect(running.overdueMs()).toBeGreaterThan(6 * 60 * MINUTE_MS);
  [isAway, api.removalTakesMs] = [false, 400];
  await clock.advance(6 * MINUTE_MS);
  expect(api.names.length).toBeGreaterThan(0);
  expect(troubles.at(-1)).toBeUndefined();
  await clock.advance(20 * MINUTE_MS);
  expect(api.names).toEqual([]);
});

test.each([1, 3, 5])(
  '%i namespaces whose webhook hangs delay no other, and theirs go once it answers',
  async (count) => {
    const hanging = Array.from({ length: count }, (_, number) => `hanging-${number}`);
    api.namespaces = [...hanging, 'shop'];
    for (const namespace of hanging) api.webhookAwayMs.set(namespace, 10_000);
    start();
    const ofShop: number[] = [];
    for (let minute = 0; minute < 40; minute += 1) {
      for (const namespace of api.namespaces) remover.endInMinute(minute, 30, namespace);
      await clock.advance(MINUTE_MS);
      ofShop.push(api.names.filter((name) => name.endsWith('shop')).length);
    }
    // All of them hang at first, and each is tried once.
    expect(Math.max(...ofShop)).toBeLessThanOrEqual(30 * 6);
    expect(ofShop.at(-1)).toBeLessThanOrEqual(30 * 2);
    expect(troubles).toEqual([{ of: 'api', message: 'failed calling webhook' }]);
    api.webhookAwayMs.clear();
    await clock.advance(20 * MINUTE_MS);
    expect(api.names).toEqual([]);
    expect(troubles.at(-1)).toBeUndefined();
  },
);

test('one that is refused at once among many that went has no minute passed over', async () => {
  const [removeMinute, remove] = [api.removeMinute.bind(api), api.remove.bind(api)];
  api.remove = async (transaction) =>
    transaction.metadata.name === 'held' ? { kind: 'refused', message: 'it is held' } : remove(transaction);
  api.removeMinute = async (namespace, expires, limit) => {
    const held = api.stored.get('held');
    if (held?.status?.expires !== expires) return removeMinute(namespace, expires, limit);
    api.stored.delete('held');
    const result = await removeMinute(namespace, expires, limit);
    api.stored.set('held', held);
    return result.kind === 'removed' && result.more ? result : { kind: 'refused', message: 'it is held' };
  };
  start();
  await clock.advance(1_000);
  for (let minute = 0; minute < 5; minute += 1) {
    endInMinute(minute, 250);
    if (minute === 0) api.ended('held', '2030-01-01T12:00Z');
    await clock.advance(MINUTE_MS);
  }
  expect(api.names).toEqual(['held']);
});

test('hundreds that are refused hide none that is behind them for ever, and are told all the time', async () => {
  const remove = api.remove.bind(api);
  api.remove = async (transaction) =>
    transaction.metadata.name.startsWith('held') ? { kind: 'refused', message: 'it is held' } : remove(transaction);
  for (let number = 0; number < 350; number += 1) api.ended(`held-${number}`, '2030-01-01T06:00Z');
  for (let number = 0; number < 250; number += 1) api.ended(`good-${number}`, '2030-01-01T06:00Z');
  start();
  await clock.advance(30 * MINUTE_MS);
  expect(api.names.filter((name) => name.startsWith('good'))).toEqual([]);
  expect(troubles.at(-1)).toEqual({ of: 'api', message: 'it is held' });
});

test('where all that are old were refused, the first of them are tried again as well', async () => {
  const remove = api.remove.bind(api);
  let allowed = /never/;
  api.remove = async (transaction) =>
    allowed.test(transaction.metadata.name) ? remove(transaction) : { kind: 'refused', message: 'it is held' };
  for (let number = 0; number < 100; number += 1) api.ended(`first-${number}`, '2030-01-01T06:00Z');
  for (let number = 0; number < 100; number += 1) api.ended(`last-${number}`, '2030-01-01T06:00Z');
  start();
  await clock.advance(12 * MINUTE_MS);
  allowed = /^first-/;
  await clock.advance(20 * MINUTE_MS);
  expect(api.names.filter((name) => name.startsWith('first'))).toEqual([]);
});

test('a namespace that was passed over is tried again, also where no look at all is ever done', async () => {
  api.namespaces = ['stuck', 'shop'];
  api.ended('stuck', '2030-01-01T06:00Z', 'stuck');
  const remove = api.remove.bind(api);
  api.remove = async (transaction) =>
    transaction.metadata.name === 'stuck' ? { kind: 'unknown', message: 'no answer' } : remove(transaction);
  api.webhookAwayMs.set('shop', 10_000);
  start();
  for (let minute = 0; minute < 12; minute += 1) {
    endInMinute(minute, 30);
    await clock.advance(MINUTE_MS);
    if (minute === 2) api.webhookAwayMs.clear();
  }
  expect(api.names.filter((name) => /^ended-([6789]|10)-/.test(name))).toEqual([]);
});

test('a list that took too long to be continued goes on where it was, and none is removed twice', async () => {
  const page = api.page.bind(api);
  let expiries = 2;
  api.page = async (namespace, which, limit, next) =>
    next !== undefined && expiries-- > 0 ? { kind: 'expired', next } : page(namespace, which, limit, next);
  api.removalTakesMs = 10;
  for (let number = 0; number < 450; number += 1) api.ended(`ended-${number}`, '2030-01-01T06:00Z');
  const archive = new ArchiveFake();
  start({ archive });
  await clock.advance(30_000);
  expect(api.names).toEqual([]);
  expect([counts, archive.kept.length]).toEqual([{ removed: 450 }, 450]);
});

test('a list that cannot be continued at all is told, and asked for ever more rarely', async () => {
  const page = api.page.bind(api);
  api.page = async (namespace, which, limit, next) => {
    api.looks += 1;
    return next !== undefined ? { kind: 'expired', next } : page(namespace, which, limit, next);
  };
  for (let number = 0; number < 450; number += 1) api.ended(`ended-${number}`, '2030-01-01T06:00Z');
  start();
  await clock.advance(MINUTE_MS);
  expect(troubles).toMatchObject([{ of: 'api', message: expect.stringContaining('expired') }]);
  expect(api.looks).toBeLessThan(100);
});

test('a process that ends asks for no further collection', async () => {
  const remover = start({ perSecond: 20 });
  await clock.advance(1_000);
  endInMinute(0, 1_000);
  await clock.advance(40_000);
  const { looks } = api;
  expect(api.names.length).toBeGreaterThan(0);
  await remover.stop();
  expect(api.looks).toBe(looks);
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
  expect(api.looks).toBeLessThan(90);
});

/** What is archived is kept whole, once, for as long as it is to be; and is found again by pages that go by key. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type pg from 'pg';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { createPool } from '../../../services/kit/src/postgres/pool.ts';
import { memoryLog } from '../../../services/kit/testing/memory-log.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshDatabase } from '../../../tests/world/world.ts';
import { PostgresArchive } from './postgres-archive.ts';
import { findByName, findByOrderId, listArchived } from './queries.ts';

const DAY_MS = 24 * 3_600_000;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
let proxy: TcpProxy;
const archives: PostgresArchive[] = [];

beforeEach(async () => {
  database = await freshDatabase('archive');
  pool = createPool({ connectionString: database.url, applicationName: 'test', log: memoryLog().log });
  proxy = await startTcpProxy(Number(new URL(database.url).port));
});
afterEach(async () => {
  await Promise.all(archives.splice(0).map((archive) => archive.close()));
  await proxy.close();
  await pool.end();
  await database.drop();
});

function openArchive(retentionDays = 365, connectionString = database.url): PostgresArchive {
  const archive = new PostgresArchive({ connectionString, retentionDays, log: memoryLog().log });
  archives.push(archive);
  return archive;
}

interface Choice {
  readonly uid?: string;
  readonly flow?: string;
  readonly orderId?: string;
  readonly phase?: 'Succeeded' | 'Cancelled';
  readonly finishedAt?: string;
  readonly payload?: string;
}

function transaction(name: string, choice: Choice = {}): OrderTransaction {
  const { uid = `uid-of-${name}`, flow = 'create-order', orderId = 'o1', phase = 'Succeeded', payload = '{}' } = choice;
  const finishedAt = choice.finishedAt ?? new Date().toISOString();
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
    metadata: { name, namespace: 'shop', uid, resourceVersion: '7' },
    spec: { flow, orderId, payload: parseExact(payload) as object, suspend: false, cancelRequested: false },
    status: { phase, finishedAt, expires: '2026-01-01T00:05Z' },
  } as OrderTransaction;
}

const KEPT = { kind: 'kept', refused: new Map() };
const rows = async () => Number((await pool.query('select count(*) as rows from ordertx_archive')).rows[0]?.rows);
const namesOf = (found: readonly OrderTransaction[]) => found.map(({ metadata }) => metadata.name);

test('the whole object is kept, digit by digit, whatever its payload has', async () => {
  const payload = String.raw`{"big":9007199254740993.10,"huge":1e4000,"nothing":"a\u0000b","half":"\ud800"}`;
  const kept = transaction('odd', { payload });
  expect(await openArchive().keep([kept])).toEqual(KEPT);
  const [found] = await findByOrderId(pool, 'shop', 'o1');
  expect(JSON.stringify(found)).toBe(JSON.stringify(kept));
  expect(JSON.stringify(found)).toContain('9007199254740993.10');
  expect(namesOf(await findByName(pool, 'shop', 'odd'))).toEqual(['odd']);
  expect(await findByName(pool, 'elsewhere', 'odd')).toEqual([]);
});

test('kept again, by whomever, it is one row; put again under its name, it is another', async () => {
  const batch = Array.from({ length: 100 }, (_, index) => transaction(`t-${index}`, { orderId: `o${index}` }));
  const kept = await Promise.all([openArchive().keep(batch), openArchive().keep(batch)]);
  for (const archive of archives) expect(await archive.keep(batch)).toEqual(KEPT);
  expect(kept.some(({ kind }) => kind === 'kept')).toBe(true);
  expect(await rows()).toBe(100);
  await openArchive().keep([transaction('t-1', { uid: 'another', orderId: 'o1' })]);
  expect(await findByName(pool, 'shop', 't-1')).toHaveLength(2);
});

test('batches that come at once, of a month that nobody has made, are all kept at once', async () => {
  const archive = openArchive();
  const batches = Array.from({ length: 6 }, (_, number) => [transaction(`t-${number}`, { orderId: `o${number}` })]);
  expect(await Promise.all(batches.map((batch) => archive.keep(batch)))).toEqual(batches.map(() => KEPT));
  expect(await rows()).toBe(batches.length);
});

test('a database that is away is told, and used again once it is back', async () => {
  const through = new URL(database.url);
  through.port = String(proxy.port);
  const archive = openArchive(365, through.href);
  proxy.break('cut');
  expect(await archive.keep([transaction('t')])).toMatchObject({ kind: 'unavailable' });
  proxy.heal();
  expect(await archive.keep([transaction('t')])).toEqual(KEPT);
  proxy.break('cut');
  const answer = await archive.keep([transaction('u')]);
  expect(answer).toMatchObject({ kind: 'unavailable' });
  expect(JSON.stringify(answer)).not.toContain(new URL(database.url).password);
  proxy.heal();
  expect(await archive.keep([transaction('u')])).toEqual(KEPT);
  expect(await rows()).toBe(2);
});

test('tables that somebody dropped are trouble, not a reason to let go', async () => {
  const archive = openArchive();
  const september = { finishedAt: '2026-09-05T10:00:00.000Z' };
  await archive.keep([transaction('t', september)]);
  await pool.query('drop table ordertx_archive_2026_09');
  expect(await archive.keep([transaction('u', september)])).toMatchObject({ kind: 'unavailable' });
  expect(await archive.keep([transaction('u', september)])).toEqual(KEPT);
});

test('months that ended longer ago than the retention are dropped whole', async () => {
  const archive = openArchive(3650);
  const old = new Date(Date.now() - 500 * DAY_MS).toISOString();
  await archive.keep([transaction('old', { finishedAt: old }), transaction('new')]);
  expect(await rows()).toBe(2);
  // A controller that starts anew looks first, and then once an hour.
  await openArchive(365).keep([transaction('newer')]);
  expect(namesOf((await listArchived(pool, { namespace: 'shop' })).transactions).toSorted()).toEqual(['new', 'newer']);
});

describe('pages', () => {
  beforeEach(async () => {
    const at = (index: number) => new Date(Date.UTC(2026, 8, 1) + Math.floor(index / 3) * 5 * DAY_MS).toISOString();
    const all = Array.from({ length: 40 }, (_, index) =>
      transaction(`t-${String(index).padStart(2, '0')}`, {
        ...{ finishedAt: at(index), flow: index % 2 === 0 ? 'create-order' : 'pay-order' },
        phase: index % 5 === 0 ? 'Cancelled' : 'Succeeded',
      }),
    );
    expect(await openArchive(3650).keep(all)).toEqual(KEPT);
  });

  const walk = async (filter: object, limit: number) => {
    const names: string[] = [];
    let after: string | undefined;
    do {
      const page = await listArchived(pool, { namespace: 'shop', ...filter }, { limit, ...(after && { after }) });
      expect(page.transactions.length).toBeLessThanOrEqual(limit);
      names.push(...namesOf(page.transactions));
      after = page.next;
    } while (after !== undefined);
    return names;
  };
  const numbers = (of: (index: number) => boolean) =>
    Array.from({ length: 40 }, (_, index) => index)
      .filter(of)
      .map((index) => `t-${String(index).padStart(2, '0')}`)
      .toReversed();

  test.each([1, 7, 20, 40, 1000])('of %i walk through all, the latest first, over the months', async (limit) => {
    expect(await walk({}, limit)).toEqual(numbers(() => true));
  });

  test('go by flow, outcome and time, alone and together', async () => {
    expect(await walk({ flow: 'pay-order' }, 6)).toEqual(numbers((index) => index % 2 === 1));
    expect(await walk({ outcome: 'Cancelled' }, 3)).toEqual(numbers((index) => index % 5 === 0));
    expect(await walk({ flow: 'pay-order', outcome: 'Cancelled' }, 2)).toEqual(numbers((index) => index % 10 === 5));
    const since = new Date('2026-09-11T00:00:00.000Z');
    const before = new Date('2026-10-01T00:00:00.000Z');
    expect(await walk({ since, before }, 5)).toEqual(numbers((index) => index >= 6 && index < 18));
    expect(await walk({ flow: 'none' }, 5)).toEqual([]);
  });

  test('do not begin at what is no position', async () => {
    await expect(listArchived(pool, { namespace: 'shop' }, { after: 'there' })).rejects.toThrow('no position');
  });
});

test('it says how far the clock of this machine is ahead of the database’s, and nothing while that is away', async () => {
  const through = new URL(database.url);
  through.port = String(proxy.port);
  const archive = openArchive(365, through.href);
  expect(Math.abs(await archive.clockSkewSeconds())).toBeLessThan(1);
  const now = jest.spyOn(Date, 'now').mockImplementation(() => performance.timeOrigin + performance.now() + DAY_MS);
  expect(Math.abs((await archive.clockSkewSeconds()) - DAY_MS / 1_000)).toBeLessThan(1);
  now.mockRestore();
  proxy.break('cut');
  await expect(archive.clockSkewSeconds()).rejects.toThrow();
});

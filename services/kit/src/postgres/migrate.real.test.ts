/**
 * Migrations against a real Postgres whose tables are in use: by several replicas that start, by readers who hold a table, by writers
 * who must not wait, by a person who ends the wrong process.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { waitFor } from '../../../../local/deadline.ts';
import { freshDatabase } from '../../../../tests/world/world.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { migrate, type MigrateOptions } from './migrate.ts';
import { createPool } from './pool.ts';

const KIT = ['0001_fence', '0002_messages', '0003_inbox_digest', '0004_open_branches'];
const BUILD = '-- no transaction\ncreate unique index concurrently first_by_name on first (name);';
/** What older versions of the service wait for, in the database. */
const TURN_OF_OLDER = '7241865325823964';
const DEADLINE_MS = 30_000;

let folder: string;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
const sessions: pg.Client[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'migrations-'));
  database = await freshDatabase('migrate');
  pool = createPool({ connectionString: database.url, applicationName: 'test', log: memoryLog().log });
  await write('0001_first', 'create table first (id integer);');
  await write('0002_second', 'alter table first add column name text;');
});
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end().catch(() => undefined)));
  await pool.end();
  await database.drop();
  await rm(folder, { recursive: true });
});
afterAll(() => expect(sessions).toEqual([]));

const write = async (name: string, text: string): Promise<void> => writeFile(join(folder, `${name}.sql`), text);

interface Started {
  readonly done: Promise<void>;
  readonly lines: readonly Record<string, unknown>[];
}

/** Nothing is thrown before somebody looks at `done`. */
function start(how: Partial<Pick<MigrateOptions, 'lockTimeoutMs' | 'triesMax' | 'buildHeldMsMax'>> = {}): Started {
  const { log, lines } = memoryLog();
  const done = migrate({
    ...{ connectionString: database.url, folder: pathToFileURL(`${folder}/`), log, lockTimeoutMs: 200 },
    ...how,
  });
  done.catch(() => undefined);
  return { done, lines };
}

async function run(): Promise<void> {
  await start().done;
}

/** A session of somebody else's, in a database transaction that has done `statement`. */
async function holding(statement: string): Promise<pg.Client> {
  const session = new pg.Client({ connectionString: database.url, application_name: 'holder' });
  session.on('error', () => undefined);
  sessions.push(session);
  await session.connect();
  await session.query('begin isolation level repeatable read');
  await session.query(statement);
  return session;
}

const inVain = ({ lines }: Started): number =>
  lines.filter(({ msg }) => String(msg).includes('in use; trying again')).length;
const soon = (what: string, is: () => Promise<boolean>): Promise<true> =>
  waitFor(is, { what, deadlineMs: DEADLINE_MS });
const applied = async (): Promise<readonly unknown[]> =>
  (await pool.query<{ name: string }>('select name from ordertx_service_migrations order by id')).rows.map(
    ({ name }) => name,
  );

const indexState = async (): Promise<unknown> =>
  (await pool.query(`select indisvalid from pg_index where indexrelid = to_regclass('first_by_name')`)).rows[0];
const building = async (): Promise<number | undefined> =>
  (
    await pool.query<{ readonly pid: number }>(
      `select pid from pg_stat_activity
       where datname = current_database() and application_name = 'migrate' and wait_event_type = 'Lock'
         and query like '%concurrently first_by_name%'`,
    )
  ).rows[0]?.pid;

test('run once, in order, however many replicas start at the same time', async () => {
  await Promise.all([1, 2, 3, 4].map(run));
  await run();
  expect(await applied()).toEqual(['0001_first', '0002_second']);
  const kit = await pool.query<{ name: string }>('select name from ordertx_kit_migrations order by id');
  expect(kit.rows.map(({ name }) => name)).toEqual(KIT);
  await pool.query('select id, name from first');
  await pool.query('select transaction from ordertx_fence');
});

test('that fail leave nothing half done, name themselves, and can run again once mended', async () => {
  await write('0003_third', 'create table third (id integer); create table nonsense;');
  await expect(start().done).rejects.toThrow('migration 0003_third failed: syntax error');
  expect(await applied()).toEqual(['0001_first', '0002_second']);
  expect((await pool.query(`select to_regclass('third') as third`)).rows).toEqual([{ third: null }]);
  await write('0003_third', 'create table third (id integer);');
  await run();
  expect((await pool.query(`select to_regclass('third')::text as third`)).rows).toEqual([{ third: 'third' }]);
});

describe('a change whose table somebody else has', () => {
  beforeEach(async () => {
    await run();
    await write('0003_third', 'alter table first add column third text;');
  });

  test('lets writers pass, and is made once the table is free, whoever of several replicas makes it', async () => {
    const holder = await holding('select from first');
    const replicas = [start(), start(), start()];
    let written = 0;
    const writing = (async () => {
      // Longer than a writer waits for a lock (2 s), were it to wait as long as the table is held.
      while (Math.max(...replicas.map(inVain)) < 5) {
        await pool.query('insert into first values (1)');
        written += 1;
      }
    })();
    await writing;
    expect(written).toBeGreaterThan(5);
    expect(await applied()).toEqual(['0001_first', '0002_second']);
    await holder.query('commit');
    await Promise.all(replicas.map(({ done }) => done));
    expect(await applied()).toEqual(['0001_first', '0002_second', '0003_third']);
    expect(replicas.filter((replica) => inVain(replica) > 0)).toHaveLength(1);
  });

  test('is given up in the end, and the start that fails says which change, which table, and who has it', async () => {
    const holder = await holding('select from first');
    const { rows } = await holder.query<{ readonly pid: number }>('select pg_backend_pid() as pid');
    const pid = String(rows[0]?.pid);
    const { done } = start({ lockTimeoutMs: 300, triesMax: 3 });
    await expect(done).rejects.toThrow(
      new RegExp(
        `^migration 0003_third was tried 3 times and each time waited 300 ms in vain for the lock on table first, which is held by process ${pid} \\(holder\\), whose transaction began 20\\S+. Wait until that has ended, or end it \\(select pg_terminate_backend\\(${pid}\\)\\), and start again$`,
      ),
    );
    await holder.query('commit');
    await run();
    expect(await applied()).toContain('0003_third');
  });
});

describe('an index that is built while its table stays in use', () => {
  beforeEach(async () => {
    await run();
    await pool.query(`insert into first values (1, 'one'), (2, 'two')`);
    await write('0003_by_name', BUILD);
  });

  test('lets writers write, and waits for as long as it has to', async () => {
    const holder = await holding('select from first');
    const { done, lines } = start({ lockTimeoutMs: 20 });
    await soon('the build to wait', async () => (await building()) !== undefined);
    await pool.query(`insert into first values (3, 'three')`);
    await soon('it to say for whom', async () =>
      lines.some(
        ({ msg, held }) => String(msg).startsWith('the index waits') && JSON.stringify(held).includes('holder'),
      ),
    );
    expect(await applied()).not.toContain('0003_by_name');
    await holder.query('commit');
    await done;
    expect(await indexState()).toEqual({ indisvalid: true });
    expect(await applied()).toContain('0003_by_name');
    expect(lines.map(({ msg }) => msg)).toContain('an index is built while the table stays in use; this may take long');
  });

  test('is given up where one transaction holds it up for too long, and the start that fails says whose', async () => {
    const holder = await holding('select from first');
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
    const { done } = start({ buildHeldMsMax: 300 });
    await expect(done).rejects.toThrow(
      new RegExp(
        `migration 0003_by_name failed: its index was held up for 300 ms by process ${rows[0]?.pid} .*select pg_terminate_backend`,
      ),
    );
    expect(await applied()).not.toContain('0003_by_name');
    await holder.query('commit');
    await run();
    expect(await indexState()).toEqual({ indisvalid: true });
  });

  test('and was cut off half way is built anew by the next start', async () => {
    const holder = await holding('select from first');
    const { done } = start();
    await soon('the build to wait', async () => (await building()) !== undefined);
    await pool.query('select pg_terminate_backend($1)', [await building()]);
    await expect(done).rejects.toThrow('migration 0003_by_name failed: terminating connection');
    expect(await indexState()).toEqual({ indisvalid: false });
    await holder.query('commit');
    await run();
    expect(await indexState()).toEqual({ indisvalid: true });
    expect(await applied()).toContain('0003_by_name');
  });

  test('can be dropped in the same way, once or again', async () => {
    await run();
    expect(await indexState()).toEqual({ indisvalid: true });
    await write('0004_gone', '-- no transaction\ndrop index concurrently if exists first_by_name;');
    await write('0005_gone', '-- no transaction\ndrop index concurrently if exists first_by_name;');
    await run();
    expect(await indexState()).toBeUndefined();
    expect(await applied()).toContain('0005_gone');
  });

  test('and is there already, whole, is taken as it is', async () => {
    await pool.query('create unique index first_by_name on first (name)');
    const oid = async () => (await pool.query(`select 'first_by_name'::regclass::oid as oid`)).rows[0] as unknown;
    const before = await oid();
    await run();
    expect(await oid()).toEqual(before);
    expect(await applied()).toContain('0003_by_name');
  });

  test('and cannot be, leaves none that would refuse rows', async () => {
    await pool.query(`insert into first values (3, 'one')`);
    await expect(start().done).rejects.toThrow('migration 0003_by_name failed: could not create unique index');
    expect(await indexState()).toBeUndefined();
    await pool.query(`delete from first where id = 3`);
    await run();
    expect(await indexState()).toEqual({ indisvalid: true });
  });

  test('does not wait for a replica of an older version that waits in the database for its turn: that one goes first', async () => {
    await rm(join(folder, '0003_by_name.sql'));
    await write('0003_before', 'alter table first add column third text;');
    await write('0004_by_name', BUILD);
    const holder = await holding('select from first');
    const replica = start();
    await soon('it to have the turn', async () => inVain(replica) > 0);
    const older = new pg.Client({ connectionString: database.url });
    sessions.push(older);
    await older.connect();
    const turn = older.query(`select pg_advisory_lock(${TURN_OF_OLDER})`);
    await soon('the older one to wait', async () => {
      const { rowCount } = await pool.query(
        `select from pg_locks
         where locktype = 'advisory' and not granted
           and database = (select oid from pg_database where datname = current_database())`,
      );
      return rowCount === 1;
    });
    await holder.query('commit');
    await turn;
    await soon('the index to be built', async () => (await indexState()) !== undefined);
    await older.query(`select pg_advisory_unlock(${TURN_OF_OLDER})`);
    await replica.done;
    expect(await indexState()).toEqual({ indisvalid: true });
    expect(await applied()).toContain('0004_by_name');
  });
});

test('a file without a transaction and with something else in it is refused, and nothing of it is done', async () => {
  await write('0003_third', '-- no transaction\nalter table first add column third text;');
  await expect(start().done).rejects.toThrow('migration 0003_third failed: a file with `-- no transaction` has one');
  await expect(pool.query('select third from first')).rejects.toThrow('does not exist');
});

/**
 * Database transactions and notifications against a real Postgres.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Pool } from 'pg';
import { freshDatabase } from '../../../../tests/world/world.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { until } from '../../testing/until.ts';
import { passing } from './errors.ts';
import { listenForNotifications } from './notifications.ts';
import { createPool } from './pool.ts';
import { endTransaction, inTransaction } from './transaction.ts';

const { log } = memoryLog();
let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: Pool;
beforeAll(async () => {
  database = await freshDatabase('kit');
  pool = createPool({ connectionString: database.url, applicationName: 'test', log, connectionsMax: 2 });
  await pool.query('create table notes (note text primary key)');
}, 30_000);
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const notes = async () =>
  (await pool.query<{ note: string }>('select note from notes order by 1')).rows.map(({ note }) => note);

describe('a database transaction', () => {
  test('is kept when its work resolves, undone when it rejects or says so', async () => {
    await inTransaction(pool, (client) => client.query(`insert into notes values ('kept')`));
    const failing = inTransaction(pool, async (client) => {
      await client.query(`insert into notes values ('undone')`);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const value = await endTransaction(pool, async (client) => {
      await client.query(`insert into notes values ('undone too')`);
      return { keep: false, value: 7 };
    });
    expect(value).toBe(7);
    expect(await notes()).toEqual(['kept']);
  });

  test('with a failed statement that was swallowed is no success', async () => {
    const work = inTransaction(pool, async (client) => {
      await client.query(`insert into notes values ('lost')`);
      await client.query('select 1/0').catch(() => undefined);
    });
    await expect(work).rejects.toThrow('not committed');
    expect(await notes()).not.toContain('lost');
  });

  test('gives its connection back whatever happens, so that a pool of two serves many', async () => {
    const works = Array.from({ length: 20 }, (_, index) =>
      inTransaction(pool, async (client) => {
        if (index % 4 === 0) throw new Error('thrown');
        if (index % 4 === 1) await client.query('nonsense');
        if (index % 4 === 2) await client.query('select pg_terminate_backend(pg_backend_pid())');
        return client.query('select 1');
      }),
    );
    const results = await Promise.allSettled(works);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(pool.waitingCount).toBe(0);
    expect((await pool.query('select 1')).rowCount).toBe(1);
  });

  test('whose answer did not come in time gives up its connection: nobody after it waits behind the old statement', async () => {
    const impatient = new Pool({ connectionString: database.url, max: 1, query_timeout: 200 });
    const work = inTransaction(impatient, (client) => client.query('select pg_sleep(20)'));
    await expect(work).rejects.toThrow('Query read timeout');
    expect((await impatient.query('select 1')).rowCount).toBe(1);
    await impatient.end();
  });

  test('is READ COMMITTED whatever the database says by default', async () => {
    const level = await inTransaction(
      pool,
      async (client) => (await client.query('show transaction_isolation')).rows[0] as unknown,
    );
    expect(level).toEqual({ transaction_isolation: 'read committed' });
  });
});

test('what the database says about itself is told apart from faults of ours', async () => {
  const errorOf = (sql: string) =>
    pool.query(sql).then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(passing(await errorOf(`set statement_timeout = 1; select pg_sleep(1)`))).toBe('contended');
  expect(passing(await errorOf('select pg_terminate_backend(pg_backend_pid())'))).toBe('unavailable');
  expect(passing(await errorOf('select nonsense'))).toBeUndefined();
  expect(passing(await errorOf(`insert into notes values ('kept')`))).toBeUndefined();
  const nobody = createPool({ connectionString: 'postgres://localhost:1/none', applicationName: 'test', log });
  expect(passing(await nobody.query('select 1').catch((error: unknown) => error))).toBe('unavailable');
  await nobody.end();
});

test('notifications come, and come again after the connection was lost', async () => {
  const heard: string[] = [];
  let listening = 0;
  const notifications = listenForNotifications({
    connectionString: database.url,
    channel: 'order-changed',
    onNotification: (payload) => void heard.push(payload),
    onListening: () => void (listening += 1),
    log,
  });
  await until('it listens', () => listening === 1);
  await pool.query(`select pg_notify('order-changed', 'o1')`);
  await until('o1 is heard', () => heard.includes('o1'));
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'listen' and datname = current_database()`,
  );
  await until('it listens again', () => listening === 2);
  await pool.query(`select pg_notify('order-changed', 'o2')`);
  await until('o2 is heard', () => heard.includes('o2'));
  await notifications.close();
  expect(heard).toEqual(['o1', 'o2']);
});

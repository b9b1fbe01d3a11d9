/**
 * A rolling update of the payment service: its database is that of the version before and in use, by old replicas that write, by
 * somebody who reads for long, and a build of an index was cut off; then three new replicas start at once.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { freePort } from '../../local/ports.ts';
import { waitFor } from '../../local/deadline.ts';
import { startOrders, type LoopbackOrders } from '../../services/payment/testing/loopback-orders.ts';
import { STORED_REFUNDS } from '../../services/payment/testing/running-payment.ts';
import { createPool } from '../../services/kit/src/index.ts';
import { memoryLog } from '../../services/kit/testing/memory-log.ts';
import { startPayment } from '../../services/payment/src/service.ts';
import { running, TEST_SETTINGS, type RunningTestService } from '../services/running.ts';
import { freshDatabase, freshRedis } from '../world/world.ts';
import { keptOf } from './kept.ts';
import { makeOldSchema } from './old-schema.ts';

const ROWS = 3_000;
const LOCK_TIMEOUT_MS = 200;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let orders: LoopbackOrders;
/** Of a reader of the table for whom nobody waits, until somebody wants to change it. */
let reader: pg.Client;
/** As an old replica has it: it gives a lock up after 2 s. */
let old: pg.Pool;
const replicas: RunningTestService[] = [];

const send = async (name: string, ...values: readonly unknown[]): Promise<pg.QueryResult> => {
  const statement = keptOf('payment').statements.find((each) => each.name === name);
  return old.query(statement?.text ?? '', [...values]);
};

beforeAll(async () => {
  database = await freshDatabase('three-replicas');
  orders = await startOrders();
  old = createPool({ connectionString: database.url, applicationName: 'old', log: memoryLog().log });
  reader = new pg.Client({ connectionString: database.url, application_name: 'backup' });
  await reader.connect();
  await makeOldSchema(reader, 'payment');
  await reader.query(
    `insert into payments (payment_id, order_id, amount_cents, captured_cents, status, captured_at)
     select 'before-' || n, 'o-' || n, 900, case when n % 2 = 0 then 900 end, case when n % 2 = 0 then 'SUCCEEDED' else 'PENDING' end,
       case when n % 2 = 0 then now() end
     from generate_series(1, ${ROWS}) as n`,
  );
  // What a build leaves that does not come to its end: this one finds the same value twice.
  await expect(reader.query('create unique index concurrently payments_of_order on payments ((1))')).rejects.toThrow();
});
afterAll(async () => {
  for (const replica of replicas) await replica.stop();
  await reader.end();
  await old.end();
  await orders.stop();
  await database.drop();
});

/** One payment after the other, as old replicas make them, for as long as it is wanted; resolves with how many. */
async function writeWhile(wanted: () => boolean): Promise<number> {
  let written = 0;
  while (wanted()) {
    written += 1;
    await send('insert-payment', `old-${written}`, 'o-1', 900);
    await send('capture-payment', `old-${written}`, 900);
    if (written % 2 === 0) await send('refund-payment', `old-${written}`, 'the order was closed');
  }
  return written;
}

async function startReplica(redisUrl: string): Promise<void> {
  const port = await freePort();
  const service = await startPayment({
    ...{ ...TEST_SETTINGS, ...STORED_REFUNDS, port, databaseUrl: database.url, redisUrl, publicUrl: undefined },
    ...{ orderUrl: orders.url, providerSecret: undefined, providerAuth: 'off' },
    migrationLockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  replicas.push(running(service, database.url, () => Promise.resolve()));
}

test('while a reader holds the table old replicas write on, and once it is gone all three new ones serve', async () => {
  await reader.query('begin');
  await reader.query('select count(*) from refunds, payments');
  const redisUrl = await freshRedis();
  let started = false;
  // A statement that waits for 2 s is given up, and the writing with it.
  const writing = writeWhile(() => !started);
  const starting = Promise.all([1, 2, 3].map(() => startReplica(redisUrl)));
  starting.catch(() => undefined);
  const waits = new Set<number>();
  await waitFor(
    async () => {
      const { rows } = await old.query<{ readonly began: number }>(
        `select extract(epoch from query_start)::float8 as began from pg_stat_activity
         where datname = current_database() and application_name = 'migrate' and wait_event_type = 'Lock'`,
      );
      for (const { began } of rows) waits.add(began);
      return waits.size >= 4;
    },
    { what: 'the fourth time that a replica tries to change the table', deadlineMs: 30_000, everyMs: 20 },
  );
  expect(replicas).toEqual([]);
  await reader.query('commit');
  await starting;
  started = true;
  expect(await writing).toBeGreaterThan(20);
  for (const { url } of replicas) expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('nothing was lost, and everything is as a new database has it', async () => {
  const { rows } = await old.query(
    `select
       (select count(*)::integer from payments where payment_id like 'before-%') as payments,
       (select count(*)::integer from captures where payment_id like 'before-%' and capture_id = '') as captures,
       (select count(*)::integer from pg_index where not indisvalid) as invalid_indexes,
       (select count(*)::integer from pg_constraint where not convalidated) as unchecked,
       (select count(*)::integer from ordertx_service_migrations) = (select count(distinct name) from ordertx_service_migrations) as once`,
  );
  expect(rows).toEqual([{ payments: ROWS, captures: ROWS / 2, invalid_indexes: 0, unchecked: 0, once: true }]);
  const index = await old.query<{ readonly definition: string }>(
    `select pg_get_indexdef('payments_of_order'::regclass) as definition`,
  );
  expect(index.rows[0]?.definition).toContain('(order_id, created_at)');
});

test('an old replica that starts again finds nothing to do, and takes no offence at what it does not know', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'old-migrations-'));
  for (const name of keptOf('payment').migrations) {
    const file = `${name}.sql`;
    await copyFile(join(import.meta.dirname, '../../services/payment/migrations', file), join(folder, file));
  }
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  // As that version does it.
  const done = await runner({
    ...{ dbClient: client, dir: folder, direction: 'up', migrationsTable: 'ordertx_service_migrations' },
    ...{ singleTransaction: true, advisoryLockMode: 'wait', log: () => undefined },
  });
  expect(done).toEqual([]);
  await client.end();
  await rm(folder, { recursive: true });
});

test('what an old replica writes from then on, new ones read', async () => {
  await send('insert-payment', 'late', 'o-late', 900);
  await send('capture-payment', 'late', 900);
  await send('refund-payment', 'late', 'the order was closed');
  const [replica] = replicas;
  const answer = await fetch(`${replica?.url ?? ''}/payments/late`);
  expect(await answer.json()).toMatchObject({ paymentId: 'late', status: 'REFUNDED' });
});

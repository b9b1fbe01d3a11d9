/**
 * One database a service and two roles in each, by the chart's postgres-roles.sql, over TLS: the role that serves can do its service's
 * work and nothing else, and the schema is changed by the other one.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { findByOrderId } from '../../controller/src/archive/queries.ts';
import { PostgresArchive } from '../../controller/src/archive/postgres-archive.ts';
import { inheritedEnvironment, openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { migrate } from '../../services/kit/src/index.ts';
import { databaseUrlOf } from '../../services/kit/src/tls-settings.ts';
import { memoryLog } from '../../services/kit/testing/memory-log.ts';
import { startPayment } from '../../services/payment/src/service.ts';
import { STORED_REFUNDS } from '../../services/payment/testing/running-payment.ts';
import { running, TEST_SETTINGS, type RunningTestService } from '../services/running.ts';
import { makeAuthority } from '../world/certificates.ts';
import { freshRedis } from '../world/world.ts';
import { runPsql } from './psql.ts';
import { OWNERS_OF_DATABASES, ROLES, startSecuredPostgres, type SecuredPostgres } from './secured-postgres.ts';

const START_MS = 60_000;
const ROOT = join(import.meta.dirname, '../..');

let group: ProcessGroup;
let postgres: SecuredPostgres;
/** Of changes that the member service does not have yet. */
let folder: string;
const clients: pg.Client[] = [];
beforeAll(async () => {
  group = await openProcessGroup();
  postgres = await startSecuredPostgres(group);
  folder = mkdtempSync(join(tmpdir(), 'next-version-'));
}, START_MS);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await group.close();
});

async function as(role: 'serving' | 'owner' | 'reader', service: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrlOf(postgres.url(service, role), postgres.caFile) });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

async function admin(service: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgres.adminUrlOf(service) });
  await client.connect();
  clients.push(client);
  return client;
}

/** Makes what is in `folder`, as the owner; with what was in the way when it cannot. */
async function changeMember(): Promise<string> {
  const connectionString = databaseUrlOf(postgres.url('member', 'owner'), postgres.caFile);
  const patience = { lockTimeoutMs: 100, triesMax: 3 };
  await migrate({ connectionString, folder: pathToFileURL(`${folder}/`), ...patience, log: memoryLog().log });
  return 'changed';
}

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

function run(service: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const main = join(ROOT, 'services', service, 'src', 'main.ts');
  const child = spawn(process.execPath, [main, ...args], { env: { ...inheritedEnvironment(), ...env } });
  let said = '';
  for (const output of [child.stdout, child.stderr]) output.on('data', (text) => (said += String(text)));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
}

describe('the schema', () => {
  test('is made by any number of `main.ts migrate` at once, as its owner, with no word of who serves', async () => {
    const env = { DATABASE_MIGRATION_URL: postgres.url('order', 'owner'), DATABASE_CA_FILE: postgres.caFile };
    const ended = await Promise.all([1, 2, 3].map(() => run('order', ['migrate'], env)));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    const applied = ended.flatMap(({ said }) => said.match(/"migration":"\w+","msg":"migration applied"/g) ?? []);
    expect(applied.length).toBeGreaterThan(5);
    expect(new Set(applied).size).toBe(applied.length);
    const { rows } = await (
      await admin('order')
    ).query<{ readonly tableowner: string }>(`select distinct tableowner from pg_tables where schemaname = 'public'`);
    expect(rows).toEqual([{ tableowner: 'ordertx_order_owner' }]);
  });

  test('that is not there cannot be made by who serves, and the start says what to do', async () => {
    const env = { DATABASE_URL: postgres.url('dispatch', 'serving'), DATABASE_CA_FILE: postgres.caFile };
    const served = { ...env, REDIS_URL: 'redis://127.0.0.1:1', ORDERTX_NAMESPACES: 'shop', PORT: '1' };
    const { code, said } = await run('dispatch', [], served);
    expect(code).toBe(1);
    expect(said).toContain('permission denied for schema public');
    expect(said).toContain('run `main.ts migrate` with DATABASE_MIGRATION_URL before, or set that here');
  });

  test('of nobody’s database is changed: without a URL `migrate` says which settings there are', async () => {
    const { code, said } = await run('wms', ['migrate'], {});
    expect(code).toBe(2);
    expect(said).toContain('DATABASE_MIGRATION_URL is not set, nor is DATABASE_URL');
  });

  test('is made by three replicas that start at once with both roles, and each serves as the lesser one, over TLS', async () => {
    const redisUrl = await freshRedis();
    const replicas: RunningTestService[] = [];
    const databaseUrl = postgres.url('payment', 'serving');
    const settings = { databaseUrl, databaseMigrationUrl: postgres.url('payment', 'owner'), redisUrl };
    await Promise.all(
      [1, 2, 3].map(async () => {
        const service = await startPayment({
          ...{ ...TEST_SETTINGS, ...STORED_REFUNDS, ...settings, databaseCaFile: postgres.caFile },
          ...{ publicUrl: undefined, orderUrl: 'http://127.0.0.1:1', providerSecret: undefined, providerAuth: 'off' },
        });
        replicas.push(running(service, postgres.adminUrlOf('payment'), () => Promise.resolve()));
      }),
    );
    for (const { url } of replicas) expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const { rows } = await (
      await admin('payment')
    ).query(
      `select usename, bool_and(ssl) as ssl from pg_stat_activity join pg_stat_ssl using (pid)
       where application_name = 'payment' group by usename`,
    );
    expect(rows).toEqual([{ usename: 'ordertx_payment', ssl: true }]);
    for (const replica of replicas) await replica.close();
  });

  test('of the next version serves whoever was there before, and its new tables are theirs to use', async () => {
    const before = await as('serving', 'member');
    writeFileSync(join(folder, '0001_next.sql'), 'create table next_table (id serial primary key, name text);');
    await changeMember();
    await before.query(`insert into next_table (name) values ('a'); update next_table set name = 'b'`);
    expect((await before.query('delete from next_table returning name')).rows).toEqual([{ name: 'b' }]);
  });

  test('that cannot be changed for a replica’s transaction says whose it is: its owner sees that, and may end it', async () => {
    const serving = await as('serving', 'member');
    await serving.query(`set application_name = 'a-replica'; begin; select * from next_table`);
    writeFileSync(join(folder, '0002_without.sql'), 'drop table next_table;');
    const inTheWay = /process \d+ \(a-replica\), whose transaction began .*pg_terminate_backend\((\d+)\)/;
    const [, pid] = inTheWay.exec(await changeMember().catch((error: unknown) => (error as Error).message)) ?? [];
    const ended = await (await as('owner', 'member')).query('select pg_terminate_backend($1) as ended', [pid]);
    expect(ended.rows).toEqual([{ ended: true }]);
    await changeMember();
  });
});

describe('the role that serves', () => {
  test.each([
    ['make a table', 'create table mine (id integer)', /permission denied for schema public/],
    ['make a schema', 'create schema mine', /permission denied for database/],
    ['change a table', 'alter table orders add column mine text', /must be owner of table orders/],
    ['drop a table', 'drop table orders', /must be owner of table orders/],
    ['empty a table', 'truncate orders', /permission denied for table orders/],
    ['index a table', 'create index mine on orders (order_id)', /must be owner of table orders/],
    [
      'write down that a change was made',
      `insert into ordertx_service_migrations (name, run_on) values ('9999_mine', now())`,
      /permission denied for table ordertx_service_migrations/,
    ],
    [
      'have changes made again',
      'delete from ordertx_kit_migrations',
      /permission denied for table ordertx_kit_migrations/,
    ],
    ['become the owner', 'set role ordertx_order_owner', /permission denied to set role/],
    ['become another service', 'set role ordertx_payment', /permission denied to set role/],
    ['make a role', 'create role mine', /permission denied to create role/],
    ['give its rights on', 'grant select on orders to ordertx_payment', /no privileges were granted|permission denied/],
    ['read a file of the server', `copy orders from '/etc/passwd'`, /permission denied to COPY/],
  ])('cannot %s', async (_what, statement, refusal) => {
    const serving = await as('serving', 'order');
    const notices: string[] = [];
    serving.on('notice', ({ message = '' }) => notices.push(message));
    const failed = await serving.query(statement).then(
      () => notices.join(),
      (error: unknown) => (error as Error).message,
    );
    expect(failed).toMatch(refusal);
  });

  test.each(OWNERS_OF_DATABASES)('of any service gets into no database but its own: %s', async (service) => {
    for (const other of OWNERS_OF_DATABASES.filter((each) => each !== service)) {
      const client = new pg.Client({
        connectionString: postgres.url(service, 'serving').replace(/[^/]*$/, `ordertx_${other}`),
      });
      await expect(client.connect()).rejects.toThrow(`permission denied for database "ordertx_${other}"`);
    }
    const own = await as('serving', service);
    expect((await own.query('select current_user as name')).rows).toEqual([{ name: `ordertx_${service}` }]);
  });
});

test('who reads for `reconcile` and dashboards reads every service’s rows and changes none', async () => {
  for (const [service, table] of [
    ['order', 'orders'],
    ['payment', 'payments'],
  ] as const) {
    const reader = await as('reader', service);
    expect((await reader.query(`select count(*)::integer as n from ${table}`)).rows).toEqual([{ n: 0 }]);
    await expect(reader.query(`delete from ${table}`)).rejects.toThrow(`permission denied for table ${table}`);
  }
});

test('the archive is its owner’s, month by month, and its readers find what was kept', async () => {
  const archive = new PostgresArchive({
    connectionString: databaseUrlOf(postgres.url('archive', 'owner'), postgres.caFile),
    ...{ retentionDays: 365, log: memoryLog().log },
  });
  const transaction: OrderTransaction = {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name: 'create-o1', namespace: 'shop', uid: '00000000-0000-4000-8000-000000000001' },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
    status: { phase: 'Succeeded', finishedAt: new Date().toISOString() },
  };
  expect(await archive.keep([transaction])).toEqual({ kind: 'kept', refused: new Map() });
  await archive.close();
  const pool = new pg.Pool({ connectionString: databaseUrlOf(postgres.url('archive', 'reader'), postgres.caFile) });
  expect((await findByOrderId(pool, 'shop', 'o1')).map(({ metadata }) => metadata.name)).toEqual(['create-o1']);
  await pool.end();
});

test('what the page about dashboards grants Grafana is to read the archive, and nothing else', async () => {
  const page = readFileSync(join(ROOT, 'docs/operating/dashboards.md'), 'utf8');
  await (await admin('archive')).query(/^```sql\n([^]*?)^```$/m.exec(page)?.[1] ?? '');
  const asGrafana = async (service: string) => {
    const url = new URL(postgres.url(service, 'reader'));
    Object.assign(url, { username: 'grafana', password: 'CHANGE-ME' });
    const client = new pg.Client({ connectionString: databaseUrlOf(url.href, postgres.caFile) });
    await client.connect();
    clients.push(client);
    return client;
  };
  const grafana = await asGrafana('archive');
  const { rows } = await grafana.query('select name from ordertx_archive where order_id = $1', ['o1']);
  expect(rows).toEqual([{ name: 'create-o1' }]);
  await expect(grafana.query('delete from ordertx_archive')).rejects.toThrow('permission denied');
  await expect(asGrafana('order')).rejects.toThrow('permission denied for database "ordertx_order"');
});

test('a server whose certificate another authority has signed is not talked to', async () => {
  const caFile = join(group.folder, 'another-ca.crt');
  writeFileSync(caFile, makeAuthority('another authority').certificate);
  const env = { DATABASE_MIGRATION_URL: postgres.url('order', 'owner'), DATABASE_CA_FILE: caFile };
  const { code, said } = await run('order', ['migrate'], env);
  expect(code).toBe(1);
  expect(said).toMatch(/unable to verify the first certificate|self-signed certificate in certificate chain/);
});

test('the file may be run by somebody who is no superuser, as where a database is rented', async () => {
  const client = await admin('order');
  await client.query(`create role renter login createdb createrole password 'of-the-renter'`);
  const url = new URL(postgres.adminUrl);
  url.username = 'renter';
  url.password = 'of-the-renter';
  await runPsql(url.href, ROLES, { service: 'rented' });
  const { rows } = await client.query(
    `select pg_get_userbyid(datdba) as owner from pg_database where datname = 'ordertx_rented'`,
  );
  expect(rows).toEqual([{ owner: 'ordertx_rented_owner' }]);
});

test('the file may be run again: it makes what is missing and takes nothing away', async () => {
  await runPsql(postgres.adminUrl, ROLES, { service: 'order' });
  const serving = await as('serving', 'order');
  expect((await serving.query('select count(*)::integer as n from orders')).rows).toEqual([{ n: 0 }]);
});

/**
 * The Postgres and the Redis of values-try.yaml, without a container: the chart's script and the containers' own arguments make a real
 * server what the rendered secrets say, and a real Redis reads the rendered users.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import pg from 'pg';
import { parse } from 'yaml';
import { waitFor } from '../../local/deadline.ts';
import { runPart, type Part } from '../../local/parts.ts';
import { freePort } from '../../local/ports.ts';
import { postgresPrograms } from '../../local/postgres.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { which } from '../../local/which.ts';
import { CHART, openHelm, type Rendered, type Values } from '../chart/chart.ts';
import { named, secretOf, type Workload } from '../chart/objects.ts';

const START_MS = 900_000;
const TEST_MS = 120_000;
const READY_MS = 30_000;
const POSTGRES = 'shop-ordertx-try-postgres';
const DATABASES = ['dispatch', 'inventory', 'member', 'notification', 'order', 'payment', 'wms', 'archive'];

let group: ProcessGroup;
let objects: readonly Rendered[];
let programs: Awaited<ReturnType<typeof postgresPrograms>>;
let port: number;
let server: Part;
const clients: pg.Client[] = [];

beforeAll(async () => {
  group = await openProcessGroup();
  const helm = await openHelm();
  objects = await helm.template(parse(await readFile(join(CHART, 'values-try.yaml'), 'utf8')) as Values);
  await helm.close();
  [programs, port] = await Promise.all([postgresPrograms(group), freePort()]);
  for (const folder of ['files', 'data', 'tmp', 'bin']) await mkdir(here(`/${folder}`), { mode: 0o755 });
  const { uid, gid } = programs.user ?? {};
  if (uid !== undefined && gid !== undefined)
    for (const folder of ['data', 'tmp']) await chown(here(`/${folder}`), uid, gid);
  const { data } = named(objects, 'ConfigMap', POSTGRES) as unknown as {
    readonly data: Readonly<Record<string, string>>;
  };
  for (const [name, text] of Object.entries({ ...data, ...secretOf(objects, POSTGRES) })) await put(name, text);
  if (which('psql') === undefined) await standInForPsql();
  await prepare();
  server = await serve();
}, START_MS);

afterAll(async () => {
  for (const client of clients) await client.end().catch(() => undefined);
  await group.close();
});

/** Where a path of the container is here. */
const here = (path: string) => path.replace(/^\/(files|data|tmp|bin)/, `${group.folder}/try-$1`);

const put = (name: string, text: string) => writeFile(here(`/files/${name}`), text, { mode: 0o644 });

/** What an image of Postgres has, and a machine with the server's programs alone has not. */
async function standInForPsql(): Promise<void> {
  const program = join(import.meta.dirname, 'psql-program.ts');
  await writeFile(here('/bin/psql'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(here('/bin/psql'), 0o755);
}

function podSpec() {
  const { template } = (named(objects, 'StatefulSet', POSTGRES) as unknown as Workload).spec;
  const { initContainers, containers } = template.spec as unknown as Record<
    'initContainers' | 'containers',
    readonly [{ readonly command: readonly string[]; readonly env: readonly { name: string; value: string }[] }]
  >;
  return { first: initContainers[0], serving: containers[0] };
}

const environment = (env: readonly { readonly name: string; readonly value: string }[]) => ({
  ...Object.fromEntries(env.map(({ name, value }) => [name, here(value)])),
  ...{ PATH: [programs.folder, here('/bin'), process.env.PATH].join(delimiter), LC_ALL: 'C' },
});

/** What the init container does. */
async function prepare(): Promise<void> {
  const { command, env } = podSpec().first;
  const [program = '', ...args] = command.map(here);
  await promisify(execFile)(program, args, { env: environment(env), cwd: here('/tmp'), ...programs.user });
}

/** What the other one does. */
async function serve(): Promise<Part> {
  const { command, env } = podSpec().serving;
  const args = command.slice(1).map((arg) => arg.replace(/\/(files|tmp)/, (path) => here(path)));
  const spec = {
    ...{ name: 'try-postgres', command: join(programs.folder, command[0] ?? '') },
    ...{ args: [...args, `--port=${port}`], env: environment(env), cwd: here('/tmp') },
    ...{ stopSignal: 'SIGINT' as const, ...programs.user },
  };
  const ready = async () => (await as('ordertx-try-databases', 'order')) !== undefined;
  return runPart(group, { spec, ready, readyMs: READY_MS });
}

async function as(secret: string, database: string, change: (url: URL) => void = () => undefined): Promise<pg.Client> {
  const url = new URL(secretOf(objects, secret)[database] ?? '');
  expect(url.host).toBe(`${POSTGRES}:5432`);
  url.host = `127.0.0.1:${port}`;
  change(url);
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const ownerOf = (database: string) =>
  as(database === 'archive' ? 'ordertx-try-archive' : 'ordertx-try-owners', database);

describe('Postgres', () => {
  test.each(DATABASES)('%s: its owner makes tables, and its reader reads what is in them', async (database) => {
    const owner = await ownerOf(database);
    await owner.query(`create table tried (name text); insert into tried values ('kept')`);
    const reader = (url: URL) =>
      Object.assign(url, { username: 'ordertx_reader', password: passwordOf('ordertx_reader') });
    const secret = database === 'archive' ? 'ordertx-try-archive' : 'ordertx-try-owners';
    const { rows } = await (await as(secret, database, reader)).query('select name from tried');
    expect(rows).toEqual([{ name: 'kept' }]);
  });

  test.each(DATABASES.filter((each) => each !== 'archive'))(
    '%s: who serves writes rows and makes nothing',
    async (each) => {
      const serving = await as('ordertx-try-databases', each);
      await serving.query(`insert into tried values ('by who serves')`);
      await expect(serving.query('create table mine (id integer)')).rejects.toThrow(
        'permission denied for schema public',
      );
      await expect(serving.query('drop table tried')).rejects.toThrow('must be owner of table tried');
    },
  );

  test('a role of one service gets into no other’s database', async () => {
    const wrong = as('ordertx-try-databases', 'order', (url) => (url.pathname = '/ordertx_payment'));
    await expect(wrong).rejects.toThrow('permission denied for database "ordertx_payment"');
  });

  test.each(['postgres', 'ordertx_order'])('nobody gets in as %s with another password', async (username) => {
    const stranger = as('ordertx-try-databases', 'order', (url) => Object.assign(url, { username, password: 'x' }));
    await expect(stranger).rejects.toThrow(`password authentication failed for user "${username}"`);
  });

  test(
    'one that was killed is started again with everything in it, and with the passwords that count by then',
    async () => {
      server.process.kill('SIGKILL');
      await server.process.exited;
      const passwords = secretOf(objects, POSTGRES)['passwords.sql'] ?? '';
      await put('passwords.sql', passwords.replace(`'${passwordOf('ordertx_wms')}'`, `'another'`));
      // Its children are still ending, and hold its memory until then.
      const prepared = async () => prepare().then(() => true);
      await waitFor(prepared, { what: 'nothing to be left of the one before', deadlineMs: READY_MS });
      await serve();
      await expect(as('ordertx-try-databases', 'wms')).rejects.toThrow('password authentication failed');
      const serving = await as('ordertx-try-databases', 'wms', (url) => (url.password = 'another'));
      expect((await serving.query('select name from tried order by 1')).rows).toHaveLength(2);
    },
    TEST_MS,
  );
});

const passwordOf = (role: string) => `${role}-for-trying-out`;

test('Redis lets every process in by the URL of its secret, and nobody by another’s password', async () => {
  const acl = secretOf(objects, 'shop-ordertx-redis-acl')['users.acl'] ?? '';
  const own = await startRedis(group, { url: '', users: { acl, admin: 'admin', password: passwordOf('admin') } });
  const answer = async (username: string, password: string) => {
    const client = new Redis({
      port: own.kind === 'own' ? own.port : 0,
      username,
      password,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    try {
      return await client.ping();
    } catch (error) {
      return String(error);
    } finally {
      client.disconnect();
    }
  };
  const urls = Object.entries(secretOf(objects, 'ordertx-try-redis'));
  expect(urls).toHaveLength(7);
  for (const [user, href] of urls) {
    const { host, username, password } = new URL(href);
    expect([host, username]).toEqual(['shop-ordertx-try-redis:6379', user]);
    expect(await answer(username, password)).toBe('PONG');
    expect(await answer(username, passwordOf('admin'))).toMatch(/WRONGPASS|Connection is closed/);
  }
});

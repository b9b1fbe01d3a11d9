/**
 * The Redis this system uses: the one REDIS_URL names, else a server of our own without persistence.
 *
 * A Redis from outside is claimed first: two systems on one Redis would take each other's messages. The claim is a key
 * with a short life that its owner keeps renewing; that of an owner on this machine whose process is gone counts as none.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Redis as Client } from 'ioredis';
import { commandConnection, reasonOf } from '../services/broker/src/connections.ts';
import { isAlive } from './alive.ts';
import { runPart, type Part } from './parts.ts';
import { freePort } from './ports.ts';
import type { ProcessGroup } from './process-group.ts';
import { findRedisServer } from './redis-server.ts';

export type Redis =
  | {
      readonly kind: 'own';
      readonly url: string;
      readonly port: number;
      /** `rediss://localhost:<port>`, of a server with `tls`. */
      readonly tlsUrl?: string;
      readonly part: Part;
    }
  | {
      readonly kind: 'external';
      readonly url: string;
      /** The server's process, if it runs on this machine and says so. */
      readonly pid: number | undefined;
      readonly release: () => Promise<void>;
    };

export type RedisOptions = {
  readonly port?: number;
  /** Default: REDIS_URL. An empty string means a server of our own whatever the environment says. */
  readonly url?: string;
  /** How many numbered databases a server of our own has. Default 16, as everywhere. */
  readonly databases?: number;
  /** Of a server of our own: its users' rights, as in an ACL file, with one who may do everything and whom `url` names. */
  readonly users?: { readonly acl: string; readonly admin: string; readonly password: string };
  /** Of a server of our own: on a second port it speaks TLS, and only to whoever shows a certificate of that authority; PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly authority: string };
};

const READY_MS = 15_000;
const DATABASES = 16;
const CONNECT_MS = 3_000;
const CLAIM_KEY = 'ordertx:claimed-by';
/** Long enough to survive a stalled machine, short enough not to keep the next one waiting for long. */
const CLAIM_LIFE_MS = 15_000;
const CLAIM_RENEW_MS = 4_000;

export async function startRedis(group: ProcessGroup, options: RedisOptions = {}): Promise<Redis> {
  const url = options.url ?? process.env.REDIS_URL ?? '';
  return url === '' ? ownRedis(group, options) : claimRedis(url);
}

async function ownRedis(group: ProcessGroup, options: RedisOptions): Promise<Redis> {
  const { port: wanted, databases = DATABASES, users, tls } = options;
  const { command, env } = await findRedisServer(group);
  const port = wanted ?? (await freePort());
  const dir = join(group.folder, 'redis');
  await mkdir(dir);
  const network = { bind: '127.0.0.1', port: String(port) };
  const settings = { ...network, dir, save: '', appendonly: 'no', daemonize: 'no', databases: String(databases) };
  const encrypted = tls && (await tlsSettings(dir, tls));
  const rights = users && (await aclSettings(dir, users.acl));
  const args = Object.entries({ ...settings, ...encrypted, ...rights }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const login = users === undefined ? '' : `${users.admin}:${users.password}@`;
  const url = `redis://${login}127.0.0.1:${port}`;
  const spec = { ...{ name: 'redis', command, args, cwd: dir }, env: { ...env, PATH: process.env.PATH ?? '' } };
  const part = await runPart(group, { spec, ready: () => answersPing(url), readyMs: READY_MS });
  return { kind: 'own', url, port, part, ...(encrypted && { tlsUrl: `rediss://localhost:${encrypted['tls-port']}` }) };
}

async function aclSettings(dir: string, acl: string): Promise<{ readonly aclfile: string }> {
  const aclfile = join(dir, 'users.acl');
  await writeFile(aclfile, acl, { mode: 0o600 });
  return { aclfile };
}

async function tlsSettings(dir: string, { certificate, key, authority }: NonNullable<RedisOptions['tls']>) {
  const files = {
    'tls-cert-file': join(dir, 'server.crt'),
    'tls-key-file': join(dir, 'server.key'),
    'tls-ca-cert-file': join(dir, 'authority.crt'),
  };
  await writeFile(files['tls-cert-file'], certificate);
  await writeFile(files['tls-key-file'], key, { mode: 0o600 });
  await writeFile(files['tls-ca-cert-file'], authority);
  return { ...files, 'tls-port': String(await freePort()), 'tls-auth-clients': 'yes' };
}

function connection(url: string): Client {
  const limits = { connectTimeout: CONNECT_MS, commandTimeout: CONNECT_MS };
  const client = new Client(url, { lazyConnect: true, retryStrategy: () => null, ...limits });
  client.on('error', () => undefined); // The command that fails says it.
  return client;
}

async function answersPing(url: string): Promise<boolean> {
  const client = connection(url);
  try {
    await client.connect();
    await client.ping();
    return true;
  } finally {
    client.disconnect();
  }
}

/** The claim's connection heals by itself later on; at the start it has to be there. */
async function connected(client: Client): Promise<void> {
  await once(client, 'ready', { signal: AbortSignal.timeout(CONNECT_MS) }).catch((error: unknown) => {
    throw reasonOf(client, error);
  });
}

type Claim = { readonly id: string; readonly host: string; readonly pid: number };

const RENEW = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end`;
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end`;

async function claimRedis(url: string): Promise<Redis> {
  const client = commandConnection(url);
  try {
    await connected(client);
  } catch (cause) {
    client.disconnect();
    throw new Error(`REDIS_URL names a Redis that does not answer: ${(cause as Error).message}`, { cause });
  }
  const claim = JSON.stringify({ id: randomUUID(), host: hostname(), pid: process.pid } satisfies Claim);
  const pid = await claimed(client, claim).catch((error: unknown) => {
    client.disconnect();
    throw error;
  });
  const renew = setInterval(() => {
    // A renewal that fails is repeated before the claim runs out; a Redis that was wiped is claimed anew.
    client
      .set(CLAIM_KEY, claim, 'PX', CLAIM_LIFE_MS, 'NX')
      .then(
        () => client.eval(RENEW, 1, CLAIM_KEY, claim, CLAIM_LIFE_MS),
        () => undefined,
      )
      .catch(() => undefined);
  }, CLAIM_RENEW_MS);
  const release = async () => {
    clearInterval(renew);
    await client.eval(RELEASE, 1, CLAIM_KEY, claim).catch(() => undefined);
    client.disconnect();
  };
  return { kind: 'external', url, pid, release };
}

/** Sets the claim, or throws because a live owner holds it. Returns the server's pid where that means something here. */
async function claimed(client: Client, claim: string): Promise<number | undefined> {
  if ((await client.set(CLAIM_KEY, claim, 'PX', CLAIM_LIFE_MS, 'NX')) === null) {
    const held = await client.get(CLAIM_KEY);
    const owner = held === null ? undefined : (JSON.parse(held) as Claim);
    if (owner && !(owner.host === hostname() && !isAlive(owner.pid))) {
      throw new Error(
        `the Redis in REDIS_URL is in use by another running ordertx system (process ${owner.pid} on ${owner.host}). ` +
          `Stop that one, or give this one a Redis of its own (another server, or another database number in the url).`,
      );
    }
    if (held !== null) await client.eval(RELEASE, 1, CLAIM_KEY, held);
    return claimed(client, claim);
  }
  const isHere = ['127.0.0.1', 'localhost', '::1'].includes(client.options.host ?? '');
  const pid = /process_id:(\d+)/.exec(await client.info('server'))?.[1];
  return isHere && pid !== undefined ? Number(pid) : undefined;
}

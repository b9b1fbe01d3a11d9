/**
 * The world that `*.real.test.ts` tests live in: one control plane, one Postgres and one Redis per jest run.
 *
 * global-setup.ts starts it and leaves its addresses in the environment, where jest's workers find them. Tests don't
 * share databases or namespaces: each asks for fresh ones and leaves the rest alone.
 */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createNamespace } from '../../local/cluster.ts';
import { connect } from '../../local/control-plane/api.ts';
import { createDatabase, dropDatabase } from '../../local/postgres.ts';

export type World = {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly apiServerUrl: string;
  /** The administrator's bearer token and the certificate to trust, for clients that take no kubeconfig. */
  readonly token: string;
  readonly certificate: string;
  /** Superuser, database `postgres`. */
  readonly postgresUrl: string;
  readonly redisUrl: string;
  /** What service-account tokens name as their issuer. */
  readonly issuer: string;
  /** Path of the kubectl program. */
  readonly kubectl: string;
};

export const WORLD_VARIABLE = 'ORDERTX_TEST_WORLD';

export function world(): World {
  const described = process.env[WORLD_VARIABLE];
  if (!described) throw new Error('no world: only *.real.test.ts files run with one (tests/world/global-setup.ts)');
  return JSON.parse(described) as World;
}

/** A new empty database; `drop` removes it together with connections that still use it. */
export async function freshDatabase(prefix: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const { postgresUrl } = world();
  const name = `${prefix.replaceAll('-', '_')}_${suffix()}`;
  const url = await createDatabase(postgresUrl, name);
  return { url, drop: () => dropDatabase(postgresUrl, name) };
}

/** Numbered databases of the world's Redis; more than there are test files, because a number is never given out again. */
export const REDIS_DATABASES = 4_096;
const NEXT_REDIS_DATABASE = 'world:next-database';

/** The url of an empty Redis of the caller's own: streams and groups have fixed names, so no two systems can share one. */
export async function freshRedis(): Promise<string> {
  const client = new Redis(world().redisUrl);
  try {
    const number = await client.incr(NEXT_REDIS_DATABASE);
    if (number >= REDIS_DATABASES) throw new Error(`the world's Redis has only ${REDIS_DATABASES} databases`);
    return `${world().redisUrl}/${number}`;
  } finally {
    client.disconnect();
  }
}

/** A new namespace. It stays, unless the test deletes it and has somebody empty it. */
export async function freshNamespace(prefix: string): Promise<string> {
  const { apiServerUrl, token, certificate } = world();
  const admin = connect({ url: apiServerUrl, token, certificate });
  try {
    return await createNamespace(admin, `${prefix}-${suffix()}`);
  } finally {
    await admin.close();
  }
}

function suffix(): string {
  return randomBytes(4).toString('hex');
}

/**
 * The world that `*.real.test.ts` tests live in: one control plane, one Postgres and one Redis per jest run.
 *
 * global-setup.ts starts it and leaves its addresses in the environment, where jest's workers find them. Tests don't
 * share databases or namespaces: each asks for fresh ones and leaves the rest alone.
 */
import { randomBytes } from 'node:crypto';
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

/** A new namespace. It stays: nothing here could delete one (no controller-manager). */
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

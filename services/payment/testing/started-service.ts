/**
 * A service in the test's own process that hears or says messages: a database and a Redis of its own, callers unchecked.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import { TEST_NAMESPACE } from '../../../tests/services/running.ts';
import { freshDatabase, freshRedis } from '../../../tests/world/world.ts';
import type { RunningService } from '../../kit/src/index.ts';

export interface StartedService {
  readonly url: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** The service's database and Redis, for looking and for breaking. */
  readonly database: pg.Pool;
  readonly redis: Redis;
  close(): Promise<void>;
}

/** What every service that works with messages is started with. */
export function baseConfig(databaseUrl: string, redisUrl: string) {
  return {
    port: 0,
    namespaces: [TEST_NAMESPACE],
    databaseUrl,
    redisUrl,
    auth: 'off',
    audience: undefined,
    tokenIssuer: undefined,
    jwksFile: undefined,
    jwksUrl: undefined,
    controllerSubject: undefined,
    retentionDays: 30,
    logLevel: 'silent',
  } as const;
}

export async function startForTest(
  name: string,
  start: (base: ReturnType<typeof baseConfig>) => Promise<RunningService>,
): Promise<StartedService> {
  const [{ url: databaseUrl, drop }, redisUrl] = await Promise.all([freshDatabase(name), freshRedis()]);
  const { url, closers } = await start(baseConfig(databaseUrl, redisUrl));
  const database = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  const redis = new Redis(redisUrl);
  return {
    ...{ url, databaseUrl, redisUrl, database, redis },
    async close() {
      for (const closer of closers) await closer();
      redis.disconnect();
      await database.end();
      await drop();
    },
  };
}

/**
 * A service in the test's own process that hears or says messages: a database and a Redis of its own.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import { TEST_SETTINGS } from '../../../tests/services/running.ts';
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
function baseConfig(databaseUrl: string, redisUrl: string) {
  return { ...TEST_SETTINGS, databaseUrl, redisUrl };
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

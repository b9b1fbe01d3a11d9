/**
 * A service in the test's own process that hears or says messages: on a fresh database, a free port and a Redis of its own.
 */
import { Redis } from 'ioredis';
import type { RunningService } from '../../services/kit/src/index.ts';
import { freshDatabase, freshRedis } from '../world/world.ts';
import { running, TEST_NAMESPACE, TEST_SETTINGS, type RunningTestService } from './running.ts';

export interface StartedService extends RunningTestService {
  readonly redisUrl: string;
  /** For looking and for breaking. */
  readonly redis: Redis;
}

/** What every service that works with messages is started with. */
type MessageSettings = typeof TEST_SETTINGS & {
  readonly shopNamespace: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
};

export async function startForTest(
  name: string,
  start: (settings: MessageSettings) => Promise<RunningService>,
): Promise<StartedService> {
  const [{ url: databaseUrl, drop }, redisUrl] = await Promise.all([freshDatabase(name), freshRedis()]);
  const service = running(
    await start({ ...TEST_SETTINGS, shopNamespace: TEST_NAMESPACE, databaseUrl, redisUrl }),
    databaseUrl,
    drop,
  );
  const redis = new Redis(redisUrl);
  return {
    ...{ ...service, redisUrl, redis },
    async close() {
      await service.close();
      redis.disconnect();
    },
  };
}

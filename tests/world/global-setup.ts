/**
 * Starts the world of a jest run (world.ts). It dies with jest's process, also when that is killed with -9.
 */
import { installResources } from '../../local/cluster.ts';
import { startControlPlane } from '../../local/control-plane/start.ts';
import { startPostgres } from '../../local/postgres.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { leaveToTeardown } from './teardown-list.ts';
import { REDIS_DATABASES, WORLD_VARIABLE, type World } from './world.ts';

export default async function globalSetup(): Promise<void> {
  const group = await openProcessGroup();
  leaveToTeardown(() => group.close());
  const [postgres, redis, controlPlane] = await Promise.all([
    startPostgres(group, { unsafeFast: true }),
    // A server of our own whatever REDIS_URL says: a usual one has too few databases for every test file to have its own.
    startRedis(group, { url: '', databases: REDIS_DATABASES }),
    startControlPlane(group, { unsafeNoFsync: true }).then(async (started) => {
      await installResources(started);
      return started;
    }),
  ]);
  await controlPlane.admin.close();
  const world: World = {
    kubeconfig: controlPlane.kubeconfig,
    apiServerUrl: controlPlane.url,
    token: controlPlane.token,
    certificate: controlPlane.certificate,
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    issuer: controlPlane.issuer,
    kubectl: controlPlane.kubectl,
  };
  process.env[WORLD_VARIABLE] = JSON.stringify(world);
}

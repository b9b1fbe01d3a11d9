/**
 * Starts the world of a jest run (world.ts). It dies with jest's process, also when that is killed with -9.
 *
 * Before a whole run it also has the programs made that single files need: made by the first test that wants one, a compiler would
 * have the machine to itself for minutes, and what runs beside it would miss deadlines that are none of its fault. A run of named
 * files makes what those need.
 */
import { installResources } from '../../local/cluster.ts';
import { findControllerManager } from '../../local/control-plane/binaries.ts';
import { startControlPlane } from '../../local/control-plane/start.ts';
import { findHelm } from '../../local/helm.ts';
import { startPostgres } from '../../local/postgres.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { findPrometheus } from './prometheus.ts';
import { leaveToTeardown } from './teardown-list.ts';
import { REDIS_DATABASES, WORLD_VARIABLE, type World } from './world.ts';

/** What is looked at of what jest hands over. */
type Run = { readonly testPathPatterns: { readonly isSet: () => boolean } };
type Project = { readonly displayName?: { readonly name: string } };

/** By the display name of the project. */
const PROGRAMS: Readonly<Record<string, (group: ProcessGroup) => Promise<void>>> = {
  real: async (group) => {
    await findPrometheus(group);
    await findHelm(group, 4);
    await findHelm(group, 3);
  },
  long: async (group) => {
    await findControllerManager(group);
    await findHelm(group, 4);
    await findHelm(group, 3);
  },
};

export default async function globalSetup(run: Run, { displayName }: Project): Promise<void> {
  const group = await openProcessGroup();
  leaveToTeardown(() => group.close());
  if (!run.testPathPatterns.isSet()) await PROGRAMS[displayName?.name ?? '']?.(group);
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

/**
 * The whole system on one machine, and its description in stack.json.
 *
 * 1. stack.json appears (by rename, so never half-written) only when every part answers and resources, guards and flows
 *    are effective; it is gone when the system is gone, also after kill -9.
 * 2. A part that is brought back keeps its port; stack.json is rewritten with its new pid.
 * 3. One folder holds one system: a second one in the same folder is refused while the first lives.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './alive.ts';
import { startBusiness, type Business, type BusinessOptions } from './business.ts';
import { installResources } from './cluster.ts';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from './control-plane/start.ts';
import { waitFor } from './deadline.ts';
import { keepRunning, type Part } from './parts.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { openProcessGroup, type ProcessGroup } from './process-group.ts';
import { progress } from './progress.ts';
import { startRedis, type Redis, type RedisOptions } from './redis.ts';
import { Revival } from './revival.ts';
import type { ServiceName } from './services.ts';

const STACK = 'stack.json';
const LOCK = 'up.lock';
const LOGS = 'logs';
const CLEARED_MS = 30_000;

/** What stack.json says. Paths are absolute, urls have no slash at the end, a pid is the serving process. */
export type StackDescription = {
  readonly kubeconfig: string;
  readonly redisUrl: string;
  readonly services: Readonly<
    Record<ServiceName, { readonly url: string; readonly pid: number; readonly databaseUrl: string }>
  >;
  readonly controllers: readonly { readonly pid: number; readonly url: string }[];
  readonly postgres: { readonly pid: number };
  /** null: REDIS_URL names a server on another machine. */
  readonly redis: { readonly pid: number | null };
  readonly apiserver: { readonly pid: number };
  readonly etcd: { readonly pid: number };
};

export type StackOptions = {
  /** Where stack.json and logs/ go; absolute. */
  readonly folder: string;
  readonly controllers: number;
  /** Whether a part that dies is brought back. */
  readonly restart: boolean;
  /** Where ended parts stay so: what a person types to have them back, through `revive`. */
  readonly reviveCommand?: string;
  /** Gives up durability for speed; for tests only. */
  readonly unsafeFast?: boolean;
  readonly redis?: RedisOptions;
  readonly controlPlane?: ControlPlaneOptions;
} & Pick<BusinessOptions, 'controllerEnv' | 'serviceEnv'>;

export type Stack = {
  readonly description: () => StackDescription;
  readonly cluster: ControlPlane;
  readonly business: Business;
  readonly postgresUrl: string;
  /** Ends everything; nothing is left but the logs. May be called more than once. */
  readonly close: () => Promise<void>;
  /** Starts again whatever has ended. */
  readonly revive: () => Promise<void>;
  /** Resolves if the system can't go on. */
  readonly broken: Promise<Error>;
};

/** Starts everything. When `abort` fires, or anything fails, everything is stopped again before it rejects. */
export async function startStack(options: StackOptions, abort?: AbortSignal): Promise<Stack> {
  const group = await openProcessGroup({ logFolder: join(options.folder, LOGS) });
  const closers: (() => Promise<void>)[] = [() => group.close()];
  let closing: Promise<void> | undefined;
  const closeAll = async () => {
    for (const end of closers.toReversed()) await end();
  };
  const close = () => (closing ??= closeAll());
  const interrupted = new Promise<never>((_, reject) => {
    abort?.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
  });
  try {
    await takeFolder(group, options.folder);
    const parts = startParts(group, options, closers);
    parts.catch(() => undefined); // After an interruption nobody waits for it any more.
    const { postgres, redis, cluster, business } = await Promise.race([parts, interrupted]);
    const description = () => describe(postgres, redis, cluster, business);
    const publish = () => writeDescription(options.folder, description());
    await publish();
    const ending = new AbortController();
    closers.push(async () => ending.abort());
    const revival = new Revival({ ending: ending.signal, onBack: publish, command: options.reviveCommand });
    for (const part of allParts(postgres, redis, cluster, business)) {
      if (options.restart) void keepRunning(part, ending.signal, publish);
      else revival.watch(part);
    }
    const revive = () => revival.revive();
    return { description, cluster, business, postgresUrl: postgres.url, close, revive, broken: group.broken };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(group: ProcessGroup, options: StackOptions, closers: (() => Promise<void>)[]) {
  const unsafeFast = options.unsafeFast ?? false;
  const [postgres, redis, cluster] = await Promise.all([
    startPostgres(group, { unsafeFast }),
    startRedis(group, options.redis).then((redis) => {
      if (redis.kind === 'external') closers.push(redis.release);
      return redis;
    }),
    startControlPlane(group, { unsafeNoFsync: unsafeFast, ...options.controlPlane }).then(async (started) => {
      closers.push(() => started.admin.close());
      await installResources(started);
      return started;
    }),
  ]);
  const business = await startBusiness(group, {
    ...{ cluster, namespace: 'default', postgresUrl: postgres.url, databasePrefix: '', redisUrl: redis.url },
    controllers: options.controllers,
    ...(options.controllerEnv && { controllerEnv: options.controllerEnv }),
    ...(options.serviceEnv && { serviceEnv: options.serviceEnv }),
  });
  return { postgres, redis, cluster, business };
}

function allParts(postgres: Postgres, redis: Redis, cluster: ControlPlane, business: Business): readonly Part[] {
  return [
    ...[cluster.etcd, cluster.apiserver, postgres.part, ...(redis.kind === 'own' ? [redis.part] : [])],
    ...Object.values(business.services).map(({ part }) => part),
    ...business.controllers.map(({ part }) => part),
  ];
}

function describe(postgres: Postgres, redis: Redis, cluster: ControlPlane, business: Business): StackDescription {
  const services = Object.entries(business.services).map(
    ([name, { url, databaseUrl, part }]) => [name, { url, pid: part.process.pid, databaseUrl }] as const,
  );
  return {
    kubeconfig: cluster.kubeconfig,
    redisUrl: redis.url,
    services: Object.fromEntries(services) as StackDescription['services'],
    controllers: business.controllers.map(({ part, url }) => ({ pid: part.process.pid, url })),
    postgres: { pid: postgres.part.process.pid },
    redis: { pid: redis.kind === 'own' ? redis.part.process.pid : (redis.pid ?? null) },
    apiserver: { pid: cluster.apiserver.process.pid },
    etcd: { pid: cluster.etcd.process.pid },
  };
}

async function writeDescription(folder: string, description: StackDescription): Promise<void> {
  const next = join(folder, `${STACK}.${process.pid}.next`);
  // It holds the databases' passwords.
  await writeFile(next, `${JSON.stringify(description, undefined, 2)}\n`, { mode: 0o600 });
  await rename(next, join(folder, STACK));
}

/**
 * Takes `folder` for the process group, or throws because a live system has it. The lock names us and our supervisor,
 * and the supervisor removes it when it has cleared everything away: only then may another system write there.
 */
async function takeFolder(group: ProcessGroup, folder: string): Promise<void> {
  const lock = join(folder, LOCK);
  for (;;) {
    try {
      await writeFile(lock, `${process.pid} ${group.supervisorPid}`, { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [owner = 0, supervisor = 0] = (await readFile(lock, 'utf8').catch(() => '')).split(' ').map(Number);
    if (owner > 0 && isAlive(owner)) {
      throw new Error(
        `a system is already up in ${folder} (process ${owner}); stop it, or choose another folder by --dir`,
      );
    }
    await progress('waiting until a system that was killed is cleared away', () =>
      waitFor(async () => !isAlive(supervisor), { what: `process ${supervisor} to end`, deadlineMs: CLEARED_MS }),
    );
    await rm(lock, { force: true });
  }
  for (const file of [STACK, LOCK]) group.removeAtEnd(join(folder, file));
  await rm(join(folder, STACK), { force: true });
  const logs = await readdir(join(folder, LOGS));
  for (const log of logs) await rm(join(folder, LOGS, log), { force: true });
}

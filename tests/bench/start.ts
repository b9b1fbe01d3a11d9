/**
 * What does a bundle do for a start? `npm run bench:start [-- --rounds 5 --settleMs 2000]`
 *
 * Each process is started from its sources, whose types Node strips, and from what its image holds, by turns: milliseconds from its start
 * to ready, CPU time by then, resident memory a while later, and what there is to be read on disk. The schema is current before.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { grantAccess } from '../../local/access.ts';
import { installResources } from '../../local/cluster.ts';
import { startControlPlane } from '../../local/control-plane/start.ts';
import { controllerProcess } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { createDatabase, startPostgres } from '../../local/postgres.ts';
import { openProcessGroup, type ProcessGroup, type ProcessSpec } from '../../local/process-group.ts';
import { progress, say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { SERVICES, serviceProcess } from '../../local/services.ts';
import { ROOT } from '../../scripts/bundling.ts';
import { readLock } from '../../scripts/images/bill-of-materials.ts';
import { bundleProcess } from '../../scripts/images/bundle.ts';
import { PROCESSES } from '../../scripts/images/processes.ts';
import { runCommand } from './command.ts';
import { cpuMsOf } from './cpu-time.ts';
import { describeMachine } from './machine.ts';
import { readNumbers } from './number-options.ts';
import { spread } from './spread.ts';

const READY_MS = 60_000;
const POLL_MS = 2;
const MEGABYTE = 1e6;
const MEBIBYTES_OF_KIB = 1_024;
const WAYS = ['sources', 'bundle'] as const;
type Way = (typeof WAYS)[number];

type Start = (bundle: string | undefined) => Promise<{ readonly url: string; readonly spec: ProcessSpec }>;

interface Measured {
  readonly readyMs: number;
  /** Of its own by then: on a busy machine the clock measures the neighbours. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

/** Everything a process needs beside itself, and how each is started. */
async function openWorld(group: ProcessGroup): Promise<ReadonlyMap<string, Start>> {
  const [postgres, redis, cluster] = await Promise.all([
    startPostgres(group, { unsafeFast: true }),
    startRedis(group, { url: '' }),
    startControlPlane(group, { unsafeNoFsync: true }),
  ]);
  await installResources(cluster);
  const access = await grantAccess(cluster, 'default', group.folder);
  const namespaces = ['default'];
  const starts = new Map<string, Start>();
  starts.set('controller', async (bundle) =>
    controllerProcess({
      ...{ name: 'controller', port: await freePort(), kubeconfig: access.controllerKubeconfig, namespaces },
      ...{ redisUrl: redis.url, allowEndpoints: [], ...(bundle !== undefined && { bundle }) },
    }),
  );
  for (const { name } of SERVICES) {
    const databaseUrl = await createDatabase(postgres.url, name);
    starts.set(name, async (bundle) =>
      serviceProcess({
        ...{ name, port: await freePort(), databaseUrl, redisUrl: redis.url, namespaces },
        ...{ callers: { kind: 'off' }, origins: { order: 'http://127.0.0.1:1', payment: 'http://127.0.0.1:1' } },
        ...(name === 'order' && { kubeconfig: access.orderKubeconfig }),
        ...(bundle !== undefined && { bundle }),
      }),
    );
  }
  await cluster.admin.close();
  return starts;
}

async function measure(start: Start, bundle: string | undefined, settleMs: number): Promise<Measured> {
  const { url, spec } = await start(bundle);
  const begunMs = performance.now();
  const child = spawn(spec.command, spec.args, { env: spec.env, cwd: spec.cwd, stdio: 'ignore' });
  const ended = once(child, 'exit');
  try {
    const ready = async () => (await fetch(`${url}/readyz`)).ok;
    const giveUp = () => {
      if (child.exitCode !== null)
        throw new Error(`${spec.name} ended with code ${child.exitCode} before it was ready`);
    };
    await waitFor(ready, { what: `${spec.name} to get ready`, deadlineMs: READY_MS, everyMs: POLL_MS, giveUp });
    const readyMs = performance.now() - begunMs;
    const cpuMs = cpuMsOf(child.pid ?? 0);
    const settled = performance.now() + settleMs;
    const passed = async () => performance.now() > settled;
    await waitFor(passed, { what: 'the time to pass', deadlineMs: 2 * settleMs + READY_MS });
    return { readyMs, cpuMs, residentMiB: residentMiB(child.pid ?? 0) };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function residentMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / MEBIBYTES_OF_KIB;
}

const megabytes = (paths: readonly string[]): number =>
  paths.reduce((sum, path) => sum + statSync(path).size, 0) / MEGABYTE;

function filesIn(folder: string, exclude: readonly string[] = []): readonly string[] {
  return globSync('**/*', { cwd: folder, withFileTypes: true, exclude: (entry) => exclude.includes(entry.name) })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Sources, and packages that production runs on: what an image would hold instead. */
function sizeOfSources(): number {
  const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> };
  const production = [...readLock(text).keys()].filter((path) => packages[path]?.dev !== true);
  const own = ['controller', 'services', 'crds'].flatMap((folder) => filesIn(join(ROOT, folder)));
  return megabytes([...own, ...production.flatMap((path) => filesIn(join(ROOT, path), ['node_modules']))]);
}

async function bench(): Promise<boolean> {
  const { rounds, settleMs } = readNumbers({ rounds: 5, settleMs: 2_000 });
  const { cores, processor, loadAverage } = await describeMachine();
  say(`${cores} cores (${processor}), load average before the start ${loadAverage.toFixed(1)}`);
  const group = await openProcessGroup();
  try {
    const folders = new Map<string, string>();
    await progress('bundling', async () => {
      const options = { base: 'none', sourceDateEpoch: 0, folder: join(group.folder, 'bundles') };
      for (const each of PROCESSES) folders.set(each.name, await bundleProcess(each, options));
    });
    const starts = await openWorld(group);
    say(`to be read by sources: ${sizeOfSources().toFixed(0)} MB, own and production packages`);
    for (const [name, start] of starts) {
      const folder = folders.get(name) ?? '';
      await measure(start, folder, 1); // Makes the schema, and has the files read once.
      const all: Record<Way, Measured[]> = { sources: [], bundle: [] };
      for (let round = 0; round < rounds; round += 1) {
        for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed())
          all[way].push(await measure(start, way === 'bundle' ? folder : undefined, settleMs));
      }
      const figures = WAYS.map((way) => {
        const ready = spread(all[way].map(({ readyMs }) => readyMs));
        const cpu = spread(all[way].map(({ cpuMs }) => cpuMs));
        const resident = spread(all[way].map(({ residentMiB }) => residentMiB));
        return `${way} ready after ${ready.median.toFixed(0)} ms (${ready.min.toFixed(0)} to ${ready.max.toFixed(0)}), ${cpu.median.toFixed(0)} ms of CPU, ${resident.median.toFixed(0)} MiB resident`;
      });
      say(`${name}: ${figures.join('; ')}; bundle ${megabytes(filesIn(folder)).toFixed(1)} MB`);
    }
  } finally {
    await group.close();
  }
  return true;
}

await runCommand(bench);

/**
 * What a measurement was taken on: without it a figure says nothing.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import pg from 'pg';
import manifest from '../../package.json' with { type: 'json' };
import { percentile } from './closed-loop.ts';
import type { System } from './system.ts';

const SYNCS = 200;
const BLOCK_BYTES = 4_096;
const GIBIBYTE = 1024 ** 3;

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Before anything of ours ran: on a machine that is busy with something else, the figures are too low. */
  readonly loadAverage: number;
  /** Of 4 kB where etcd and Postgres keep their data. */
  readonly fdatasyncMs: { readonly p50: number; readonly p99: number };
}

export async function describeMachine(): Promise<Machine> {
  const [cpu] = cpus();
  return {
    cores: availableParallelism(),
    processor: cpu?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / GIBIBYTE),
    kernel: release(),
    loadAverage: loadavg()[0] ?? NaN,
    fdatasyncMs: await measureFdatasync(),
  };
}

async function measureFdatasync(): Promise<Machine['fdatasyncMs']> {
  const folder = await mkdtemp(join(tmpdir(), 'ordertx-fdatasync-'));
  const file = await open(join(folder, 'data'), 'w');
  const took: number[] = [];
  try {
    const block = Buffer.alloc(BLOCK_BYTES, 1);
    for (let index = 0; index < SYNCS; index += 1) {
      await file.write(block);
      const begunMs = performance.now();
      await file.datasync();
      took.push(performance.now() - begunMs);
    }
  } finally {
    await file.close();
    await rm(folder, { recursive: true });
  }
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
}

/** Of everything that takes part and can be asked, as each says it itself. */
export async function versionsOf({ cluster, description }: System): Promise<Record<string, string>> {
  const { body } = await cluster.admin.request('GET', '/version');
  return {
    ordertx: manifest.version,
    commit: await commit(),
    node: process.version,
    kubernetes: (body as { readonly gitVersion: string }).gitVersion,
    ...(cluster.etcdUrl !== undefined && { etcd: await etcdVersion(cluster.etcdUrl) }),
    postgres: await postgresVersion(description().services.order.databaseUrl),
    redis: await redisVersion(description().redisUrl),
  };
}

/** `-dirty` where the tree has changes; `unknown` outside a git clone. */
async function commit(): Promise<string> {
  const git = promisify(execFile)('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname });
  return git.then(({ stdout }) => stdout.trim()).catch(() => 'unknown');
}

async function etcdVersion(url: string): Promise<string> {
  return ((await (await fetch(`${url}/version`)).json()) as { readonly etcdserver: string }).etcdserver;
}

async function postgresVersion(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<{ readonly server_version: string }>('show server_version');
  await client.end();
  return rows[0]?.server_version ?? 'unknown';
}

async function redisVersion(url: string): Promise<string> {
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
}

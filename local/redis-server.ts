/**
 * Finds a Redis (or Valkey) server program: on the PATH, else Debian's or Ubuntu's package unpacked into the cache.
 *
 * Unpacking needs no root and installs nothing: `apt-get download` and `dpkg -x`, with the libraries this machine lacks
 * beside it.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, cacheFolder } from './cache.ts';
import type { ProcessGroup } from './process-group.ts';
import { progress } from './progress.ts';
import { REDIS_MAJOR_MIN, thisPlatform } from './versions.ts';
import { which } from './which.ts';

const run = promisify(execFile);

export type RedisServer = { readonly command: string; readonly env: Readonly<Record<string, string>> };

const WAYS_OUT = `Any one of these helps:
  - set REDIS_URL to a Redis ${REDIS_MAJOR_MIN} or newer that nothing else uses, e.g. REDIS_URL=redis://127.0.0.1:6379
  - install a server on the PATH: \`apt-get install redis-server\` (or valkey-server), \`brew install redis\`
  - on Debian or Ubuntu: let \`apt-get download redis-server\` work (network to the package mirror)`;

export async function findRedisServer(group: Pick<ProcessGroup, 'removeAtEnd'>): Promise<RedisServer> {
  const refused: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    const command = which(name);
    if (!command) continue;
    const major = await majorVersion({ command, env: {} });
    if (major >= REDIS_MAJOR_MIN) return { command, env: {} };
    refused.push(`${command} is version ${major}, ordertx needs ${REDIS_MAJOR_MIN} or newer.`);
  }
  const missing = ['apt-get', 'dpkg', 'apt-cache'].filter((tool) => !which(tool));
  if (missing.length > 0) {
    throw new Error(noRedis([...refused, `There is no ${missing.join(', ')} to unpack one with.`]));
  }
  try {
    const fetchPackage = (into: string) =>
      progress('fetching redis-server from the package mirror', () => unpackPackage(into));
    const folder = await cached(
      cacheFolder('redis-server', `debian-${thisPlatform()}`),
      fetchPackage,
      group.removeAtEnd,
    );
    return unpacked(folder);
  } catch (cause) {
    throw new Error(noRedis([...refused, `Unpacking the package failed: ${reason(cause)}`]), { cause });
  }
}

function noRedis(because: readonly string[]): string {
  return `ordertx found no Redis. ${because.join(' ')}\n${WAYS_OUT}`;
}

function reason(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (
    stderr
      ?.trim()
      .split('\n')
      .find((line) => line.startsWith('E:')) ??
    message.split('\n')[0] ??
    ''
  ).trim();
}

async function unpackPackage(into: string): Promise<void> {
  const packages = join(into, 'packages');
  const root = join(into, 'root');
  await mkdir(packages);
  const apt = await aptThatKnows('redis-server', packages);
  await download([...apt, 'redis-server', 'redis-tools'], packages, root);
  if ((await missingLibraries(root)).length > 0) {
    // What the package itself needs of libraries; libc is this machine's own, another one could not be loaded.
    const { stdout } = await run('apt-cache', [...apt, 'depends', '--important', 'redis-tools']);
    const libraries = [...stdout.matchAll(/^\s*Depends: (lib[^\s<>]+)$/gm)].flatMap(([, name]) => name ?? []);
    await download([...apt, ...libraries.filter((name) => !/^libc\d/.test(name))], packages, root);
  }
  const missing = await missingLibraries(root);
  if (missing.length > 0) throw new Error(`redis-server lacks the libraries ${missing.join(', ')}`);
  await rm(packages, { recursive: true, force: true });
  if ((await majorVersion(unpacked(into))) < REDIS_MAJOR_MIN) {
    throw new Error(`the mirror's redis-server is older than version ${REDIS_MAJOR_MIN}`);
  }
}

/** Options with which apt knows the package: none, or a package list of our own where this machine never fetched one. */
async function aptThatKnows(name: string, scratch: string): Promise<readonly string[]> {
  const known = await run('apt-cache', ['policy', name]);
  if (/Candidate: \S*\d/.test(known.stdout)) return [];
  const lists = join(scratch, 'lists');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const options = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${scratch}`];
  await run('apt-get', [...options, '-o', 'Acquire::Retries=0', '-o', 'Acquire::http::Timeout=5', 'update']);
  return options;
}

async function download(aptArguments: readonly string[], packages: string, root: string): Promise<void> {
  const timeouts = ['-o', 'Acquire::Retries=0', '-o', 'Acquire::http::Timeout=5'];
  await run('apt-get', [...timeouts, 'download', ...aptArguments], { cwd: packages });
  const files = (await readdir(packages)).filter((file) => file.endsWith('.deb'));
  for (const file of files) await run('dpkg', ['-x', join(packages, file), root]);
}

function unpacked(folder: string): RedisServer {
  const root = join(folder, 'root');
  return { command: join(root, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: libraryFolders(root).join(':') } };
}

function libraryFolders(root: string): readonly string[] {
  const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as Record<string, string>;
  const triplet = triplets[process.arch] ?? '';
  return [join(root, 'usr/lib', triplet), join(root, 'lib', triplet)].filter((folder) => existsSync(folder));
}

async function missingLibraries(root: string): Promise<readonly string[]> {
  const env = { ...process.env, LD_LIBRARY_PATH: libraryFolders(root).join(':') };
  const { stdout } = await run('ldd', [join(root, 'usr/bin/redis-server')], { env });
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].flatMap(([, name]) => name ?? []);
}

async function majorVersion({ command, env }: RedisServer): Promise<number> {
  const { stdout } = await run(command, ['--version'], { env: { ...process.env, ...env } });
  return Number(/v=(\d+)\./.exec(stdout)?.[1] ?? 0);
}

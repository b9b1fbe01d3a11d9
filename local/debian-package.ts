/**
 * A program out of Debian's or Ubuntu's packages, unpacked into the cache.
 *
 * Needs no root and installs nothing: `apt-get download` and `dpkg -x`, with the libraries this machine lacks beside it. The mirror has
 * one version at a time, so what is asked for is a least version; the caller checks it.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, cacheFolder } from './cache.ts';
import type { ProcessGroup } from './process-group.ts';
import { progress } from './progress.ts';
import { thisPlatform } from './versions.ts';
import { which } from './which.ts';

const run = promisify(execFile);

export interface DebianProgram {
  /** The package that has it. */
  readonly package: string;
  /** Others that it does not work without; not what the package manager would install with it. */
  readonly with?: readonly string[];
  /** Its name in /usr/bin. */
  readonly program: string;
  /** Whose dependencies name the shared libraries that it may lack; default: none is fetched. */
  readonly librariesOf?: string;
  /** Rejects where what was unpacked is too old. */
  readonly check: (unpacked: Unpacked) => Promise<void>;
}

export interface Unpacked {
  /** The folder of its programs. */
  readonly folder: string;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Rejects with an Error that says in one sentence what was missing or went wrong. */
export async function unpackedProgram(
  wanted: DebianProgram,
  group: Pick<ProcessGroup, 'removeAtEnd'>,
): Promise<Unpacked> {
  const missing = ['apt-get', 'dpkg', 'apt-cache'].filter((tool) => !which(tool));
  if (missing.length > 0) throw new Error(`There is no ${missing.join(', ')} to unpack one with.`);
  try {
    const folder = await cached(
      cacheFolder(wanted.package, `debian-${thisPlatform()}`),
      (into) => progress(`fetching ${wanted.package} from the package mirror`, () => unpack(wanted, into)),
      group.removeAtEnd,
    );
    return unpackedIn(folder, wanted);
  } catch (cause) {
    throw new Error(`Unpacking the package failed: ${reason(cause)}`, { cause });
  }
}

async function unpack(wanted: DebianProgram, into: string): Promise<void> {
  const { package: name, with: others = [], librariesOf, check } = wanted;
  const packages = join(into, 'packages');
  const root = join(into, 'root');
  await mkdir(packages);
  const apt = await aptThatKnows(name, packages);
  await download([...apt, name, ...others], packages, root);
  if (librariesOf !== undefined && (await missingLibraries(into, wanted)).length > 0) {
    // What the package itself needs of libraries; libc is this machine's own, another one could not be loaded.
    const { stdout } = await run('apt-cache', [...apt, 'depends', '--important', librariesOf]);
    const libraries = [...stdout.matchAll(/^\s*Depends: (lib[^\s<>]+)$/gm)].flatMap(([, library]) => library ?? []);
    await download([...apt, ...libraries.filter((library) => !/^libc\d/.test(library))], packages, root);
  }
  const missing = await missingLibraries(into, wanted);
  if (missing.length > 0) throw new Error(`${wanted.program} lacks the libraries ${missing.join(', ')}`);
  await rm(packages, { recursive: true, force: true });
  await check(unpackedIn(into, wanted));
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

function unpackedIn(into: string, { program }: Pick<DebianProgram, 'program'>): Unpacked {
  const root = join(into, 'root');
  const folder = join(root, 'usr/bin');
  return { folder, command: join(folder, program), env: { LD_LIBRARY_PATH: libraryFolders(root).join(':') } };
}

function libraryFolders(root: string): readonly string[] {
  const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as Record<string, string>;
  const triplet = triplets[process.arch] ?? '';
  return [join(root, 'usr/lib', triplet), join(root, 'lib', triplet)].filter((folder) => existsSync(folder));
}

async function missingLibraries(into: string, wanted: Pick<DebianProgram, 'program'>): Promise<readonly string[]> {
  const { command, env } = unpackedIn(into, wanted);
  const { stdout } = await run('ldd', [command], { env: { ...process.env, ...env } });
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].flatMap(([, name]) => name ?? []);
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

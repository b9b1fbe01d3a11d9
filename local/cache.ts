/**
 * The project's cache of downloaded and built programs, outside the checkout so that fresh clones share it.
 *
 * Layout: `${XDG_CACHE_HOME:-~/.cache}/ordertx/<thing>/<version>-<platform>/`. A folder that exists is complete: it is
 * filled under a temporary name and renamed into place. The lock beside it only saves work: should two builders slip
 * past it, each renames a complete folder and the first one stays.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from './alive.ts';
import { progress } from './progress.ts';

const LOCK_POLL_MS = 250;

export function cacheFolder(thing: string, versionAndPlatform: string): string {
  const root = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(root, 'ordertx', thing, versionAndPlatform);
}

/**
 * Returns `folder`, having filled it by `fill` first if it isn't there; a second caller waits for the first.
 * `removeAtEnd` is told of what would be left over if we were killed while filling.
 */
export async function cached(
  folder: string,
  fill: (into: string) => Promise<void>,
  removeAtEnd: (path: string) => void,
): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const lock = `${folder}.lock`;
  await progress(`waiting for another process that fills ${folder}`, () => take(lock, folder));
  const staging = `${folder}.${process.pid}.tmp`;
  removeAtEnd(staging);
  try {
    if (existsSync(folder)) return folder;
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true });
    await fill(staging);
    await rename(staging, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } finally {
    await rm(staging, { recursive: true, force: true });
    await release(lock);
  }
}

/** Takes the lock file, or returns without it once `folder` has appeared. A dead owner's lock is removed. */
async function take(lock: string, folder: string): Promise<void> {
  while (!existsSync(folder)) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
    // An empty file is an owner between creating and writing it; it is alive or will be found dead on the next look.
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true });
    await pause(LOCK_POLL_MS);
  }
}

async function release(lock: string): Promise<void> {
  const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (owner === process.pid) await rm(lock, { force: true });
}

/**
 * Another version of this project, brought from git and started beside ours.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../local/deadline.ts';
import { attach, type System } from './system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(import.meta.dirname, 'tree-main.ts');
const UP_MS = 180_000;
const execute = promisify(execFile);

export interface Tree {
  /** As a person would name it: what was asked for, and the commit. */
  readonly name: string;
  readonly folder: string;
}

/** The commit's files and packages in a folder of their own, which is kept for the next time. */
export async function bringTree(ref: string, trees: string): Promise<Tree> {
  const { stdout } = await execute('git', ['rev-parse', '--verify', '--short=12', `${ref}^{commit}`], {
    cwd: ROOT,
  }).catch(() => {
    throw new Error(`--against ${ref}: git knows no such commit here (a shallow clone? git fetch --unshallow)`);
  });
  const commit = stdout.trim();
  const folder = join(trees, commit);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const archive = `${unfinished}.tar`;
    await execute('git', ['archive', '--output', archive, commit], { cwd: ROOT });
    await execute('tar', ['-xf', archive, '-C', unfinished]);
    await rm(archive);
    await execute('npm', ['ci', '--no-audit', '--no-fund'], { cwd: unfinished });
    await rename(unfinished, folder);
  }
  return { name: ref === commit ? ref : `${ref} (${commit})`, folder };
}

export const ourTree: Tree = { name: 'this tree', folder: ROOT };

export interface RunningTree extends System {
  readonly name: string;
  readonly close: () => Promise<void>;
  /** Resolves if it ends by itself. */
  readonly ended: Promise<Error>;
}

/** Its system, up; in `folder` are its logs and stack.json. */
export async function startTree(
  tree: Tree,
  folder: string,
  gogc: number | undefined,
  abort: AbortSignal,
): Promise<RunningTree> {
  mkdirSync(folder, { recursive: true });
  const options = gogc === undefined ? [] : [String(gogc)];
  const child = spawn(process.execPath, [MAIN, tree.folder, folder, ...options], {
    cwd: tree.folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ended = exited.then(
    () => new Error(`the system of ${tree.name} ended; its logs are in ${join(folder, 'logs')}`),
  );
  const end = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  try {
    const up = waitFor(async () => existsSync(join(folder, 'stack.json')), {
      what: `the system of ${tree.name} to be up`,
      deadlineMs: UP_MS,
      giveUp: () => abort.throwIfAborted(),
    });
    await Promise.race([up, ended.then((error) => Promise.reject(error))]);
    const system = await attach(folder);
    const close = async () => {
      await system.close();
      await end();
    };
    return { ...system, name: tree.name, close, ended };
  } catch (error) {
    await end();
    throw error;
  }
}

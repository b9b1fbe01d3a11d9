/**
 * The first start in a fresh clone: packages are installed once, whoever comes first and however often.
 *
 * The clone is a folder with run.mjs, setup.mjs and a lock file of one package; npm is a small program on the PATH that
 * installs what `npm ci` would leave behind, and writes down that it was called.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

const LOCK_OF = (version: string) =>
  JSON.stringify({
    packages: {
      '': { name: 'clone' },
      'node_modules/node': { version },
      'node_modules/only-elsewhere': { version: '1.0.0', optional: true },
    },
  });

let clone: string;

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'setup-test-'));
  await mkdir(join(clone, 'scripts'));
  await mkdir(join(clone, 'bin'));
  for (const file of ['run.mjs', 'setup.mjs']) {
    await copyFile(join(import.meta.dirname, file), join(clone, 'scripts', file));
  }
  await writeFile(join(clone, 'package-lock.json'), LOCK_OF('24.0.0'));
  await writeFile(join(clone, 'target.ts'), 'const words: string[] = process.argv.slice(2); console.log(...words);');
  await npmThat(`
    echo "$@" >> calls
    rm -rf node_modules
    mkdir -p node_modules/node/bin
    ln -s '${process.execPath}' node_modules/node/bin/node
    cp package-lock.json node_modules/.package-lock.json
  `);
});
afterEach(() => rm(clone, { recursive: true }));

async function npmThat(does: string): Promise<void> {
  const npm = join(clone, 'bin', 'npm');
  await writeFile(npm, `#!/bin/sh\nset -e\n${does}`);
  await chmod(npm, 0o755);
}

async function run(...args: readonly string[]): Promise<Outcome> {
  const env = { PATH: `${join(clone, 'bin')}:/usr/bin:/bin` };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(clone, 'scripts', 'run.mjs'), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

async function installations(): Promise<number> {
  const calls = await readFile(join(clone, 'calls'), 'utf8').catch(() => '');
  return calls.split('\n').filter((line) => line.startsWith('ci')).length;
}

test('a first run installs and then runs the target, a second one only runs it', async () => {
  expect(await run('target.ts', 'tea', 'for two')).toMatchObject({ code: 0, stdout: 'tea for two\n' });
  expect(await run('target.ts', 'again')).toEqual({ code: 0, stdout: 'again\n', stderr: '' });
  expect(await installations()).toBe(1);
});

test('first runs at the same time install once and all run their target', async () => {
  const outcomes = await Promise.all(['a', 'b', 'c'].map((word) => run('target.ts', word)));
  expect(outcomes.map(({ code, stdout }) => [code, stdout])).toEqual([
    [0, 'a\n'],
    [0, 'b\n'],
    [0, 'c\n'],
  ]);
  expect(await installations()).toBe(1);
  expect(existsSync(join(clone, '.ordertx', 'install.lock'))).toBe(false);
});

test('a lock file that names another version installs again', async () => {
  await run('target.ts');
  await writeFile(join(clone, 'package-lock.json'), LOCK_OF('24.0.1'));
  await run('target.ts');
  expect(await installations()).toBe(2);
});

test('an installation that was interrupted is done again', async () => {
  await run('target.ts');
  await rm(join(clone, 'node_modules', '.package-lock.json'));
  expect(await run('target.ts', 'whole')).toMatchObject({ code: 0, stdout: 'whole\n' });
  expect(await installations()).toBe(2);
});

test('a lock left by a process that is dead holds nobody up', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  await mkdir(join(clone, '.ordertx'));
  await writeFile(join(clone, '.ordertx', 'install.lock'), `${pid} left-behind`);
  expect(await run('target.ts', 'on')).toMatchObject({ code: 0, stdout: 'on\n' });
});

test('a failing npm is the end, with what it said', async () => {
  await npmThat('echo "no such package" >&2; exit 7');
  const { code, stderr } = await run('target.ts');
  expect(code).toBe(1);
  expect(stderr).toContain('no such package');
  expect(stderr).toContain('npm ci failed (exit code 7)');
});

test('the target’s exit code is the command’s', async () => {
  await writeFile(join(clone, 'target.ts'), 'process.exitCode = 5;');
  expect(await run('target.ts')).toMatchObject({ code: 5 });
});

/**
 * Breaks the code in every way mutants.ts knows, one at a time, and requires the tests to see each.
 *
 *   npm run mutants
 *   npm run mutants -- cancel retry     only those whose name has one of these words
 *
 * 1. It works in a temporary copy of the working tree (with its node_modules linked in); the tree itself is never touched.
 * 2. The tests are run without any mistake first: a test that fails anyway sees nothing.
 * 3. A mistake counts as seen when a test fails, not when the code does not start: that would be seen by anything.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { judge, mutate, type Report, type Verdict } from './mutate.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** A mistake may make a test wait for ever. Real servers take half a minute to start, the named tests less. */
const RUN_SECONDS_MAX = 300;
/** Of all the tests together, run first and one file after the other. */
const FILE_SECONDS_MAX = 60;

function copyTree(folder: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  for (const path of listed.toString().split('\0')) {
    if (path !== '' && existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(folder, path));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** One jest run over these tests; undefined where it did not come to an end. */
async function runTests(folder: string, tests: readonly string[]): Promise<Report | undefined> {
  const seconds = Math.max(RUN_SECONDS_MAX, tests.length * FILE_SECONDS_MAX);
  const file = join(folder, 'mutants-report.json');
  rmSync(file, { force: true });
  const projects = new Set(tests.map((test) => (test.endsWith('.real.test.ts') ? 'real' : 'unit')));
  const jest = [join(folder, 'node_modules/.bin/jest'), '--selectProjects', ...projects];
  const child = spawn(
    process.execPath,
    ['--experimental-vm-modules', ...jest, '--json', '--outputFile', file, '--runTestsByPath', ...tests],
    { cwd: folder, stdio: 'ignore', timeout: seconds * 1_000, killSignal: 'SIGTERM' },
  );
  await new Promise((ended) => child.once('exit', ended));
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : undefined;
}

async function testMutant(folder: string, mutant: Mutant): Promise<Verdict> {
  const path = join(folder, mutant.file);
  if (!existsSync(path)) return { kind: 'unclear', why: `there is no ${mutant.file}` };
  const original = readFileSync(path, 'utf8');
  const mutation = mutate(original, mutant);
  if (mutation.kind === 'misplaced') {
    return { kind: 'unclear', why: `the text to replace is ${mutation.found} times in ${mutant.file}, not once` };
  }
  writeFileSync(path, mutation.text);
  try {
    return judge(await runTests(folder, mutant.tests));
  } finally {
    writeFileSync(path, original);
  }
}

/** Why the tests cannot judge any mistake, or undefined where they can. */
async function soundness(folder: string, tests: readonly string[]): Promise<string | undefined> {
  const missing = tests.filter((test) => !existsSync(join(folder, test)));
  if (missing.length > 0) return `there is no ${missing.join(', no ')}`;
  const verdict = judge(await runTests(folder, tests));
  switch (verdict.kind) {
    case 'survived':
      return undefined;
    case 'seen':
      return `without any mistake this fails already: ${verdict.by}`;
    case 'unclear':
      return verdict.why;
  }
}

function describeVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'seen':
      return `seen      by "${verdict.by}"`;
    case 'survived':
      return 'SURVIVED  every test passed';
    case 'unclear':
      return `UNCLEAR   ${verdict.why}`;
  }
}

async function main(words: readonly string[]): Promise<number> {
  const chosen = mutants.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  if (chosen.length === 0) throw new Error(`no mutant's name has any of: ${words.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'ordertx-mutants-'));
  const clear = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clear();
      process.exit(1);
    });
  }
  try {
    copyTree(folder);
    const unsound = await soundness(folder, [...new Set(chosen.flatMap(({ tests }) => tests))]);
    if (unsound !== undefined) throw new Error(unsound);
    let unseen = 0;
    for (const mutant of chosen) {
      const verdict = await testMutant(folder, mutant);
      if (verdict.kind !== 'seen') unseen++;
      console.log(`${mutant.name}\n  breaks    ${mutant.breaks}\n  ${describeVerdict(verdict)}\n`);
    }
    console.log(`${chosen.length - unseen} of ${chosen.length} mistakes were seen`);
    return unseen;
  } finally {
    clear();
  }
}

process.exitCode = (await main(process.argv.slice(2))) === 0 ? 0 : 1;

/**
 * A page's commands are run as a reader would run them, and nothing is left of it.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isAlive } from '../local/alive.ts';
import { waitFor } from '../local/deadline.ts';
import { checkDocuments } from './docs-check.ts';

const fence = '```';
const repositories: string[] = [];

/** A repository with a page of these commands and a small system that stays up. */
function repositoryWith(page: string | ((repository: string) => string)): string {
  const repository = mkdtempSync(join(tmpdir(), 'ordertx-page-'));
  repositories.push(repository);
  const up = `
    const { mkdirSync, writeFileSync } = require('node:fs');
    process.on('SIGINT', () => { writeFileSync('${repository}/stopped', ''); process.exit(0); });
    setInterval(() => {}, 1000);
    mkdirSync('.ordertx', { recursive: true });
    writeFileSync('.ordertx/stack.json', '{}');
    writeFileSync('${repository}/pid', String(process.pid));`;
  writeFileSync(join(repository, 'up.cjs'), up);
  writeFileSync(join(repository, 'package.json'), JSON.stringify({ scripts: { up: 'node up.cjs' } }));
  writeFileSync(join(repository, 'README.md'), typeof page === 'string' ? page : page(repository));
  const author = ['-c', 'user.name=reader', '-c', 'user.email=reader@example.com', '-c', 'commit.gpgsign=false'];
  for (const command of [
    ['init', '--quiet'],
    ['add', '.'],
    [...author, 'commit', '--quiet', '-m', 'page'],
  ]) {
    execFileSync('git', command, { cwd: repository });
  }
  return repository;
}

async function check(page: string) {
  const repository = repositoryWith(page);
  const said: string[] = [];
  const failures = await checkDocuments({ repository, documents: ['README.md'], say: (line) => said.push(line) });
  return { repository, said, failures };
}

describe('a page', () => {
  afterEach(() => repositories.splice(0).forEach((path) => rmSync(path, { recursive: true })));

  test('whose commands all succeed is good, and folder, variables and functions carry over', async () => {
    const { said, failures } = await check(`${fence}sh
mkdir inner && cd inner
order=o1
export user=u1
greeting() { echo "hello $1"; }
${fence}

${fence}sh
[ "$(basename "$PWD") $order $(printenv user) $(greeting you)" = "inner o1 u1 hello you" ]
${fence}
`);
    expect(said.map((line) => line.slice(0, 6).trim())).toEqual(['OK', 'OK', 'OK', 'OK', 'OK']);
    expect(failures).toBe(0);
  });

  test('ends at its first failing command and shows what that one printed', async () => {
    const { said, failures } = await check(`${fence}sh\necho out of stock; exit 3\ntrue\n${fence}\n`);
    expect(failures).toBe(1);
    expect(said.join('\n')).toMatch(
      /^FAILED .*README.md:2 {2}echo out.*\n.*code 3\n.*out of stock\n.*the 1 commands after/,
    );
  });

  test('fails on a command that hangs, which is killed', async () => {
    const { said, failures } = await check(
      `<!-- docs-check: deadline 1 s -->\n${fence}sh\ntail -f /dev/null\n${fence}\n`,
    );
    expect(failures).toBe(1);
    expect(said.join('\n')).toContain('was not through after 1 s');
  });

  test('that is given up by Ctrl-C leaves nothing running and is not good', async () => {
    const page = (folder: string) => `${fence}sh\ntail -f /dev/null & echo $! > ${folder}/pid; wait\n${fence}\n`;
    const repository = repositoryWith(page);
    const pidFile = join(repository, 'pid');
    const stopping = new AbortController();
    const say = () => undefined;
    const checked = checkDocuments({ repository, documents: ['README.md'], say, stopping: stopping.signal });
    const pid = await waitFor(async () => existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')), {
      what: 'the command to run',
      deadlineMs: 20_000,
    });
    stopping.abort();
    expect(await checked).toBe(1);
    await waitFor(async () => !isAlive(pid), { what: 'its end', deadlineMs: 20_000 });
  });

  test('may show a refusal, and then has to get one', async () => {
    const page = (command: string) => `<!-- docs-check: fails -->\n${fence}sh\n${command}\n${fence}\n`;
    expect((await check(page('false'))).failures).toBe(0);
    expect((await check(page('true'))).failures).toBe(1);
  });

  test('has its system up for the commands after it, and Ctrl-C ends it', async () => {
    const { repository, said, failures } = await check(
      `${fence}sh\nnpm run up\n[ -f .ordertx/stack.json ]\n${fence}\n`,
    );
    expect(said.at(-1)).toContain('Ctrl-C');
    expect(failures).toBe(0);
    expect(existsSync(join(repository, 'stopped'))).toBe(true);
    expect(isAlive(Number(readFileSync(join(repository, 'pid'), 'utf8')))).toBe(false);
  });
});

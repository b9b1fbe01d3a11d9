/**
 * The example in Python is what it says: a whole participant.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inheritedEnvironment } from '../../local/process-group.ts';
import {
  CREDIT,
  EXAMPLE,
  READY_MS,
  startPythonParticipant,
  WELCOME_CENTS,
  type PythonParticipant,
} from './python-participant.ts';

const TOOL = join(import.meta.dirname, 'main.ts');

let python: PythonParticipant;
beforeAll(async () => {
  python = await startPythonParticipant('default');
}, READY_MS);
afterAll(() => python.stop());

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = inheritedEnvironment(),
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

test('passes every check, and its books agree with its fence', async () => {
  const { code, output } = await run(process.execPath, [TOOL, '--url', python.url, '--branch', CREDIT]);
  expect(output).toMatch(/ 0 wrong, 0 not driven/);
  expect(code).toBe(0);
  const books = new DatabaseSync(python.database, { readOnly: true });
  const [credit] = books.prepare('select cents from credit where user = ?').all('conformance');
  const states = books.prepare(`select state, sum(answer ->> 'heldCents') as cents from fence group by state`).all();
  books.close();
  const spent = states.find(({ state }) => state === 'Confirmed')?.cents;
  expect(states.map(({ state }) => state)).not.toContain('Tried');
  expect(Number(credit?.cents) + Number(spent)).toBe(WELCOME_CENTS);
});

test('under another name it is told to say its own', async () => {
  const { code, output } = await run(process.execPath, [TOOL, '--url', python.url]);
  expect(code).toBe(1);
  expect(output).toContain("give the participant's name in the flow with --branch");
});

test('does not start with tokens unchecked unless it is told so', async () => {
  const { code, output } = await run('python3', [EXAMPLE], { ...inheritedEnvironment(), ORDERTX_AUTH: '' });
  expect(code).not.toBe(0);
  expect(output).toContain('ORDERTX_AUTH');
});

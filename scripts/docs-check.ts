/**
 * Runs the commands of the documents in a fresh clone, so that what a page promises is what a reader gets.
 *
 *   npm run docs:check                        README.md
 *   npm run docs:check -- docs/operating/x.md  other pages
 *
 * The clone is of HEAD: what is not committed is not there for a reader either. A page ends at its first command that
 * does not do what it should, because the next ones build on it. Everything lies in one temporary folder, removed at
 * the end; what stayed up is stopped before.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { commandsOf, type Command } from './docs-commands.ts';
import { INTERRUPTED, readersEnvironment, Shell, type Ending } from './docs-shell.ts';

const ROOT = resolve(import.meta.dirname, '..');
const DOCUMENTS = ['README.md'];

/** What stays up until Ctrl-C, and the file that says it is ready. */
const STAYS_UP = /^npm run up\b/;
const READY_FILE = '.ordertx/stack.json';

/** Of what a command printed: enough to see why it failed. */
const PRINTED_LINES_MAX = 30;

export interface Check {
  /** The repository to clone, and the documents in it to follow. */
  readonly repository: string;
  readonly documents: readonly string[];
  readonly say: (line: string) => void;
  /** Ends the command under way like Ctrl-C, and with it the check. */
  readonly stopping?: AbortSignal;
}

/** How many commands did not do what their page says; a page's commands after such a one are not run and not counted. */
export async function checkDocuments({ repository, documents, say, stopping }: Check): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ordertx-docs-'));
  const clone = join(folder, 'ordertx');
  try {
    execFileSync('git', ['clone', '--quiet', repository, clone]);
    let failures = 0;
    for (const [index, document] of documents.entries()) {
      if (stopping?.aborted) break;
      const shell = new Shell(clone, join(folder, `shell-${index}`), readersEnvironment(process.env, ROOT));
      const abort = () => shell.abort();
      stopping?.addEventListener('abort', abort);
      try {
        if (!(await follow(document, commandsOf(readFileSync(join(clone, document), 'utf8')), shell, say))) failures++;
      } finally {
        stopping?.removeEventListener('abort', abort);
        await shell.close();
      }
    }
    return failures;
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function follow(
  document: string,
  commands: readonly Command[],
  shell: Shell,
  say: Check['say'],
): Promise<boolean> {
  for (const [index, command] of commands.entries()) {
    const title = `${document}:${command.line}  ${command.text.split('\n', 1).join()}`;
    if (command.skip !== undefined) {
      say(`skipped          ${title}  (${command.skip})`);
      continue;
    }
    const startedAt = performance.now();
    const ending = await runOne(command, shell);
    const good = isAsPromised(command, ending);
    say(`${good ? 'OK    ' : 'FAILED'} ${seconds(startedAt)}  ${title}`);
    if (good) continue;
    say(`       ${sentence(command, ending)}`);
    for (const line of shell.printed.trimEnd().split('\n').slice(-PRINTED_LINES_MAX)) say(`       | ${line}`);
    if (index + 1 < commands.length) say(`       the ${commands.length - index - 1} commands after it were not run`);
    return false;
  }
  return stop(document, shell, say);
}

/** A second system that stays up takes the first one's place, as it would in the reader's terminal. */
async function runOne(command: Command, shell: Shell): Promise<Ending> {
  if (!STAYS_UP.test(command.text)) return shell.run(command.text, command.deadlineSeconds);
  const stopped = await shell.interrupt();
  if (stopped && !isGoodEnd(stopped)) return stopped;
  return shell.stayUp(command.text, READY_FILE, command.deadlineSeconds);
}

async function stop(document: string, shell: Shell, say: Check['say']): Promise<boolean> {
  const startedAt = performance.now();
  const ending = await shell.interrupt();
  if (!ending) return true;
  const good = isGoodEnd(ending);
  say(`${good ? 'OK    ' : 'FAILED'} ${seconds(startedAt)}  ${document}  Ctrl-C`);
  return good;
}

/** After Ctrl-C: npm and the shell may pass the signal on as their own end. */
function isGoodEnd(ending: Ending): boolean {
  return ending.kind === 'exited' && (ending.code === 0 || ending.code === INTERRUPTED);
}

function isAsPromised(command: Command, ending: Ending): boolean {
  if (STAYS_UP.test(command.text)) return ending.kind === 'ready';
  return ending.kind === 'exited' && (ending.code === 0) === (command.ends === 'well');
}

function sentence(command: Command, ending: Ending): string {
  switch (ending.kind) {
    case 'too-slow':
      return `was not through after ${ending.deadlineSeconds} s`;
    case 'exited':
      return command.ends === 'badly' ? 'succeeded, but the page shows a refusal' : `ended with code ${ending.code}`;
    case 'ready':
      return 'is ready';
  }
}

function seconds(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7)} s`;
}

if (import.meta.main) {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const documents = process.argv.slice(2);
  const uncommitted = execFileSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' });
  if (uncommitted !== '') console.log('Note: what is not committed is not checked.');
  const failures = await checkDocuments({
    repository: ROOT,
    documents: documents.length > 0 ? documents : DOCUMENTS,
    say: (line) => console.log(line),
    stopping: stopping.signal,
  });
  process.exitCode = failures === 0 ? 0 : 1;
}

/**
 * The commands of a page in docs/, run as they are written, so that a page that people follow in need has been followed before.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND_MS = 180_000;
/** Of a thousand transactions each has its line. */
const PRINTED_BYTES_MAX = 64 * 1024 * 1024;

/** Every command of its shell blocks, in the page's order; one that goes over several lines is one. */
export function pageCommands(page: string): readonly string[] {
  const blocks = readFileSync(join(ROOT, page), 'utf8').matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms);
  const shell = [...blocks].filter(([, language]) => language === '' || language === 'sh');
  return shell.flatMap(([, , block = '']) =>
    block
      .replaceAll(/\\\n\s*/g, ' ')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  );
}

export interface CommandRun {
  /** Whose kubectl is on the PATH. */
  readonly kubectl: string;
  readonly env: Readonly<Record<string, string>>;
  /** What the reader puts in for the page's names. */
  readonly names?: Readonly<Record<string, string>>;
  /** Where kubectl's plugin lies; without it there is none. */
  readonly plugins?: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it in a shell, in the repository's folder; rejects when it ends with an error. */
export async function runAsWritten(
  command: string,
  run: CommandRun,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return promisify(execFile)('sh', ['-c', lineOf(command, run)], optionsOf(run));
}

/** The same, for a command whose error is what the page says: resolves however it ends. */
export function endOf(command: string, run: CommandRun): Promise<Ended> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', lineOf(command, run)], optionsOf(run), (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

function lineOf(command: string, { names = {} }: CommandRun): string {
  return Object.entries(names).reduce((text, [name, value]) => text.replaceAll(name, value), command);
}

function optionsOf({ kubectl, env, plugins }: CommandRun) {
  const folders = [...(plugins === undefined ? [] : [plugins]), dirname(kubectl), dirname(process.execPath)];
  const path = [...folders, '/usr/bin', '/bin'].join(':');
  return {
    cwd: ROOT,
    timeout: COMMAND_MS,
    maxBuffer: PRINTED_BYTES_MAX,
    env: { ...env, PATH: path },
    encoding: 'utf8',
  } as const;
}

/**
 * A page that is followed from its first command to its last, by a test that does in between what the page says in words. It ends
 * with `end`, so that a command which somebody adds to the page is followed as well.
 */
export class PageWalk {
  readonly #page: string;
  readonly #run: CommandRun;
  readonly #left: string[];

  constructor(page: string, run: CommandRun) {
    this.#page = page;
    this.#run = run;
    this.#left = [...pageCommands(page)];
  }

  /** Runs the next command, which begins so; resolves with how it ended. Acts are confirmed, because nobody is there to be asked. */
  async next(beginning: string, names: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const command = this.#left.shift() ?? '(none is left)';
    if (!command.startsWith(beginning)) throw new Error(`${this.#page}: expected "${beginning}...", not ${command}`);
    const isAct = /^kubectl ordertx (retry|settle|cancel|abandon|suspend|resume|hold|release)\b/.test(command);
    return endOf(isAct ? `${command} --yes` : command, { ...this.#run, names: { ...this.#run.names, ...names } });
  }

  end(): void {
    if (this.#left.length > 0) throw new Error(`${this.#page}: not followed: ${this.#left.join('; ')}`);
  }
}

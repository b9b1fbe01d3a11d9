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

/** Runs it in a shell, in the repository's folder; rejects when it ends with an error. */
export async function runAsWritten(
  command: string,
  { kubectl, env, plugins, names = {} }: CommandRun,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const line = Object.entries(names).reduce((text, [name, value]) => text.replaceAll(name, value), command);
  const path = [
    ...(plugins === undefined ? [] : [plugins]),
    dirname(kubectl),
    dirname(process.execPath),
    '/usr/bin',
    '/bin',
  ].join(':');
  return promisify(execFile)('sh', ['-c', line], {
    ...{ cwd: ROOT, timeout: COMMAND_MS, maxBuffer: PRINTED_BYTES_MAX },
    env: { ...env, PATH: path },
  });
}

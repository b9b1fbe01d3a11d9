/**
 * The `sh` blocks of a page, each run whole by one shell: for a page whose commands go over several lines, or need what others have set.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '..', '..');
const BLOCK_MS = 300_000;

export function pageBlocks(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^ *```sh\n(.*?)^ *```$/gms)].map(([, block = '']) => block);
}

export interface BlocksRun {
  /** With PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where they are typed. Default: the repository's folder. */
  readonly cwd?: string;
  /** What the reader puts in for the page's names; each in the order of its mention here. */
  readonly names: readonly (readonly [name: string | RegExp, value: string])[];
}

/** Runs blocks in one shell, up to the first command that fails; resolves with what they printed. */
export async function runBlocks(blocks: readonly string[], { env, cwd = ROOT, names }: BlocksRun): Promise<string> {
  const script = names.reduce((text, [name, value]) => text.replaceAll(name, () => value), blocks.join('\n'));
  const options = { cwd, env, timeout: BLOCK_MS };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options);
  return stdout;
}

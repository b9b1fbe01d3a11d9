/**
 * Packs kubectl's plugin for krew: an archive in dist/, and the manifest with its digest. Where it is published is the publisher's to say:
 *
 *   npm run krew -- --homepage URL --archive URL
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { parse } from 'yaml';
import manifest from '../package.json' with { type: 'json' };
import { buildCli, CLI_FOLDER, NODE_OLDEST } from './build-cli.ts';

const TEMPLATE = resolve(import.meta.dirname, '../controller/cli/krew.yaml');

export interface Published {
  readonly homepage: string;
  /** Where the archive will be found. */
  readonly archive: string;
}

/** @returns the paths of archive and manifest, beside the plugin's folder */
export async function packForKrew(
  { homepage, archive }: Published,
  folder: string = CLI_FOLDER,
): Promise<{ readonly archivePath: string; readonly manifestPath: string }> {
  for (const [flag, url] of Object.entries({ homepage, archive })) {
    if (!/^https:\/\/./.test(url)) throw new Error(`--${flag}: "${url}" does not begin with https://`);
  }
  await buildCli(folder);
  const archivePath = join(dirname(folder), `kubectl-ordertx-${manifest.version}.tar.gz`);
  await promisify(execFile)('tar', ['-czf', archivePath, '-C', folder, 'kubectl-ordertx', 'LICENSE']);
  const sha256 = createHash('sha256')
    .update(await readFile(archivePath))
    .digest('hex');
  const values: Readonly<Record<string, string>> = {
    ...{ homepage, archive, sha256 },
    version: manifest.version,
    node: NODE_OLDEST,
  };
  const text = (await readFile(TEMPLATE, 'utf8')).replace(/^#.*\n/, '').replaceAll(/<(\w+)>/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`krew.yaml asks for <${name}>, which nobody knows`);
    return value;
  });
  parse(text);
  const manifestPath = join(dirname(folder), 'ordertx.yaml');
  await writeFile(manifestPath, text);
  return { archivePath, manifestPath };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { homepage: { type: 'string' }, archive: { type: 'string' } } });
  const { homepage, archive } = values;
  if (homepage === undefined || archive === undefined)
    throw new Error('usage: npm run krew -- --homepage URL --archive URL');
  const { archivePath, manifestPath } = await packForKrew({ homepage, archive });
  process.stdout.write(`${archivePath}\n${manifestPath}\n`);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`krew: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });
}

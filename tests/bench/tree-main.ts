/**
 * Starts the system of a source tree, any version of it, and keeps it up until it is told to end:
 *
 *   node tests/bench/tree-main.ts TREE FOLDER [GOGC]
 *
 * In a process of its own and with the tree's own packages, because two versions of the same modules do not fit in one. Every version has
 * had `startStack` with these options. FOLDER gets stack.json and logs/; GOGC is the API server's.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Stack, StackOptions } from '../../local/stack.ts';

interface StackModule {
  readonly startStack: (options: StackOptions) => Promise<Stack>;
}

const [tree = '', folder = '', gogc] = process.argv.slice(2);
// The terminal's Ctrl-C reaches the whole group: whoever started us ends us when it has ended its own work.
process.on('SIGINT', () => undefined);
const told = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
try {
  const { startStack } = (await import(pathToFileURL(join(tree, 'local', 'stack.ts')).href)) as StackModule;
  const stack = await startStack({
    ...{ folder, controllers: 1, restart: false, redis: { url: '' } },
    ...(gogc !== undefined && { controlPlane: { apiserverEnv: { GOGC: gogc } } }),
  });
  const broken = await Promise.race([stack.broken, told]);
  await stack.close();
  if (broken) throw broken;
  process.exit(0);
} catch (error) {
  process.stderr.write(`${tree}: ${(error as Error).message}\n`);
  process.exit(1);
}

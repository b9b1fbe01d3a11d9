/**
 * From sources to an order that was shipped, in a cluster that is there: images, chart, its own test, and a customer.
 *
 * What differs between clusters is a parameter: the kubeconfig, and the command that brings an image to the nodes.
 */
import { execFile, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { PROCESSES } from '../../scripts/images/processes.ts';
import { happyPath } from '../demo/scenarios.ts';
import { Shop } from '../demo/demo-shop.ts';
import type { ProcessGroup } from '../process-group.ts';
import { say } from '../progress.ts';
import { forgetCutOff } from './cut-off.ts';
import { openPlace } from './place.ts';
import type { Target } from './release.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const CHART = join(ROOT, 'helm', 'ordertx');
/** The chart's, with a Postgres and a Redis of its own. */
export const VALUES_TRY = join(CHART, 'values-try.yaml');
/** Postgres and Redis are pulled on the way. */
const INSTALL_TIMEOUT = '10m';
const TEST_TIMEOUT = '5m';

export const imagesOf = (tag: string): readonly string[] => PROCESSES.map(({ name }) => `ordertx/${name}:${tag}`);

export type Images = {
  readonly tag: string;
  /** A command that brings an image to the nodes; its name is put at the end. */
  readonly load: readonly string[];
  /** What builds them; default: docker. */
  readonly docker?: readonly string[];
  /** For `docker build`. */
  readonly buildArgs?: readonly string[];
};

export async function buildAndLoad(images: Images, signal: AbortSignal): Promise<void> {
  const { tag, load, docker = ['docker'], buildArgs = [] } = images;
  const own = ['--tag', tag, '--docker', docker.join(' ')];
  await run([process.execPath, join(ROOT, 'scripts', 'images', 'build.ts'), ...own, '--', ...buildArgs], signal);
  for (const image of imagesOf(tag)) await run([...load, image], signal);
}

/** Installs the chart, or brings what is installed, or was left half-way, to this version; ends when all is ready. */
export async function install(target: Target, signal: AbortSignal): Promise<void> {
  const { kubeconfig, namespace, release, tag, values } = target;
  const own = ['--kubeconfig', kubeconfig, '--namespace', namespace];
  const kubectl = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('kubectl', [...own, ...args], { signal })).stdout;
  const records = await forgetCutOff(target, kubectl);
  if (records.length > 0)
    say(
      `release ${release} was left half-way by a run that was cut off; ${records.join(', ')} is removed, and it goes on from there`,
    );
  const files = values.flatMap((file) => ['--values', file]);
  await helm(
    target,
    ['upgrade', '--install', release, CHART, '--create-namespace', ...files],
    ['--set-string', `imageTag=${tag}`, '--wait', '--timeout', INSTALL_TIMEOUT],
    signal,
  );
}

export async function testRelease(target: Target, signal: AbortSignal): Promise<void> {
  await helm(target, ['test', target.release], ['--logs', '--timeout', TEST_TIMEOUT], signal);
}

/** Back to what was installed before; ends when all is ready. */
export async function rollBack(target: Target, signal: AbortSignal): Promise<void> {
  await helm(target, ['rollback', target.release], ['--wait', '--timeout', INSTALL_TIMEOUT], signal);
}

/** An order is placed, paid, shipped and received, by requests to the services in the cluster; each is printed with its answer. */
export async function shipAnOrder(target: Target, group: ProcessGroup): Promise<void> {
  const place = await openPlace(target, group);
  try {
    const shop = new Shop(place);
    await happyPath.run(shop);
    await shop.kubectl('get', 'otx');
  } finally {
    await place.close();
  }
}

async function helm(
  { kubeconfig, namespace }: Target,
  command: readonly string[],
  flags: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await run(['helm', ...command, '--kubeconfig', kubeconfig, '--namespace', namespace, ...flags], signal);
}

/** Shows what it says; stdout is left to what was asked for. @throws a sentence that names the command */
export async function run([program = '', ...args]: readonly string[], signal: AbortSignal): Promise<void> {
  say(`$ ${[program === process.execPath ? 'node' : program, ...args].join(' ')}`);
  const child = spawn(program, args, { stdio: ['ignore', 2, 2], cwd: ROOT, signal, killSignal: 'SIGTERM' });
  const code = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail);
    child.once('close', settle);
  });
  if (code !== 0)
    throw new Error(`${program} ${args[0] ?? ''} failed (exit code ${String(code)}); what it said is above`);
}

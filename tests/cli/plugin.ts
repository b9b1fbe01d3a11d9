/**
 * kubectl's plugin as people run it: the bundled file, in a process of its own.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildCli } from '../../scripts/build-cli.ts';
import { world } from '../world/world.ts';

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Ctrl-C as soon as this has been printed, on either stream. */
  readonly interruptAfter?: RegExp;
}

export interface Plugin {
  /** The bundled file. */
  readonly program: string;
  /** In the test's namespace unless another is named, as the administrator. Nothing is typed: stdin is empty and no terminal. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  close(): Promise<void>;
}

const RUN_MS = 120_000;

export async function buildPlugin(namespace: string): Promise<Plugin> {
  const folder = await mkdtemp(join(tmpdir(), 'ordertx-plugin-'));
  const program = await buildCli(join(folder, 'plugin'));
  return {
    program,
    run: (args, { env = {}, interruptAfter } = {}) =>
      ended(
        spawn(process.execPath, [program, '--namespace', namespace, ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: pluginEnvironment(env),
          timeout: RUN_MS,
        }),
        interruptAfter,
      ),
    close: () => rm(folder, { recursive: true }),
  };
}

/** Nothing of the tests' own environment but where programs are. */
export function pluginEnvironment(
  env: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> & { readonly PATH: string } {
  const { kubeconfig, kubectl } = world();
  return {
    PATH: [dirname(process.execPath), dirname(kubectl), '/usr/bin', '/bin'].join(':'),
    HOME: '/nonexistent',
    KUBECONFIG: kubeconfig,
    ...env,
  };
}

function ended(child: ReturnType<typeof spawn>, interruptAfter: RegExp | undefined): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const printed = { out: '', err: '' };
    const heard = (stream: 'out' | 'err') => (chunk: Buffer) => {
      printed[stream] += chunk.toString('utf8');
      if (interruptAfter?.test(printed[stream]) === true) child.kill('SIGINT');
    };
    child.stdout?.on('data', heard('out'));
    child.stderr?.on('data', heard('err'));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...printed }));
  });
}

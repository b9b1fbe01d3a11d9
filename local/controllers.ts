/**
 * Controller processes on this machine, and how one is started.
 */
import { join } from 'node:path';
import { runPart, type Part } from './parts.ts';
import { inheritedEnvironment, type ProcessGroup, type ProcessSpec } from './process-group.ts';
import { answersReadyz } from './services.ts';

export type ControllerOptions = {
  /** Its name among the processes here, and its identity in Leases and Events; kept when it is restarted. */
  readonly name: string;
  readonly port: number;
  /** Of the account it runs as. */
  readonly kubeconfig: string;
  readonly redisUrl: string;
  readonly namespaces: readonly string[];
  /** Origins or `service.namespace`s it may call besides services in the transactions' own namespaces. */
  readonly allowEndpoints: readonly string[];
  /** The service account whose tokens it sends, `<namespace>/<name>`; without one it calls without tokens. */
  readonly serviceAccount?: string;
  /** Added to the process's environment; wins over what the other options say. */
  readonly env?: Readonly<Record<string, string>>;
  /** The folder of another release, with its packages. Default: this one. */
  readonly release?: string;
  /** What an image holds, in a folder: it is run instead of the sources. */
  readonly bundle?: string;
  /** What it is waited for at the start. Default: that it says it is ready. */
  readonly ready?: (url: string) => Promise<boolean>;
};

export type RunningController = { readonly url: string; readonly part: Part };

const READY_MS = 60_000;
/**
 * By itself Node lets garbage grow to several times what is held before it collects: a whole machine's memory is there. Less would be
 * collected too often with 100,000 unfinished transactions, more keeps what a start has left behind. It costs CPU as well. Docs: BENCHMARKS.md.
 */
const HEAP = ['--max-old-space-size=1024', '--max-semi-space-size=4'];
/** What Node allocates beside its heap: with an arena for each of its threads, glibc keeps tens of mebibytes that nobody uses. */
const ALLOCATION = { MALLOC_ARENA_MAX: '1' };
const ROOT = join(import.meta.dirname, '..');

export async function startController(group: ProcessGroup, options: ControllerOptions): Promise<RunningController> {
  const { url, spec } = controllerProcess(options);
  const { ready = answersReadyz } = options;
  const part = await runPart(group, { spec, ready: () => ready(url), readyMs: READY_MS });
  return { url, part };
}

/** How its process is started, and where it will be. */
export function controllerProcess(options: ControllerOptions): { readonly url: string; readonly spec: ProcessSpec } {
  const { name, port, serviceAccount, release = ROOT, bundle } = options;
  const env = {
    ...inheritedEnvironment(),
    ...ALLOCATION,
    HOST: '127.0.0.1',
    PORT: String(port),
    KUBECONFIG: options.kubeconfig,
    REDIS_URL: options.redisUrl,
    ORDERTX_NAMESPACES: options.namespaces.join(','),
    ORDERTX_REPLICA: name,
    ORDERTX_AUTH: serviceAccount === undefined ? 'off' : 'on',
    ...(serviceAccount !== undefined && { ORDERTX_SERVICE_ACCOUNT: serviceAccount }),
    ...options.env,
  };
  const main = bundle === undefined ? join(release, 'controller', 'src', 'main.ts') : join(bundle, 'main.mjs');
  const args = [...HEAP, main, `--allow-endpoints=${options.allowEndpoints.join(',')}`];
  const spec = { name, command: process.execPath, args, env, cwd: bundle ?? release, leaf: true };
  return { url: `http://127.0.0.1:${port}`, spec };
}

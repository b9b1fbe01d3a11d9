/**
 * `npm run kind`: a kind cluster with ordertx in it, from these sources, and an order that went through it.
 *
 * The cluster stays; run again, it is used again and brought to what the sources are by then. Nothing but the cluster, its images and
 * .ordertx/kind is made: your own kubeconfig is left alone.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { onEnd } from './interruption.ts';
import { openProcessGroup } from './process-group.ts';
import { say } from './progress.ts';
import { TRY_OUT } from './try-out/release.ts';
import { buildAndLoad, install, run, shipAnOrder, testRelease, VALUES_TRY } from './try-out/steps.ts';
import { lacking, tightMemory } from './try-out/tools.ts';

const ROOT = resolve(import.meta.dirname, '..');
const FOLDER = join(ROOT, '.ordertx', 'kind');
const NODE_READY = '180s';
const USAGE = `usage: npm run kind -- [--name CLUSTER] [--values FILE]...
  --name CLUSTER  default: ordertx
  --values FILE   values of the chart, over those of helm/ordertx/values-try.yaml; a later file over an earlier one`;
/** kind's own rule for it, and short enough for the names of its containers. */
const NAME = /^[a-z0-9][a-z0-9.-]{0,31}$/;
const EXIT_USAGE = 2;

type Wanted = {
  readonly cluster: string;
  /** Over those that a try-out has. */
  readonly values: readonly string[];
};

function readArguments(args: string[]): Wanted {
  const options = {
    name: { type: 'string', default: 'ordertx' },
    values: { type: 'string', multiple: true, default: [] as string[] },
  } as const;
  const { name, values } = parseArgs({ args, options }).values;
  if (!NAME.test(name)) throw new Error(`--name: "${name}" is no cluster's name: a-z, 0-9, dots, hyphens`);
  const gone = values.find((file) => !existsSync(file));
  if (gone !== undefined)
    throw new Error(
      `--values: ${gone} is not there: name a file with values of the chart that differ from values-try.yaml`,
    );
  return { cluster: name, values: values.map((file) => resolve(file)) };
}

async function isThere(cluster: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('kind', ['get', 'clusters']);
  return stdout.split('\n').includes(cluster);
}

async function useAgain(
  { cluster, kubeconfig }: { readonly cluster: string; readonly kubeconfig: string },
  signal: AbortSignal,
): Promise<void> {
  try {
    await run(['kind', 'export', 'kubeconfig', '--name', cluster, '--kubeconfig', kubeconfig], signal);
    const ready = ['--for=condition=Ready', 'nodes', '--all', `--timeout=${NODE_READY}`];
    await run(['kubectl', '--kubeconfig', kubeconfig, 'wait', ...ready], signal);
  } catch (cause) {
    // Such are left by a run that was cut off while it made the cluster: kind lists it, and it will never be one.
    const remove = `kind delete cluster --name ${cluster}`;
    throw new Error(`the cluster ${cluster} is there, and is not in order: \`${remove}\`, and run this again`, {
      cause,
    });
  }
}

async function kind(wanted: Wanted): Promise<void> {
  const end = onEnd();
  const group = await openProcessGroup();
  const interrupted = end.reason.then((reason) => Promise.reject(new Error(reason)));
  try {
    await Promise.race([steps(wanted, end.signal, group), interrupted]);
  } finally {
    await group.close();
  }
}

async function steps(
  { cluster, values }: Wanted,
  signal: AbortSignal,
  group: Awaited<ReturnType<typeof openProcessGroup>>,
): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const kubeconfig = join(FOLDER, `${cluster}.kubeconfig`);
  const own = ['--name', cluster, '--kubeconfig', kubeconfig];
  if (await isThere(cluster)) await useAgain({ cluster, kubeconfig }, signal);
  else
    await run(
      ['kind', 'create', 'cluster', ...own, '--config', join(ROOT, 'kind-config.yaml'), '--wait', NODE_READY],
      signal,
    );

  // Pods of another tag are other pods: what was built again is what runs.
  const tag = `try-${Date.now().toString(36)}`;
  await buildAndLoad({ tag, load: ['kind', 'load', 'docker-image', '--name', cluster] }, signal);
  const target = { ...TRY_OUT, kubeconfig, tag, values: [VALUES_TRY, ...values] };
  await install(target, signal);
  await testRelease(target, signal);
  await shipAnOrder(target, group);
  console.log(`
The cluster stays. To look on:       export KUBECONFIG=${kubeconfig}
                                     kubectl get otx --namespace ${TRY_OUT.namespace} --watch
                                     What has ended is there for an hour, then in the archive alone.
To pay where payUrl points:          kubectl port-forward --namespace ${TRY_OUT.namespace} service/${TRY_OUT.release}-payment 8080:http
What people did (audit log):         docker exec ${cluster}-control-plane tail -f /var/log/kubernetes/audit.log
To remove all of it:                 kind delete cluster --name ${cluster}
`);
}

try {
  const wanted = readArguments(process.argv.slice(2));
  const missing = await lacking(['docker', 'kind', 'helm', 'kubectl']);
  if (missing.length > 0) {
    for (const sentence of missing) say(sentence);
    say('nothing was done. Without a cluster, `npm run up` runs the same system as processes on this machine');
    process.exit(EXIT_USAGE);
  }
  const tight = await tightMemory();
  if (tight !== undefined) say(tight);
  await kind(wanted);
  process.exit(0);
} catch (error) {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const isUsage = code?.startsWith('ERR_PARSE_ARGS') === true || message.startsWith('--');
  say(isUsage ? `${message}\n${USAGE}` : `kind: ${message}`);
  process.exit(isUsage ? EXIT_USAGE : 1);
}

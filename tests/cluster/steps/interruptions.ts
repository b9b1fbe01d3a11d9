/**
 * What happens to processes while customers buy: killed, rolled out, upgraded, rolled back, drained. Orders go on in each, and whatever is
 * under way when it begins is seen to end.
 */
import { spawn } from 'node:child_process';
import { waitFor } from '../../../local/deadline.ts';
import { install, rollBack } from '../../../local/try-out/steps.ts';
import { componentOf, isReady, type Cluster, type Pod } from '../cluster.ts';
import type { CustomersPod } from '../customers-pod.ts';
import { nodePod } from '../pods.ts';
import type { Step } from '../report.ts';
import { nextTag } from './release.ts';

export type InterruptionOptions = {
  readonly cluster: Cluster;
  readonly customers: () => CustomersPod;
  readonly signal: AbortSignal;
};

/** Orders that go their whole way once all is back. */
const AFTERWARDS = 5;
const UNDER_WAY = 3;
const UNDER_WAY_MS = 20_000;
const END_MS = 120_000;
const NODE_NAMESPACE = 'ordertx-test-node';
const DRAIN = '240s';
const DRAIN_MS = 300_000;

export function interruptionSteps(options: InterruptionOptions): readonly Step[] {
  return [
    { name: 'one of two controllers is killed (-9) in mid-flight', run: () => controllerKilled(options) },
    { name: 'order and inventory are rolled out in mid-flight', run: () => rolledOut(options) },
    { name: 'helm upgrade in mid-flight', run: () => upgraded(options) },
    { name: 'helm rollback in mid-flight', run: () => rolledBack(options) },
    { name: 'the node is drained', run: () => drained(options) },
  ];
}

const ended = (names: readonly string[]): string => `of ${names.length} under way when it began, all ended`;

/** Customers go on, and what was under way has ended. */
async function recovered({ cluster, customers }: InterruptionOptions, names: readonly string[]): Promise<void> {
  await cluster.ended(names, END_MS);
  await customers().received(AFTERWARDS);
}

type Lease = { readonly spec: { readonly holderIdentity?: string } };

/** The controller that works: who is named by the shard's Lease. */
async function working(cluster: Cluster): Promise<Pod> {
  const { items } = await cluster.get<{ readonly items: readonly Lease[] }>('leases');
  const holders = items.map(({ spec }) => spec.holderIdentity ?? '');
  const pod = (await cluster.pods('controller')).find(({ metadata }) =>
    holders.some((holder) => holder.endsWith(metadata.name)),
  );
  if (pod === undefined) throw new Error(`no controller holds a Lease; there are ${holders.join(', ')}`);
  return pod;
}

async function controllerKilled(options: InterruptionOptions): Promise<string> {
  const { cluster } = options;
  const pod = await working(cluster);
  const inventory = `deployment/${cluster.target.release}-inventory`;
  // Without inventory no try is answered, so nothing that begins now can end.
  await cluster.kubectl(['scale', inventory, '--replicas=0']);
  let names: readonly string[];
  try {
    names = await cluster.underWay(UNDER_WAY, UNDER_WAY_MS);
    await killed(cluster, pod, 'controller');
  } finally {
    await cluster.kubectl(['scale', inventory, '--replicas=1']);
  }
  await cluster.rolledOut(inventory);
  const backAt = Date.now();
  await cluster.ended(names, END_MS);
  const endedAfterS = (Date.now() - backAt) / 1_000;
  await recovered(options, names);
  await cluster.settled();
  const [status] = (await cluster.get<Pod>('pod', pod.metadata.name)).status.containerStatuses ?? [];
  const exitCode = status?.lastState.terminated?.exitCode;
  if (exitCode !== 137) throw new Error(`the container ended by exit code ${String(exitCode)}, not by SIGKILL`);
  const isSame = (await working(cluster)).metadata.name === pod.metadata.name;
  const who = isSame ? 'its container was started again and went on' : 'the other one took over';
  return `${names.length} transactions were under way; ${who}, and all had ended ${endedAfterS.toFixed(1)} s after inventory was back`;
}

/** SIGKILL from the node: within its own namespace a container's first process cannot be killed. */
async function killed(cluster: Cluster, pod: Pod, container: string): Promise<void> {
  const id = pod.status.containerStatuses?.find(({ name }) => name === container)?.containerID?.split('://')[1];
  const [image] = pod.spec.containers.map((each) => each.image);
  if (id === undefined || image === undefined || pod.spec.nodeName === undefined)
    throw new Error(`${pod.metadata.name} has no running container ${container}`);
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NODE_NAMESPACE, labels } });
  try {
    const own = ['--namespace', NODE_NAMESPACE];
    const name = 'killer';
    await cluster.kubectl(
      ['apply', ...own, '--filename', '-'],
      JSON.stringify(nodePod(name, image, pod.spec.nodeName)),
    );
    await cluster.kubectl(['wait', ...own, '--for=condition=Ready', `pod/${name}`, '--timeout=60s']);
    const script = `
import { readdirSync, readFileSync } from 'node:fs';
const isTheirs = (pid) => { try { return readFileSync('/proc/' + pid + '/cgroup', 'utf8').includes('${id}'); } catch { return false; } };
const pids = readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry) && isTheirs(entry));
if (pids.length === 0) throw new Error('no process is in the container');
for (const pid of pids) process.kill(Number(pid), 'SIGKILL');`;
    await cluster.kubectl(['exec', ...own, '--stdin', name, '--', 'node', '--input-type=module', '-'], script);
  } finally {
    await cluster.kubectl(['delete', 'namespace', NODE_NAMESPACE, '--ignore-not-found', '--wait=false']);
  }
}

async function rolledOut(options: InterruptionOptions): Promise<string> {
  const { cluster, customers } = options;
  const before = await customers().soFar();
  const names = await cluster.underWay(1, UNDER_WAY_MS);
  const deployments = ['order', 'inventory'].map((part) => `deployment/${cluster.target.release}-${part}`);
  for (const each of deployments) await cluster.kubectl(['rollout', 'restart', each]);
  for (const each of deployments) await cluster.rolledOut(each);
  const during = await customers().soFar();
  await recovered(options, names);
  return `customers received ${during.received - before.received} orders meanwhile; ${ended(names)}`;
}

/** Every process's pods run images of this tag. */
async function areOf(cluster: Cluster, tag: string): Promise<void> {
  const images = (await cluster.pods()).flatMap(({ spec }) => spec.containers.map(({ image }) => image));
  const others = images.filter((image) => /ordertx\/(?!try-)/.test(image) && !image.endsWith(`:${tag}`));
  if (others.length > 0) throw new Error(`still run ${others.join(', ')}`);
}

async function upgraded(options: InterruptionOptions): Promise<string> {
  const { cluster, customers, signal } = options;
  const next = nextTag(cluster.target.tag);
  const before = await customers().soFar();
  const names = await cluster.underWay(1, UNDER_WAY_MS);
  await install({ ...cluster.target, tag: next }, signal);
  await areOf(cluster, next);
  const during = await customers().soFar();
  await recovered(options, names);
  return `every process runs an image of another name; ${during.received - before.received} orders were received meanwhile; ${ended(names)}`;
}

async function rolledBack(options: InterruptionOptions): Promise<string> {
  const { cluster, customers, signal } = options;
  const before = await customers().soFar();
  const names = await cluster.underWay(1, UNDER_WAY_MS);
  await rollBack(cluster.target, signal);
  await areOf(cluster, cluster.target.tag);
  const during = await customers().soFar();
  await recovered(options, names);
  return `every process runs what it ran before; ${during.received - before.received} orders were received meanwhile; ${ended(names)}`;
}

/**
 * The release's pods are evicted from the node of a controller, as budgets allow. Where there is no other node, whoever is evicted waits
 * until this one is opened again, and the budget keeps the other controller till then.
 */
async function drained(options: InterruptionOptions): Promise<string> {
  const { cluster } = options;
  const { target } = cluster;
  const names = await cluster.underWay(1, UNDER_WAY_MS);
  const { nodeName = '' } = (await cluster.podOf('controller')).spec;
  const own = (await cluster.pods()).filter(({ spec }) => spec.nodeName === nodeName);
  const selector = `--pod-selector=app.kubernetes.io/instance=${target.release}`;
  const args = ['drain', nodeName, selector, '--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${DRAIN}`];
  const child = spawn('kubectl', ['--kubeconfig', target.kubeconfig, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  let code: number | null | undefined;
  child.once('close', (ended) => (code = ended));
  const keeps = (): boolean => said.includes("violate the pod's disruption budget");
  let left: readonly Pod[] = [];
  try {
    await waitFor(() => Promise.resolve(code !== undefined || keeps()), { what: 'the drain', deadlineMs: DRAIN_MS });
    if (keeps()) {
      const isOneLeft = async (): Promise<boolean> => {
        left = (await cluster.pods()).filter(
          (pod) => isReady(pod) && own.some((each) => each.metadata.uid === pod.metadata.uid),
        );
        return code !== undefined || left.length === 1;
      };
      await waitFor(isOneLeft, { what: 'all but one controller to be evicted', deadlineMs: DRAIN_MS, everyMs: 500 });
      if (left.some((pod) => componentOf(pod) !== 'controller'))
        throw new Error(`left is ${left.map(componentOf).join()}`);
    }
  } finally {
    await cluster.kubectl(['uncordon', nodeName]);
  }
  await waitFor(() => Promise.resolve(code !== undefined), { what: 'the drain to end', deadlineMs: DRAIN_MS });
  if (code !== 0) throw new Error(`kubectl drain: ${said.trim().slice(-600)}`);
  await cluster.settled();
  await recovered(options, names);
  const kept = left.length === 0 ? 'other nodes took them' : 'the last controller stayed until another was ready';
  return `${own.length} pods were evicted, Postgres and Redis among them; ${kept}; ${ended(names)}`;
}

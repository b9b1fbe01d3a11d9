/**
 * From an alert to the mended part, on a system broken on purpose: `npm run drill [-- --orders 1000 --per-second 3 --only consumer-killed,hold]`
 *
 * The whole system under a load of orders, payments and shipments, watched by a real Prometheus with the rules of helm/ordertx/files/alerts.yaml.
 * A consumer, a participant and Redis are broken in turn, in several ways, the first time with so many orders besides; then one is put on
 * hold for maintenance. Each time the alerts, `kubectl ordertx incidents` and `describe` are shown, the part itself is put right, and what it
 * has held up is mended with the commands of docs/operating/plugin.md and maintenance.md, as they stand there.
 *
 * Fails, with a sentence, where an alert does not come or does not end within its time; where `incidents` has other rows than one for each flow
 * and operation at the broken part; where a documented command ends with an error; or where an invariant is broken over all data at the end.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { onEnd } from '../../local/interruption.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { runCommand } from '../bench/command.ts';
import { violationsOf } from '../invariants/of-stack.ts';
import { Customers } from '../world/customers.ts';
import { startPrometheus } from '../world/prometheus-server.ts';
import { Drill } from './operations/drill.ts';
import { faultsOf } from './operations/faults.ts';
import { Load } from './operations/load.ts';
import { OnCall } from './operations/on-call.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.ordertx', 'drill');
const RULES = join(ROOT, 'helm', 'ordertx', 'files', 'alerts.yaml');
const STOCKED = 10_000_000;
/** What is placed beside the load is not closed under it. */
const ENV = { order: { ORDER_PAYMENT_TIMEOUT_SECONDS: '7200' } };

interface Options {
  readonly orders: number;
  readonly perSecond: number;
  readonly only: readonly string[];
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      orders: { type: 'string', default: '1000' },
      'per-second': { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
    },
  });
  const [orders, perSecond] = [Number(values.orders), Number(values['per-second'])];
  if (!(orders >= 1)) throw new Error(`--orders must be a number from 1, and is ${values.orders}`);
  if (!(perSecond > 0)) throw new Error(`--per-second must be a number above 0, and is ${values['per-second']}`);
  return { orders, perSecond, only: values.only.split(',').filter((name) => name !== '') };
}

const HOLD = 'hold';

const FLOWS_PATH = '/apis/ordertx.dev/v1alpha1/namespaces/default/transactionflows';
/** What has ended is looked at once more at the end, so nothing is removed before. */
const KEPT_SECONDS = 86_400;

async function flowsOf({ cluster }: Stack): Promise<readonly TransactionFlow[]> {
  const { body } = await cluster.admin.request('GET', FLOWS_PATH);
  return (body as { readonly items: readonly TransactionFlow[] }).items;
}

async function keepAll(stack: Stack): Promise<void> {
  for (const { metadata } of await flowsOf(stack)) {
    const change = { spec: { ttlSecondsAfterFinished: KEPT_SECONDS } };
    const { status } = await stack.cluster.admin.request('PATCH', `${FLOWS_PATH}/${metadata.name}`, change);
    if (status !== 200) throw new Error(`changing the flow ${metadata.name} was answered ${status}`);
  }
}

/** Messages of all flows, by who hears them. */
async function messagesByStream(stack: Stack): Promise<ReadonlyMap<string, readonly string[]>> {
  const messages = new Map<string, string[]>();
  for (const { spec } of await flowsOf(stack)) {
    for (const { name, stream } of spec.messages ?? []) messages.set(stream, [...(messages.get(stream) ?? []), name]);
  }
  return messages;
}

async function openDrill(stack: Stack, group: ProcessGroup): Promise<Drill> {
  const { services, controllers } = stack.description();
  const processes = [
    ...Object.entries(services).map(([name, { url }]) => [name, new URL(url).host] as const),
    ...controllers.map(({ url }, index) => [`controller-${index + 1}`, new URL(url).host] as const),
  ];
  const prometheus = await startPrometheus(group, { targets: Object.fromEntries(processes), rules: RULES });
  const onCall = await OnCall.arrive(
    { kubectl: stack.cluster.kubectl, kubeconfig: stack.cluster.kubeconfig },
    { folder: group.folder, controllerUrl: controllers.map(({ url }) => url).join(','), print: (text) => tell(text) },
  );
  const customers = new Customers({ services: stack.business.services, violations: () => violationsOf(stack) });
  for (const skuId of ['tea', 'coffee']) await stock(stack, skuId, STOCKED);
  await stock(stack, 'gold', 0);
  return new Drill({ stack, prometheus, onCall, customers, tell });
}

async function stock({ business }: Stack, skuId: string, stocked: number): Promise<void> {
  const answer = await fetch(`${business.services.inventory.url}/stock/${skuId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stocked }),
  });
  if (!answer.ok) throw new Error(`PUT /stock/${skuId} was answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

const [LINES_MAX, HEAD_LINES, TAIL_LINES] = [40, 10, 6] as const;

/** A thousand lines that say the same are told by their number. */
function tell(text: string): void {
  const lines = text.trimEnd().split('\n');
  const left = lines.length - HEAD_LINES - TAIL_LINES;
  const shown =
    lines.length <= LINES_MAX
      ? lines
      : [...lines.slice(0, HEAD_LINES), `... ${left} lines more ...`, ...lines.slice(-TAIL_LINES)];
  console.log(`\n${shown.map((line) => `    ${line}`.trimEnd()).join('\n')}`);
}

async function run(): Promise<void> {
  const { orders, perSecond, only } = readOptions();
  const end = onEnd();
  const group = await openProcessGroup();
  const redis = await startRedis(group, { url: '' });
  if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
  const options = { folder: FOLDER, controllers: 1, restart: false, redis: { url: redis.url }, serviceEnv: ENV };
  const stack = await startStack(options, end.signal);
  const interrupted = end.reason.then((reason) => Promise.reject(new Error(reason)));
  let load: Load | undefined;
  const through = async (): Promise<void> => {
    await keepAll(stack);
    const faults = faultsOf({ stack, group, redis, messages: await messagesByStream(stack) });
    const names = [...faults.map(({ name }) => name), HOLD];
    const unknown = only.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new Error(`--only takes ${names.join(', ')}, and not ${unknown}`);
    const isMeant = (name: string): boolean => only.length === 0 || only.includes(name);
    const drill = await openDrill(stack, group);
    load = new Load(drill.customers, perSecond);
    for (const [index, fault] of faults.filter(({ name }) => isMeant(name)).entries()) {
      await drill.live(fault, index === 0 ? orders : 0);
      say(load.counts);
    }
    if (isMeant(HOLD)) await drill.hold();
    await drill.settle(load);
  };
  try {
    await Promise.race([through(), interrupted, stack.broken.then((error) => Promise.reject(error))]);
  } finally {
    load?.stop();
    await stack.close();
    await group.close();
  }
}

await runCommand(async () => {
  await run();
  say('the drill went as the pages say');
});

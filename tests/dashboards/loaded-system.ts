/**
 * A system that has everything a dashboard can show: orders of all kinds under way, an archive, and trouble of every kind in turn.
 */
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { createDatabase, startPostgres } from '../../local/postgres.ts';
import { startRedis } from '../../local/redis.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { violationsOf } from '../invariants/of-stack.ts';
import { faultsOf, type Fault } from '../drills/operations/faults.ts';
import { Load } from '../drills/operations/load.ts';
import { Customers } from '../world/customers.ts';
import { STOCK } from '../world/lives.ts';
import { startPrometheus } from '../world/prometheus-server.ts';

export interface LoadedSystem {
  readonly prometheusUrl: string;
  readonly archiveUrl: string;
  /** By name: what can be broken. */
  readonly faults: ReadonlyMap<string, Fault>;
  /** Puts a message on hold, or takes it back. */
  readonly hold: (isOn: boolean) => Promise<void>;
  readonly close: () => Promise<void>;
}

const FLOWS_PATH = '/apis/ordertx.dev/v1alpha1/namespaces/default/transactionflows';
/** Soon stuck, and soon removed, so that both are seen. */
const HURRIED = { stuckAfterSeconds: 5, ttlSecondsAfterFinished: 1, retry: { maxDelaySeconds: 2 } };

async function change(stack: Stack, flow: string, spec: object): Promise<void> {
  const { status } = await stack.cluster.admin.request('PATCH', `${FLOWS_PATH}/${flow}`, { spec });
  if (status !== 200) throw new Error(`changing the flow ${flow} was answered ${status}`);
}

async function flowsOf(stack: Stack): Promise<readonly TransactionFlow[]> {
  return ((await stack.cluster.admin.request('GET', FLOWS_PATH)).body as { items: readonly TransactionFlow[] }).items;
}

async function stockUp({ business }: Stack): Promise<void> {
  for (const [skuId, stocked] of Object.entries(STOCK)) {
    const answer = await fetch(`${business.services.inventory.url}/stock/${skuId}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stocked }),
    });
    if (!answer.ok) throw new Error(`stocking ${skuId} was answered ${answer.status}`);
  }
}

/** @param perSecond customers who begin */
export async function openLoadedSystem(folder: string, perSecond: number, abort: AbortSignal): Promise<LoadedSystem> {
  const group = await openProcessGroup();
  const closers: (() => Promise<void>)[] = [() => group.close()];
  const close = async (): Promise<void> => {
    for (const end of closers.toReversed()) await end();
  };
  try {
    return { ...(await open(group, folder, perSecond, abort, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  group: ProcessGroup,
  folder: string,
  perSecond: number,
  abort: AbortSignal,
  closers: (() => Promise<void>)[],
): Promise<Omit<LoadedSystem, 'close'>> {
  const redis = await startRedis(group, { url: '' });
  if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
  const archiveUrl = await createDatabase((await startPostgres(group, { unsafeFast: true })).url, 'archive');
  const options = { folder, controllers: 1, restart: false, unsafeFast: true, redis: { url: redis.url } };
  const stack = await startStack({ ...options, controllerEnv: { ARCHIVE_DATABASE_URL: archiveUrl } }, abort);
  closers.push(() => stack.close());
  const flows = await flowsOf(stack);
  for (const { metadata } of flows) await change(stack, metadata.name, HURRIED);
  await stockUp(stack);
  const { services, controllers } = stack.description();
  const targets = [
    ...Object.entries(services).map(([name, { url }]) => [name, new URL(url).host] as const),
    ...controllers.map(({ url }) => ['controller', new URL(url).host] as const),
  ];
  const { url: prometheusUrl } = await startPrometheus(group, { targets: Object.fromEntries(targets) });
  const customers = new Customers({ services: stack.business.services, violations: () => violationsOf(stack) });
  const load = new Load(customers, perSecond);
  closers.push(async () => load.stop());
  const messages = new Map<string, string[]>();
  for (const { name, stream } of flows.flatMap(({ spec }) => spec.messages ?? []))
    messages.set(stream, [...(messages.get(stream) ?? []), name]);
  const faults = faultsOf({ stack, group, redis, messages });
  return {
    ...{ prometheusUrl, archiveUrl },
    faults: new Map(faults.map((fault) => [fault.name, fault])),
    hold: (isOn) => change(stack, 'pay-order', { hold: { points: isOn ? 'members are counted' : null } }),
  };
}

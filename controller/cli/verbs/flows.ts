/**
 * flows: what kinds of transactions there are, who takes part, what is on hold, and how many are unfinished, stuck or failing.
 */
import type { Command } from 'commander';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { conditionIsTrue } from '../../src/transaction/conditions.ts';
import { isAboutHold } from '../../src/transaction/hold.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { ageOf } from '../durations.ts';
import { listOf } from '../output/format.ts';
import { counted, table } from '../output/table.ts';
import type { Session } from '../session.ts';
import type { Run } from '../verb.ts';

interface Counts {
  unfinished: number;
  stuck: number;
  failing: number;
  held: number;
  /** Nothing is asked for these, so nothing of them fails just now. */
  suspended: number;
}

export function addFlows(program: Command, run: Run): void {
  const command = program
    .command('flows')
    .description('list flows, with how many of their transactions are in trouble');
  command.action(() => run(command, flows));
}

async function flows(session: Session): Promise<void> {
  const found = await session.api.flows(session.namespace, session.selectors);
  const counts = session.format.kind === 'table' ? await countByFlow(session) : new Map<string, Counts>();
  await session.render({
    object: listOf(found),
    names: found.map(({ metadata }) => `transactionflow.ordertx.dev/${metadata.name}`),
    text: (wide) => tableOf(session, found, counts, wide),
  });
  const known = new Set(found.map((flow) => keyOf(flow.metadata.namespace, flow.metadata.name)));
  const isAll = session.selectors.fieldSelector === undefined && session.selectors.labelSelector === undefined;
  for (const [key, { unfinished }] of isAll ? counts : []) {
    if (!known.has(key))
      session.terminal.say(`${counted(unfinished, 'transaction')} waiting for the flow ${key}, which does not exist.`);
  }
  if (found.length === 0 && session.format.kind === 'table') session.terminal.say('No flows found.');
}

export async function countByFlow(session: Session): Promise<ReadonlyMap<string, Counts>> {
  const counts = new Map<string, Counts>();
  await session.api.transactions(
    session.namespace,
    { fieldSelector: NEEDS_WORK_SELECTOR },
    ({ metadata, spec, status }) => {
      if (isFinal(status?.phase)) return undefined;
      const key = keyOf(metadata.namespace, spec.flow);
      const of = counts.get(key) ?? { unfinished: 0, stuck: 0, failing: 0, held: 0, suspended: 0 };
      of.unfinished += 1;
      if (conditionIsTrue(status, 'Stuck')) of.stuck += 1;
      if (spec.suspend) of.suspended += 1;
      else if (isAboutHold(status?.message)) of.held += 1;
      else if (status?.waitingFor) of.failing += 1;
      counts.set(key, of);
      return undefined;
    },
    () => counts.clear(),
  );
  return counts;
}

function keyOf(namespace: string | undefined, flow: string): string {
  return `${namespace ?? ''}/${flow}`;
}

function tableOf(
  session: Session,
  found: readonly TransactionFlow[],
  counts: ReadonlyMap<string, Counts>,
  wide: boolean,
): string {
  if (found.length === 0) return '';
  const inAll = session.namespace === undefined;
  const heads = [
    ...(inAll ? ['NAMESPACE'] : []),
    ...['NAME', 'PARTICIPANTS', 'MESSAGES', 'ON HOLD', 'UNFINISHED', 'STUCK', 'FAILING', 'HELD', 'SUSPENDED', 'AGE'],
    ...(wide ? ['ENDPOINTS', 'TIMEOUT', 'STUCK AFTER', 'TTL'] : []),
  ];
  const rows = found.map(({ metadata, spec }) => {
    const of = counts.get(keyOf(metadata.namespace, metadata.name));
    return [
      ...(inAll ? [metadata.namespace ?? ''] : []),
      metadata.name,
      spec.participants.map(({ name }) => name).join(','),
      (spec.messages ?? []).map(({ name }) => name).join(','),
      Object.keys(spec.hold ?? {}).join(','),
      ...[of?.unfinished, of?.stuck, of?.failing, of?.held, of?.suspended].map((count) => String(count ?? 0)),
      ageOf(metadata.creationTimestamp, session.now()),
      ...(wide
        ? [
            spec.participants.map(endpointOf).join(','),
            `${spec.timeoutSeconds}s`,
            `${spec.stuckAfterSeconds}s`,
            `${spec.ttlSecondsAfterFinished}s`,
          ]
        : []),
    ];
  });
  return table(session.isWithHeads ? heads : [], rows);
}

function endpointOf({ name, endpoint, path }: TransactionFlow['spec']['participants'][number]): string {
  const { service, url } = endpoint;
  const origin = service ? `${service.name}${service.namespace ? `.${service.namespace}` : ''}:${service.port}` : url;
  return `${name}=${origin ?? ''}${path}`;
}

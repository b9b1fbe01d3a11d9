/**
 * top: what is unfinished by flow and phase, and the worst of what is wrong; refreshed while somebody watches, else once.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { conditionIsTrue } from '../../src/transaction/conditions.ts';
import { isAboutHold } from '../../src/transaction/hold.ts';
import { isFinal, phaseOf } from '../../src/transaction/phase.ts';
import { parseDurationMs, shortAge } from '../durations.ts';
import { incidentsOf, suffererOf, sufferingsOf, type Incident, type Suffering } from '../incident.ts';
import { counted, table } from '../output/table.ts';
import { pause } from '../pause.ts';
import { joined, type Session } from '../session.ts';
import { usage } from '../trouble.ts';
import type { Run } from '../verb.ts';
import { flowsIfReadable } from '../reach.ts';
import { nextStepBy, selectorOf } from './incidents.ts';

interface TopFlags {
  readonly interval: string;
  readonly once?: boolean;
}

interface Row {
  readonly namespace: string;
  readonly flow: string;
  unfinished: number;
  readonly phases: Record<string, number>;
  stuck: number;
  failing: number;
  held: number;
  suspended: number;
  oldestMs: number;
}

interface Snapshot {
  readonly at: string;
  readonly unfinished: number;
  readonly flows: readonly Row[];
  readonly incidents: readonly Incident[];
  readonly known: readonly TransactionFlow[];
}

const PHASES = ['Pending', 'Trying', 'Confirming', 'Cancelling', 'Delivering'] as const;
/** Less would be most of what a small API server does for a busy shop: each look is a list of all that is unfinished. */
const INTERVAL_MS_MIN = 500;
/** What is above the incidents, and the prompt below. */
const OTHER_ROWS = 6;
const INCIDENTS_MIN = 5;

export function addTop(program: Command, run: Run): void {
  const command = program
    .command('top')
    .description('what is unfinished and what is wrong, refreshed until Ctrl-C')
    .option('--interval <duration>', 'between two looks', '2s')
    .option('--once', 'one look');
  command.action((flags: TopFlags) => run(command, (session) => top(session, flags)));
}

async function top(session: Session, flags: TopFlags): Promise<void> {
  const intervalMs = parseDurationMs(flags.interval, '--interval');
  if (intervalMs < INTERVAL_MS_MIN) throw usage(`--interval: at least ${INTERVAL_MS_MIN} ms`);
  const { terminal, format } = session;
  if (flags.once === true || !terminal.isShown || format.kind !== 'table') {
    await show(session, await look(session), undefined);
    return;
  }
  let before: Snapshot | undefined;
  while (!session.stopping.aborted) {
    const snapshot = await look(session);
    await terminal.print(terminal.cleared);
    await show(session, snapshot, before);
    before = snapshot;
    await pause(intervalMs, session.stopping);
  }
}

async function look(session: Session): Promise<Snapshot> {
  const flows = new Map<string, Row>();
  const fieldSelector = joined(session.selectors.fieldSelector, NEEDS_WORK_SELECTOR);
  const selectors = { ...session.selectors, fieldSelector };
  const count = (transaction: OrderTransaction): readonly Suffering[] | undefined => {
    const { metadata, spec, status } = transaction;
    if (isFinal(status?.phase)) return undefined;
    const { namespace = '' } = metadata;
    const key = `${namespace}/${spec.flow}`;
    const sufferer = suffererOf(transaction);
    const row: Row = flows.get(key) ?? {
      ...{ namespace, flow: spec.flow, unfinished: 0, phases: {}, stuck: 0, failing: 0, held: 0, suspended: 0 },
      oldestMs: sufferer.createdMs,
    };
    const phase = phaseOf(transaction);
    row.unfinished += 1;
    row.phases[phase] = (row.phases[phase] ?? 0) + 1;
    row.oldestMs = Math.min(row.oldestMs, sufferer.createdMs);
    if (conditionIsTrue(status, 'Stuck')) row.stuck += 1;
    if (spec.suspend) row.suspended += 1;
    else if (isAboutHold(status?.message)) row.held += 1;
    else if (status?.waitingFor) row.failing += 1;
    flows.set(key, row);
    return sufferingsOf(transaction);
  };
  const [ailing, known = []] = await Promise.all([
    session.api.transactions(session.namespace, selectors, count, () => flows.clear()),
    flowsIfReadable(session),
  ]);
  const rows = [...flows.values()].toSorted((one, other) => other.unfinished - one.unfinished);
  const unfinished = rows.reduce((sum, row) => sum + row.unfinished, 0);
  const incidents = incidentsOf(ailing.flat());
  return { at: new Date(session.now()).toISOString(), unfinished, flows: rows, incidents, known };
}

async function show(session: Session, snapshot: Snapshot, before: Snapshot | undefined): Promise<void> {
  const { at, unfinished, flows, incidents } = snapshot;
  await session.render({
    object: {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'Overview', at, unfinished, flows },
      incidents: incidents.map(({ transactions, ...incident }) => ({ ...incident, count: transactions.length })),
    },
    names: flows.map(({ flow }) => `transactionflow.ordertx.dev/${flow}`),
    text: () => textOf(session, snapshot, before),
  });
}

function textOf(
  session: Session,
  { at, unfinished, flows, incidents, known }: Snapshot,
  before: Snapshot | undefined,
): string {
  const change = before === undefined ? '' : ` (${signed(unfinished - before.unfinished)})`;
  const where = session.namespace ?? 'all namespaces';
  const head = `${at}  ${where}: ${counted(unfinished, 'unfinished transaction')}${change}, ${counted(incidents.length, 'incident')}\n`;
  const inAll = session.namespace === undefined;
  const heads = [...(inAll ? ['NAMESPACE'] : []), 'FLOW', 'UNFINISHED', ...PHASES.map((phase) => phase.toUpperCase())];
  const rows = flows.map((row) => [
    ...(inAll ? [row.namespace] : []),
    row.flow,
    String(row.unfinished),
    ...PHASES.map((phase) => String(row.phases[phase] ?? 0)),
    ...[row.stuck, row.failing, row.held, row.suspended].map(String),
    shortAge(session.now() - row.oldestMs),
  ]);
  const byFlow = flows.length === 0 ? '' : table([...heads, 'STUCK', 'FAILING', 'HELD', 'SUSPENDED', 'OLDEST'], rows);
  return [head, byFlow, incidentTable(session, incidents, known, flows.length)]
    .filter((part) => part !== '')
    .join('\n');
}

function incidentTable(
  session: Session,
  incidents: readonly Incident[],
  known: readonly TransactionFlow[],
  flows: number,
): string {
  if (incidents.length === 0) return '';
  const room = Math.max(INCIDENTS_MIN, session.terminal.rows - flows - OTHER_ROWS);
  // The ones that hold up most: there may be no room for all.
  const worst = incidents.toSorted((one, other) => other.transactions.length - one.transactions.length).slice(0, room);
  const rows = worst.map((incident) => [
    String(incident.transactions.length),
    shortAge(session.now() - incident.oldestMs),
    selectorOf(session, incident),
    incident.flow,
    incident.sentence,
    nextStepBy(known, incident),
  ]);
  const more = incidents.length - worst.length;
  const rest = more > 0 ? `and ${counted(more, 'other incident')}: kubectl ordertx incidents\n` : '';
  return table(['COUNT', 'OLDEST', 'SELECTOR', 'FLOW', 'WHAT', 'NEXT STEP'], rows) + rest;
}

function signed(change: number): string {
  return change > 0 ? `+${change}` : String(change);
}

/**
 * incidents: what is wrong, by cause: however many transactions one holds up, it is one row.
 */
import type { Command } from 'commander';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { Beside, flowIn, holdSentence, streamOf, unattendedSentence } from '../beside.ts';
import { installationsWithoutHolder } from '../checks/leases.ts';
import { shortAge } from '../durations.ts';
import { incidentsOf, nextStepFor, sufferingsOf, type Incident, type Suffering } from '../incident.ts';
import { printable } from '../output/printable.ts';
import { counted, table } from '../output/table.ts';
import { flowsIfReadable, noIncident, reachOf, requireKnown } from '../reach.ts';
import { selectorsOf } from '../selection.ts';
import { joined, type Session } from '../session.ts';
import { Trouble } from '../trouble.ts';
import type { Run } from '../verb.ts';

interface IncidentFlags {
  readonly flow?: string;
  readonly target?: string;
  readonly incident?: string;
}

export function addIncidents(program: Command, run: Run): void {
  const command = program
    .command('incidents')
    .description('what is wrong, by cause, the oldest first')
    .option('--flow <name>', 'only in this flow')
    .option('--target <name>', 'only at this participant or message')
    .option('--incident <id>', 'only this one');
  command.action((flags: IncidentFlags) => run(command, (session) => showIncidents(session, flags)));
}

interface Found {
  readonly incidents: readonly Incident[];
  readonly beside: Beside;
  /** Undefined where they may not be read. */
  readonly flows: readonly TransactionFlow[] | undefined;
}

async function showIncidents(session: Session, flags: IncidentFlags): Promise<void> {
  const [{ incidents, beside, flows }, leaseless] = await Promise.all([
    findIncidents(session, flags),
    installationsWithoutHolder(session),
  ]);
  const isUnattended = leaseless.length > 0 || beside.untouched > 0;
  const clear = incidents.length === 0 ? await allClear(session, flags, flows, isUnattended) : '';
  const holds = beside.holds(flags);
  const known = flows ?? [];
  await session.render({
    object: {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'IncidentList' },
      items: incidents.map((incident) => itemOf(incident, known)),
      holds,
      untouched: beside.untouched,
    },
    names: incidents.map(({ id }) => id),
    text: (wide) => tableOf(session, incidents, known, wide),
  });
  if (session.format.kind !== 'table') return;
  const { terminal } = session;
  terminal.say(incidents.length === 0 ? clear : totalOf(incidents));
  for (const hold of holds) terminal.say(printable(holdSentence(session, hold)));
  if (isUnattended) terminal.say(unattendedSentence(beside.untouched, leaseless));
}

function totalOf(incidents: readonly Incident[]): string {
  // One that is held up by two causes is in two rows, and one transaction.
  const names = incidents.flatMap(({ namespace, transactions }) =>
    transactions.map(({ name }) => `${namespace}/${name}`),
  );
  const count = new Set(names).size;
  return `\n${counted(count, 'transaction')}, ${counted(incidents.length, 'incident')}. Each SELECTOR is taken by list, retry, suspend, resume, cancel, settle and abandon.`;
}

/** What is well, and how far that reaches: whoever has typed another name than he meant sees it. */
async function allClear(
  session: Session,
  flags: IncidentFlags,
  flows: readonly TransactionFlow[] | undefined,
  isUnattended: boolean,
): Promise<string> {
  if (flags.incident !== undefined) throw new Trouble(noIncident(session, flags));
  await requireKnown(session, flags, flows);
  const reach = reachOf(session, flags);
  // Where nobody works nobody says what fails.
  if (isUnattended) return `Nothing is said to be stuck or to fail ${reach}, and that may not be so:`;
  const clear = `Nothing is stuck and nothing fails ${reach}.`;
  return flows?.length === 0 ? `${clear} There is no flow either: -n names another namespace, -A means all.` : clear;
}

async function findIncidents(session: Session, { flow, target, incident }: IncidentFlags): Promise<Found> {
  const flows = await flowsIfReadable(session);
  const beside = new Beside(flows ?? []);
  const selectors = selectorsOf(session, flow === undefined ? {} : { flow });
  const found = await session.api.transactions(
    session.namespace,
    { ...selectors, fieldSelector: joined(selectors.fieldSelector, NEEDS_WORK_SELECTOR) },
    (transaction) => {
      beside.look(transaction, session.now());
      return sufferingsOf(transaction);
    },
    () => beside.forget(),
  );
  const isMeant = ([, ailment]: Suffering): boolean => target === undefined || ailment.target === target;
  const all = incidentsOf(found.flat().filter(isMeant));
  const incidents = incident === undefined ? all : all.filter(({ ids }) => ids.includes(incident));
  return { incidents, beside, flows };
}

/** With what only the flow says: who reads a message's stream. */
export function nextStepBy(flows: readonly TransactionFlow[], incident: Incident): string {
  return nextStepFor(incident, streamOf(flowIn(flows, incident.namespace, incident.flow), incident.target));
}

export function selectorOf(session: Session, { id, namespace }: Incident): string {
  return `${session.namespace === undefined ? `-n ${namespace} ` : ''}--incident ${id}`;
}

function itemOf(incident: Incident, flows: readonly TransactionFlow[]): object {
  const { id, namespace, flow, target, operation, sentence, reason, isSuspended, stuck, oldestMs, transactions } =
    incident;
  return {
    ...{ id, namespace, flow, target, operation, sentence, reason },
    suspended: isSuspended,
    count: transactions.length,
    stuck,
    oldest: new Date(oldestMs).toISOString(),
    nextStep: nextStepBy(flows, incident),
    selector: `--incident=${id}`,
    transactions: transactions.map(({ name }) => name),
  };
}

function tableOf(
  session: Session,
  incidents: readonly Incident[],
  flows: readonly TransactionFlow[],
  wide: boolean,
): string {
  if (incidents.length === 0) return '';
  const inAll = session.namespace === undefined;
  const heads = [
    ...(inAll ? ['NAMESPACE'] : []),
    ...['FLOW', 'TARGET', 'OPERATION', 'COUNT', 'STUCK', 'OLDEST', 'SELECTOR', 'WHAT', 'NEXT STEP'],
    ...(wide ? ['FOR EXAMPLE'] : []),
  ];
  const rows = incidents.map((incident) => [
    ...(inAll ? [incident.namespace] : []),
    incident.flow,
    incident.target,
    incident.operation,
    String(incident.transactions.length),
    String(incident.stuck),
    shortAge(session.now() - incident.oldestMs),
    selectorOf(session, incident),
    incident.sentence,
    nextStepBy(flows, incident),
    ...(wide
      ? [
          incident.transactions
            .slice(0, 3)
            .map(({ name }) => name)
            .join(' '),
        ]
      : []),
  ]);
  return table(session.isWithHeads ? heads : [], rows);
}

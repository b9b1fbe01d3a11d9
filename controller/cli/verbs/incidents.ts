/**
 * incidents: what is wrong, by cause: however many transactions one holds up, it is one row.
 */
import type { Command } from 'commander';
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { shortAge } from '../durations.ts';
import { incidentsOf, nextStepFor, sufferingsOf, type Incident, type Suffering } from '../incident.ts';
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

async function showIncidents(session: Session, flags: IncidentFlags): Promise<void> {
  const incidents = await findIncidents(session, flags);
  const clear = incidents.length === 0 ? await allClear(session, flags) : '';
  await session.render({
    object: { apiVersion: 'ordertx.dev/v1alpha1', kind: 'IncidentList', items: incidents.map(itemOf) },
    names: incidents.map(({ id }) => id),
    text: (wide) => tableOf(session, incidents, wide),
  });
  if (session.format.kind !== 'table') return;
  // One that is held up by two causes is in two rows, and one transaction.
  const names = incidents.flatMap(({ namespace, transactions }) =>
    transactions.map(({ name }) => `${namespace}/${name}`),
  );
  const count = new Set(names).size;
  const { terminal } = session;
  if (incidents.length === 0) terminal.say(clear);
  else {
    terminal.say(
      `\n${counted(count, 'transaction')}, ${counted(incidents.length, 'incident')}. Each SELECTOR is taken by list, retry, suspend, resume, cancel, settle and abandon.`,
    );
  }
}

/** What is well, and how far that reaches: whoever has typed another name than he meant sees it. */
async function allClear(session: Session, flags: IncidentFlags): Promise<string> {
  if (flags.incident !== undefined) throw new Trouble(noIncident(session, flags));
  const flows = await flowsIfReadable(session);
  await requireKnown(session, flags, flows);
  const clear = `Nothing is stuck and nothing fails ${reachOf(session, flags)}.`;
  return flows?.length === 0 ? `${clear} There is no flow either: -n names another namespace, -A means all.` : clear;
}

async function findIncidents(
  session: Session,
  { flow, target, incident }: IncidentFlags,
): Promise<readonly Incident[]> {
  const selectors = selectorsOf(session, flow === undefined ? {} : { flow });
  const found = await session.api.transactions(
    session.namespace,
    { ...selectors, fieldSelector: joined(selectors.fieldSelector, NEEDS_WORK_SELECTOR) },
    sufferingsOf,
  );
  const isMeant = ([, ailment]: Suffering): boolean => target === undefined || ailment.target === target;
  const incidents = incidentsOf(found.flat().filter(isMeant));
  return incident === undefined ? incidents : incidents.filter(({ ids }) => ids.includes(incident));
}

export function selectorOf(session: Session, { id, namespace }: Incident): string {
  return `${session.namespace === undefined ? `-n ${namespace} ` : ''}--incident ${id}`;
}

function itemOf(incident: Incident): object {
  const { id, namespace, flow, target, operation, sentence, reason, isSuspended, stuck, oldestMs, transactions } =
    incident;
  return {
    ...{ id, namespace, flow, target, operation, sentence, reason },
    suspended: isSuspended,
    count: transactions.length,
    stuck,
    oldest: new Date(oldestMs).toISOString(),
    nextStep: nextStepFor(incident),
    selector: `--incident=${id}`,
    transactions: transactions.map(({ name }) => name),
  };
}

function tableOf(session: Session, incidents: readonly Incident[], wide: boolean): string {
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
    nextStepFor(incident),
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

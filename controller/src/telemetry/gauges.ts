/**
 * Gauges that are read off the controller's parts at each scrape, so that nothing has to be kept in step.
 */
import { Gauge, type Registry } from 'prom-client';
import type { BoundedLabel } from '../../../services/metrics/src/bounded-label.ts';
import { transactionFigures, type FiguresSources, type Tally } from './transaction-figures.ts';

export interface Sources extends Omit<FiguresSources, 'flowOf' | 'targetOf'> {
  readonly flowExists: (namespace: string, flow: string) => boolean;
  /** Namespaces that are to be watched and may not be read. */
  readonly forbiddenNamespaces: () => readonly string[];
  readonly informerAgesMs: () => Readonly<Record<string, number>>;
  readonly queue: () => { readonly depth: number; readonly delayed: number; readonly longestRunningMs: number };
  readonly callsUnderWay: () => number;
  readonly callsWaiting: () => number;
  readonly removalOverdueMs: () => number;
  /** The breaker's state by endpoint, of those that have failed. */
  readonly breakers: () => ReadonlyMap<string, 'open' | 'closed'>;
  /** Calls at once by endpoint, of those that are sent fewer than they may because some timed out. */
  readonly windows: () => ReadonlyMap<string, number>;
  /** What flows have put on hold. */
  readonly holds: () => Iterable<{ readonly flow: string; readonly target: string }>;
}

/** Labels whose values people choose. */
export interface Bounds {
  readonly flows: BoundedLabel;
  readonly targets: BoundedLabel;
}

/** Of transactions whose flow is not there: its name may be anything, and nothing else tells it apart. */
export const NO_SUCH_FLOW = '(missing)';
/** Endpoints are anything that flows name, and go on being listed after that: more than these would be of no use to anybody. */
const ENDPOINTS_MAX = 100;

type MakeGauge = (name: string, help: string, labelNames: readonly string[], collect: (gauge: Gauge) => void) => void;

export function registerGauges(registry: Registry, name: string, sources: Sources, bounds: Bounds): void {
  const gauge: MakeGauge = (metric, help, labelNames, collect) => {
    new Gauge({
      ...{ name: metric, help, labelNames, registers: [registry] },
      collect() {
        this.reset();
        collect(this);
      },
    });
  };
  ofQueue(gauge, name, sources);
  ofTransactions(gauge, sources, bounds);
  ofParticipants(gauge, sources, bounds);
  gauge(
    'ordertx_removal_overdue_seconds',
    'For how long the oldest ended transaction that is known might have been removed; 0 where none waits, or another replica removes.',
    [],
    (each) => each.set(sources.removalOverdueMs() / 1000),
  );
  gauge(
    'ordertx_namespace_forbidden',
    'Namespaces whose transactions this replica is to carry and may not read (1 each): it has no Role there, and carries none of them.',
    // Not `namespace`: a scrape gives that to every series, and means the process's own.
    ['watched'],
    (each) => {
      for (const watched of sources.forbiddenNamespaces()) each.set({ watched }, 1);
    },
  );
  gauge(
    'ordertx_informer_last_event_age_seconds',
    'How long ago the API server last told something, by kind: a deaf informer shows here.',
    ['kind'],
    (each) => {
      for (const [kind, ageMs] of Object.entries(sources.informerAgesMs())) each.set({ kind }, ageMs / 1000);
    },
  );
}

function ofQueue(gauge: MakeGauge, name: string, { queue }: Sources): void {
  gauge('workqueue_depth', 'Keys that wait for a worker.', ['name'], (each) => each.set({ name }, queue().depth));
  gauge(
    'workqueue_longest_running_processor_seconds',
    'How long the slowest running worker has been at its key.',
    ['name'],
    (each) => each.set({ name }, queue().longestRunningMs / 1000),
  );
}

function ofTransactions(gauge: MakeGauge, sources: Sources, { flows, targets }: Bounds): void {
  const figures = transactionFigures({
    ...sources,
    flowOf: ({ metadata, spec }) =>
      sources.flowExists(metadata.namespace ?? '', spec.flow) ? flows.of(spec.flow) : NO_SUCH_FLOW,
    targetOf: (target) => targets.of(target),
  });
  const tallied = (metric: string, help: string, second: string, tally: () => Tally): void =>
    gauge(metric, help, ['flow', second], (each) => {
      for (const [flow, value, number] of tally()) each.set({ flow, [second]: value }, number);
    });
  const ONCE = `Each is counted by the replica that works on it, so add replicas up. The flow is ${NO_SUCH_FLOW} where there is none of that name.`;
  tallied(
    'ordertx_transactions',
    `Transactions that still need work, by flow and phase; in a final phase those with best-effort messages to publish. What rests until it is removed is not counted. ${ONCE}`,
    'phase',
    () => figures().held,
  );
  tallied(
    'ordertx_transactions_failing',
    'Unfinished transactions that fail just now, by flow and the participant or message they fail on (status.waitingFor); none where the flow itself is missing. What is suspended or waits for the end of a hold does not fail.',
    'target',
    () => figures().failing,
  );
  tallied(
    'ordertx_transactions_stuck',
    'Unfinished transactions that a person should look at (condition Stuck), by flow and the participant or message they wait for; none where it is none of those.',
    'target',
    () => figures().stuck,
  );
  tallied(
    'ordertx_transactions_stuck_oldest_age_seconds',
    'Age of the oldest of them since its creation.',
    'target',
    () => figures().stuckOldestSeconds,
  );
}

function ofParticipants(gauge: MakeGauge, sources: Sources, { flows, targets }: Bounds): void {
  gauge('ordertx_participant_calls_under_way', 'Calls and publications begun and not ended.', [], (each) =>
    each.set(sources.callsUnderWay()),
  );
  gauge(
    'ordertx_participant_calls_waiting',
    'Of those, calls that wait to be sent, for a place at their endpoint (maxConcurrency), their turn at one that answers nobody, or a token: what is too slow for its load shows here.',
    [],
    (each) => each.set(sources.callsWaiting()),
  );
  gauge(
    'ordertx_participant_breaker_open',
    `Whether this replica asks an endpoint by turns, once a second, because it answers nobody: 1 or 0. Endpoints that have never failed are not listed, and of others ${ENDPOINTS_MAX}, the open ones first.`,
    ['endpoint'],
    (each) => {
      for (const [endpoint, state] of openFirst(sources.breakers())) each.set({ endpoint }, state === 'open' ? 1 : 0);
    },
  );
  gauge(
    'ordertx_participant_calls_limit',
    `How many calls this replica sends an endpoint at once, because it did not answer more in time. Endpoints that only maxConcurrency bounds are not listed, and of others ${ENDPOINTS_MAX}, the narrowest first.`,
    ['endpoint'],
    (each) => {
      const narrowest = [...sources.windows()].toSorted(([, one], [, other]) => one - other).slice(0, ENDPOINTS_MAX);
      for (const [endpoint, calls] of narrowest) each.set({ endpoint }, calls);
    },
  );
  gauge(
    'ordertx_flow_holds',
    'Participants and messages that are on hold (spec.hold), by flow and target: in how many namespaces.',
    ['flow', 'target'],
    (each) => {
      for (const { flow, target } of sources.holds()) each.inc({ flow: flows.of(flow), target: targets.of(target) });
    },
  );
}

function openFirst(
  breakers: ReadonlyMap<string, 'open' | 'closed'>,
): readonly (readonly [string, 'open' | 'closed'])[] {
  const all = [...breakers];
  if (all.length <= ENDPOINTS_MAX) return all;
  const isOpen = ([, state]: readonly [string, string]): boolean => state === 'open';
  return [...all.filter(isOpen), ...all.filter((each) => !isOpen(each))].slice(0, ENDPOINTS_MAX);
}

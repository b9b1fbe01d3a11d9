/**
 * What the controller measures. Names are controller-runtime's and client-go's where the meaning is the same; what is
 * ours begins with `ordertx_`. No label names a transaction: their number has no bound.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { brokerMetrics } from '../../../services/broker/src/metrics.ts';
import { processMetrics } from '../../../services/metrics/src/process-metrics.ts';
import { conditionIsTrue } from '../transaction/conditions.ts';
import { phaseOf } from '../transaction/phase.ts';

/** From one local call to a participant's longest usual time-out. */
const CALL_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From an unloaded transaction to one that waited for people. */
const TRANSACTION_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/** Read when Prometheus asks, so that nothing has to be kept in step. */
export interface Sources {
  readonly transactions: () => Iterable<OrderTransaction>;
  readonly informerAgesMs: () => Readonly<Record<string, number>>;
  readonly queue: () => { readonly depth: number; readonly delayed: number; readonly longestRunningMs: number };
  readonly callsUnderWay: () => number;
  readonly callsWaiting: () => number;
  readonly removalOverdueMs: () => number;
  /** The breaker's state by endpoint, of those that have failed. */
  readonly breakers: () => ReadonlyMap<string, 'open' | 'closed'>;
}

type MakeGauge = (
  metric: string,
  help: string,
  collect: (gauge: Gauge) => void,
  labelNames: readonly string[],
) => Gauge;

export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #common = { registers: [this.registry] };

  readonly reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconcile passes by how they ended.',
    labelNames: ['controller', 'result'],
    ...this.#common,
  });
  readonly reconcileSeconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Length of a reconcile pass; calls to participants are not part of one.',
    labelNames: ['controller'],
    buckets: CALL_BUCKETS_SECONDS,
    ...this.#common,
  });
  readonly apiRequests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by status code, method and host.',
    labelNames: ['code', 'method', 'host'],
    ...this.#common,
  });
  readonly clockSkewSeconds = new Gauge({
    name: 'ordertx_clock_skew_seconds',
    help: "How far this machine's clock is ahead of the API server's (behind: negative), give or take a second.",
    ...this.#common,
  });
  readonly leader = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this replica works on the shard that the Lease stands for: 1 or 0.',
    labelNames: ['name'],
    ...this.#common,
  });
  readonly countedDifferently = new Gauge({
    name: 'ordertx_replicas_counting_shards_differently',
    help: 'Live replicas with another ORDERTX_SHARDS: while there are any, transactions have more than one owner.',
    ...this.#common,
  });
  readonly queueAdds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys added to the queue.',
    labelNames: ['name'],
    ...this.#common,
  });
  readonly queueRetries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys added for later.',
    labelNames: ['name'],
    ...this.#common,
  });
  readonly queueWaitSeconds = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waits for its worker.',
    labelNames: ['name'],
    buckets: CALL_BUCKETS_SECONDS,
    ...this.#common,
  });
  readonly queueWorkSeconds = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long a worker takes for a key.',
    labelNames: ['name'],
    buckets: CALL_BUCKETS_SECONDS,
    ...this.#common,
  });
  readonly finished = new Counter({
    name: 'ordertx_transactions_finished_total',
    help: 'Transactions that this replica brought to their final phase.',
    labelNames: ['flow', 'phase'],
    ...this.#common,
  });
  readonly durationSeconds = new Histogram({
    name: 'ordertx_transaction_duration_seconds',
    help: 'From the creation of a transaction to its final phase.',
    labelNames: ['flow', 'phase'],
    buckets: TRANSACTION_BUCKETS_SECONDS,
    ...this.#common,
  });
  readonly statusWrites = new Counter({
    name: 'ordertx_status_writes_total',
    help: 'Status writes by why (decision, end, news) and how they ended.',
    labelNames: ['why', 'result'],
    ...this.#common,
  });
  readonly calls = new Counter({
    name: 'ordertx_participant_calls_total',
    help: 'Calls to participants by what their answer meant.',
    labelNames: ['participant', 'operation', 'outcome'],
    ...this.#common,
  });
  readonly callSeconds = new Histogram({
    name: 'ordertx_participant_call_seconds',
    help: "Length of a call, without waiting for a place at the participant's endpoint.",
    labelNames: ['participant', 'operation'],
    buckets: CALL_BUCKETS_SECONDS,
    ...this.#common,
  });
  readonly informerLists = new Counter({
    name: 'ordertx_informer_lists_total',
    help: 'Complete lists taken over by an informer, by kind: the first, and one more whenever its watch could not be continued.',
    labelNames: ['kind'],
    ...this.#common,
  });
  readonly removals = new Counter({
    name: 'ordertx_removals_total',
    help: 'Ended transactions taken up for removal, by result: removed, changed or unknown (looked at again), refused by the API server, unarchivable (refused by the archive for its content: it stays).',
    labelNames: ['result'],
    ...this.#common,
  });
  readonly removalFailing = new Gauge({
    name: 'ordertx_removal_failing',
    help: 'Whether ended transactions cannot be removed: 1 or 0. They stay until they can.',
    ...this.#common,
  });
  readonly archiveFailing = new Gauge({
    name: 'ordertx_archive_failing',
    help: 'Whether the archive does not take what is to be removed: 1 or 0. Nothing is lost: ended transactions stay until it does.',
    ...this.#common,
  });
  readonly eventsDropped = new Counter({
    name: 'ordertx_events_dropped_total',
    help: 'Kubernetes Events that were not recorded, by reason.',
    labelNames: ['reason'],
    ...this.#common,
  });
  readonly redisUp = new Gauge({
    name: 'ordertx_redis_up',
    help: 'Whether Redis answered the last ping: 1 or 0.',
    ...this.#common,
  });
  readonly broker = brokerMetrics(this.registry);

  constructor() {
    processMetrics(this.registry);
  }

  /** Gauges that are read off the parts at each scrape. */
  observe(name: string, sources: Sources): void {
    const { registry } = this;
    const gauge: MakeGauge = (metric, help, collect, labelNames) =>
      new Gauge({
        name: metric,
        help,
        labelNames,
        registers: [registry],
        collect() {
          this.reset();
          collect(this);
        },
      });
    gauge('workqueue_depth', 'Keys that wait for a worker.', (each) => each.set({ name }, sources.queue().depth), [
      'name',
    ]);
    gauge(
      'workqueue_longest_running_processor_seconds',
      'How long the slowest running worker has been at its key.',
      (each) => each.set({ name }, sources.queue().longestRunningMs / 1000),
      ['name'],
    );
    observeParticipants(gauge, sources);
    gauge(
      'ordertx_removal_overdue_seconds',
      'For how long the oldest ended transaction that is known might have been removed; 0 where none waits, or another replica removes.',
      (each) => each.set(sources.removalOverdueMs() / 1000),
      [],
    );
    gauge(
      'ordertx_informer_last_event_age_seconds',
      'How long ago the API server last told something, by kind: a deaf informer shows here.',
      (each) => {
        for (const [kind, ageMs] of Object.entries(sources.informerAgesMs())) each.set({ kind }, ageMs / 1000);
      },
      ['kind'],
    );
    gauge(
      'ordertx_transactions',
      'Transactions that still need work, by flow and phase; those that rest until they are removed are not counted.',
      (each) => {
        for (const [flow, phases] of byPhase(sources.transactions()))
          for (const [phase, count] of phases) each.set({ flow, phase }, count);
      },
      ['flow', 'phase'],
    );
    gauge(
      'ordertx_transactions_stuck',
      'Unfinished transactions that a person should look at, by flow.',
      (each) => {
        for (const [flow, count] of stuckBy(sources.transactions())) each.set({ flow }, count);
      },
      ['flow'],
    );
  }
}

// Counted in maps: a gauge's own `inc` takes ten times as long, and there may be 100,000 of them.

/** By flow, then phase. */
function byPhase(transactions: Iterable<OrderTransaction>): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const flows = new Map<string, Map<string, number>>();
  for (const transaction of transactions) {
    const phases = flows.get(transaction.spec.flow) ?? new Map<string, number>();
    flows.set(transaction.spec.flow, phases);
    const phase = phaseOf(transaction);
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
  }
  return flows;
}

/** By flow; 0 for a flow that has unfinished ones, none of them stuck. */
function stuckBy(transactions: Iterable<OrderTransaction>): ReadonlyMap<string, number> {
  const flows = new Map<string, number>();
  for (const { spec, status } of transactions) {
    if (status?.finishedAt !== undefined) continue;
    flows.set(spec.flow, (flows.get(spec.flow) ?? 0) + (conditionIsTrue(status, 'Stuck') ? 1 : 0));
  }
  return flows;
}

function observeParticipants(gauge: MakeGauge, sources: Sources): void {
  gauge(
    'ordertx_participant_calls_under_way',
    'Calls and publications begun and not ended.',
    (each) => each.set(sources.callsUnderWay()),
    [],
  );
  gauge(
    'ordertx_participant_calls_waiting',
    'Of those, calls that wait to be sent, for a place at their endpoint (maxConcurrency), their turn at one that answers nobody, or a token: what is too slow for its load shows here.',
    (each) => each.set(sources.callsWaiting()),
    [],
  );
  gauge(
    'ordertx_participant_breaker_open',
    'Whether this replica asks an endpoint by turns, once a second, because it answers nobody: 1 or 0. Endpoints that have never failed are not listed.',
    (each) => {
      for (const [endpoint, state] of sources.breakers()) each.set({ endpoint }, state === 'open' ? 1 : 0);
    },
    ['endpoint'],
  );
}

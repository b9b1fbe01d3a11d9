/**
 * What the controller measures. Names are controller-runtime's and client-go's where the meaning is the same; what is
 * ours begins with `ordertx_`. No label names a transaction: their number has no bound.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { brokerMetrics } from '../../../services/broker/src/metrics.ts';
import { BoundedLabel } from '../../../services/metrics/src/bounded-label.ts';
import { HistogramWithExemplars } from '../../../services/metrics/src/exemplars.ts';
import { processMetrics } from '../../../services/metrics/src/process-metrics.ts';
import { registerGauges, type Bounds, type Sources } from './gauges.ts';

/** From one local call to a participant's longest usual time-out. */
const CALL_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From an unloaded transaction to one that waited for as long as pay-order's tries may. */
const TRANSACTION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];

/** Status writes for one transaction: two where all is well. */
const WRITES_BUCKETS = [1, 2, 3, 4, 5, 8, 13, 21, 34, 100];
/** More than anybody has of either, and few enough that what is served stays small whatever people write. */
const FLOWS_MAX = 100;
const TARGETS_MAX = 100;

export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #common = { registers: [this.registry] };
  readonly bounds: Bounds = { flows: new BoundedLabel(FLOWS_MAX), targets: new BoundedLabel(TARGETS_MAX) };

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
    help: "How far this machine's clock is ahead of another's (behind: negative), by whose: api-server (give or take a second), archive.",
    labelNames: ['against'],
    ...this.#common,
  });
  readonly crdUnfit = new Gauge({
    name: 'ordertx_crd_unfit',
    help: 'Whether an installed CRD is older than this controller needs, or could not be read since it started: 1 or 0. Work does not begin before it is 0.',
    labelNames: ['crd'],
    ...this.#common,
  });
  readonly leader = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this replica works on the shard that the Lease stands for: 1 or 0.',
    labelNames: ['name'],
    ...this.#common,
  });
  readonly leaseTrouble = new Gauge({
    name: 'ordertx_lease_trouble',
    help: 'Whether this replica could not read or write a Lease at the last attempt: 1 or 0. Where no other holder is seen, it works on the shard all the same.',
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
  readonly decided = new Counter({
    name: 'ordertx_transactions_decided_total',
    help: 'Transactions that this replica decided, by flow, decision and its reason.',
    labelNames: ['flow', 'decision', 'reason'],
    ...this.#common,
  });
  readonly decisionSeconds = new HistogramWithExemplars(this.registry, {
    name: 'ordertx_transaction_decision_seconds',
    help: 'From the creation of a transaction to its decision; exemplars name the transaction and its trace. What was on hold or suspended meanwhile is not among them.',
    labelNames: ['flow', 'decision'],
    buckets: TRANSACTION_BUCKETS_SECONDS,
  });
  readonly durationSeconds = new HistogramWithExemplars(this.registry, {
    name: 'ordertx_transaction_duration_seconds',
    help: 'From the creation of a transaction to its final phase; exemplars name the transaction and its trace. What was on hold or suspended meanwhile is not among them.',
    labelNames: ['flow', 'phase'],
    buckets: TRANSACTION_BUCKETS_SECONDS,
  });
  readonly statusWritesEach = new Histogram({
    name: 'ordertx_transaction_status_writes',
    help: 'Status writes that this replica made, or tried to make, for a transaction until its end. Those of a replica that had it before are not among them.',
    labelNames: ['flow'],
    buckets: WRITES_BUCKETS,
    ...this.#common,
  });
  readonly givenUp = new Counter({
    name: 'ordertx_messages_given_up_total',
    help: 'Best-effort messages that were published maxAttempts times without a receipt, by name.',
    labelNames: ['message'],
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
    help: 'Whether the API server does not remove ended transactions: 1 or 0. They stay until it does.',
    ...this.#common,
  });
  readonly archiveFailing = new Gauge({
    name: 'ordertx_archive_failing',
    help: 'Whether the archive does not take what is to be removed: 1 or 0; absent where there is none. Nothing is lost: ended transactions stay until it does.',
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

  /** @param hasArchive whether what has ended is kept anywhere; a 0 without an archive would be read as one that is well */
  constructor({ hasArchive = true }: { readonly hasArchive?: boolean } = {}) {
    processMetrics(this.registry);
    if (!hasArchive) this.archiveFailing.remove();
  }

  /** Gauges that are read off the parts at each scrape. */
  observe(name: string, sources: Sources): void {
    registerGauges(this.registry, name, sources, this.bounds);
  }
}

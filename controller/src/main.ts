/**
 * The controller's process: the only place where its parts are built and put together.
 *
 * CRDs that fit first, then caches, then the work; on a signal the same backwards, so that a successor takes over at once.
 */
import '../../services/kit/src/begin.ts';
import { hostname } from 'node:os';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { NEEDED_SCHEMAS } from '../../crds/schema-revision.ts';
import manifest from '../../package.json' with { type: 'json' };
import { DROPPED } from '../../services/broker/src/receipts.ts';
import { createLog, endOnUncaught } from '../../services/kit/src/log.ts';
import { startIsOver } from '../../services/kit/src/early-signal.ts';
import { databaseUrlOf, redisUrlOf } from '../../services/kit/src/tls-settings.ts';
import { startTracing } from '../../services/tracing/src/start.ts';
import { transactionContext } from '../../services/tracing/src/transaction-trace.ts';
import { PostgresArchive } from './archive/postgres-archive.ts';
import { readConfigOrExit } from './config.ts';
import { loadKubeConfig, namespaceOf } from './kubernetes/credentials.ts';
import { ActEvents } from './kubernetes/act-events.ts';
import { ApiEvents } from './kubernetes/events.ts';
import { FlowFinalizer } from './kubernetes/flow-finalizer.ts';
import { FlowRemovalReport } from './kubernetes/flow-removal-report.ts';
import { InformedFlowStore } from './kubernetes/flow-store.ts';
import { Informers } from './kubernetes/informers.ts';
import { InstalledSchemas } from './kubernetes/installed-schemas.ts';
import { KeySet } from './kubernetes/jwks.ts';
import { ApiRestingTransactions } from './kubernetes/resting-transactions.ts';
import { ShardCensus } from './kubernetes/shard-census.ts';
import { ownsEverything, Shards } from './kubernetes/shards.ts';
import { FLOWS, keyOf, NEEDS_WORK_SELECTOR, TRANSACTIONS } from './kubernetes/stored-object.ts';
import { ServiceAccountTokens } from './kubernetes/tokens.ts';
import { ApiTransactionStore } from './kubernetes/transaction-store.ts';
import { HttpTransport } from './kubernetes/transport.ts';
import { RedisMessages } from './messages/redis-messages.ts';
import { parseAllowList } from './participants/allow-list.ts';
import { ParticipantCaller } from './participants/caller.ts';
import { PeoplesActs } from './reconcile/acts.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { Abandoned } from './removal/abandoned.ts';
import { REMOVAL, Remover } from './removal/remover.ts';
import { systemClock as clock } from './runtime/clock.ts';
import { RemoteClock, type DatedAnswer } from './runtime/remote-clock.ts';
import { Shutdown } from './runtime/shutdown.ts';
import { WorkQueue } from './runtime/work-queue.ts';
import { instrumentation } from './telemetry/instrumentation.ts';
import { ControllerMetrics } from './telemetry/metrics.ts';
import { startTelemetryServer } from './telemetry/server.ts';
import { isAboutHold } from './transaction/hold.ts';
import { needsWork } from './transaction/phase.ts';

const CONTROLLER = 'ordertransaction';
/** Passes wait only for status writes (docs/adr/0004), so this bounds how many of those are under way at once. */
const WORKERS_MAX = 64;
/** Below the pod's usual 30 s, so that the end is ours and not a kill. */
const SHUTDOWN_MS = 20_000;
/** For calls that are under way at a shutdown: most answer within it, the others are asked again by the successor. */
const CALLS_END_MS = 2_000;
/** The informer's loop itself hangs: an API server that is away does not count, and a restart would not bring it back. */
const INFORMER_STALLED_MS_MAX = 300_000;
/** A pass is some API requests of at most 10 s each. */
const PASS_MS_MAX = 120_000;
const REDIS_PING_EVERY_MS = 10_000;
const ARCHIVE_CLOCK_EVERY_MS = 10_000;

endOnUncaught('controller');
const config = readConfigOrExit();
const identity = config.replica ?? `controller-${hostname()}-${process.pid}`;
const log = createLog({ name: 'controller', level: config.logLevel });
const tracing = await startTracing(config, {
  ...{ service: 'ordertx-controller', version: manifest.version, instance: identity, log },
});
const metrics = new ControllerMetrics({ hasArchive: config.archiveDatabaseUrl !== undefined });
const observe = instrumentation({
  ...{ metrics, log, clock },
  controller: CONTROLLER,
  traceIdOf: (transaction) => transactionContext(transaction.metadata).traceId,
});
const shutdown = new Shutdown({
  clock,
  deadlineMs: SHUTDOWN_MS,
  exit: (code) => process.exit(code),
  onStep: (step, outcome, error) => log.info({ step, outcome, err: error }, 'stopping'),
});
shutdown.listen(process);
startIsOver();

const kubeConfig = loadKubeConfig(config.kubeconfig);
const namespaces = config.namespaces ?? [namespaceOf(kubeConfig)];
const userAgent = `ordertx-controller/${manifest.version}`;
/** What is stored is dated by the API server, so deadlines and times in the status go by its clock and not by ours. */
const apiClock = new RemoteClock(clock);
const onDated = (answer: DatedAnswer): void => {
  apiClock.heard(answer);
  observe.skew(apiClock.skewMs());
};
const transport = new HttpTransport({ kubeConfig, userAgent, onAnswer: observe.apiAnswer, onDated });

const schemas = new InstalledSchemas({
  ...{ transport, clock, log, needed: NEEDED_SCHEMAS, version: manifest.version },
  onLook: (crd, fits) => metrics.crdUnfit.set({ crd }, fits ? 0 : 1),
});

/** Those that rest are nobody's work, and many more. */
const transactions = new Informers<OrderTransaction>(TRANSACTIONS, namespaces, {
  ...{ transport, clock, log },
  fieldSelector: NEEDS_WORK_SELECTOR,
});
const flowInformers = new Informers<TransactionFlow>(FLOWS, namespaces, { transport, clock, log });
const store = new ApiTransactionStore({ transport, informers: transactions, clock });
const flows = new InformedFlowStore({ transport, informers: flowInformers, clock });

const allowed = parseAllowList(config.allowEndpoints);
if (allowed.kind === 'invalid') throw new Error(allowed.problems.join('; '));
const caller = new ParticipantCaller({
  allowed: allowed.allowed,
  clock,
  onCall: observe.call,
  onBreaker: (endpoint, state) => {
    if (state === 'open')
      log.warn({ endpoint }, 'a participant answers nobody: it is asked again once a second, by turns');
    else {
      log.info({ endpoint }, 'a participant answers again: all that wait for it go on');
      reconciler.revived();
    }
  },
  ...(config.serviceAccount !== undefined && config.auth === 'on'
    ? { tokens: new ServiceAccountTokens(transport, config.serviceAccount, clock) }
    : {}),
});
const { broker } = metrics;
const messages = new RedisMessages({
  redisUrl: redisUrlOf(config),
  replica: identity,
  clock,
  metrics: broker,
  onReceipt: (key, message, outcome) => reconciler.receipt(key, message, outcome),
  onTrouble: (doing, error) => {
    broker.trouble(doing, error !== undefined);
    if (error === undefined) {
      log.info({ doing }, 'Redis works again');
      // Nothing has waited for it by the clock: the queue's workers take them one after the other.
      if (doing === 'publish') lookAgain(({ status }) => status?.decision !== undefined);
    } else log.warn({ doing, err: error }, 'Redis does not work: messages wait in their transactions until it does');
  },
  onDropped: (why, tell) => {
    if (tell) log.warn({ why }, DROPPED);
  },
});

let isForbiddenTold = false;
const telling = {
  ...{ transport, clock, identity },
  onDropped: (reason: string) => metrics.eventsDropped.inc({ reason }),
  onForbidden: (sentence: string) => {
    if (!isForbiddenTold) log.warn({ sentence }, 'Events are dropped: this account lacks the right to write them');
    isForbiddenTold = true;
  },
};
const events = new ApiEvents(telling);
const actEvents = new ActEvents(telling);
const finalizer = new FlowFinalizer({ transport, flows: flowInformers, transactions, clock, log });
const leases = {
  ...{ transport, clock, log, namespace: namespaceOf(kubeConfig) },
  ...{ prefix: config.leasePrefix, shards: config.shards },
};
const shards =
  config.leaderElection === 'off'
    ? undefined
    : new Shards({
        ...leases,
        identity,
        onHolding: (name, holding) => metrics.leader.set({ name }, holding ? 1 : 0),
        onTrouble: (name, isIll) => metrics.leaseTrouble.set({ name }, isIll ? 1 : 0),
      });
const census =
  shards && new ShardCensus({ ...leases, onCount: (replicas) => metrics.countedDifferently.set(replicas) });

const archive =
  config.archiveDatabaseUrl === undefined
    ? undefined
    : new PostgresArchive({
        connectionString: databaseUrlOf(config.archiveDatabaseUrl, config.archiveDatabaseCaFile),
        ...{ retentionDays: config.archiveRetentionDays, log },
      });
const remover = new Remover({
  resting: new ApiRestingTransactions(transport, namespaces),
  ...(archive && { archive }),
  isOurs: () => shards?.ownsKey(REMOVAL) ?? true,
  perSecond: config.removalsPerSecond,
  ...{ clock, apiClock, log },
  onRemoved: (result, transactions) => metrics.removals.inc({ result }, transactions),
  onTrouble: (trouble) => {
    metrics.removalFailing.set(trouble?.of === 'api' ? 1 : 0);
    if (archive !== undefined) metrics.archiveFailing.set(trouble?.of === 'archive' ? 1 : 0);
  },
  report: new FlowRemovalReport({ transport, flows: flowInformers, apiClock, log }),
  onUnarchivable: (transaction, reason) => events.warn(transaction, 'Unarchivable', reason),
});

const stopping = new AbortController();
const queue = new WorkQueue({
  name: CONTROLLER,
  workersMax: WORKERS_MAX,
  handle: (key) => observe.pass(() => reconciler.reconcile(key)),
  clock,
  begin: setImmediate,
  onPanic: (key, error) => log.error({ transaction: key, err: error }, 'a pass threw: this is a bug'),
  metrics: observe.queue,
});
const reconciler = new Reconciler({
  transactions: store,
  flows,
  participants: caller,
  messages,
  events,
  ownership: shards ?? ownsEverything,
  schedule: {
    soon: (key) => queue.add(key),
    inTurn: (key) => queue.add(key, 'routine'),
    after: (key, delayMs) => queue.addAfter(key, delayMs),
    forget: (key) => queue.forget(key),
  },
  observer: observe.observer,
  clock: apiClock,
  random: Math.random,
  stopping: stopping.signal,
});

const abandoned =
  archive &&
  new Abandoned({
    ...{ archive, clock, apiClock, log },
    isThere: async (transaction) => {
      const found = await store.read(keyOf(transaction));
      return found.kind === 'unknown'
        ? found.kind
        : found.kind === 'found' && found.transaction.metadata.uid === transaction.metadata.uid;
    },
  });
const acts = new PeoplesActs({
  ownership: shards ?? ownsEverything,
  tell: (transaction, act) => actEvents.tell(transaction, act),
  gone: (transaction) => abandoned?.gone(transaction),
});
transactions.onChange((key, transaction) => acts.heard(key, transaction));
/** Of what was heard while another owned it. */
shards?.onChange((concerns) => {
  for (const transaction of transactions.list()) {
    if (concerns(transaction)) acts.heard(keyOf(transaction), transaction);
  }
});

/** Looks at every transaction that still needs work and that this `concerns`. */
function lookAgain(concerns: (transaction: OrderTransaction) => boolean): void {
  for (const transaction of transactions.list()) {
    if (needsWork(transaction.status) && concerns(transaction)) reconciler.wake(keyOf(transaction), transaction);
  }
}
/** Why the controller cannot work with what it should know; nothing where it knows all that it may. */
function unread(what: string, informers: Informers<OrderTransaction> | Informers<TransactionFlow>): readonly string[] {
  if (informers.usable) return [];
  const { forbidden, namespaces } = informers;
  return forbidden.length === namespaces.length
    ? [`${what} may not be read in any namespace (${namespaces.join(', ')}): this account needs a Role there`]
    : [`the cache of ${what} is not filled yet`];
}
store.onNews((key) => reconciler.heard(key));
flows.onChange((namespace, name) =>
  lookAgain(({ metadata, spec }) => metadata.namespace === namespace && spec.flow === name),
);
shards?.onChange(lookAgain);
transactions.onList((_informer, listNumber, namespace) => {
  metrics.informerLists.inc({ kind: 'OrderTransaction' });
  if (listNumber > 1) reconciler.beginAnew(namespace);
});
flowInformers.onList(() => metrics.informerLists.inc({ kind: 'TransactionFlow' }));

metrics.observe(CONTROLLER, {
  transactions: () => transactions.list(),
  owns: (transaction) => (shards ?? ownsEverything).owns(transaction),
  flowExists: (namespace, name) => flows.get(namespace, name) !== undefined,
  isOnHold: ({ status }) => isAboutHold(status?.message),
  nowMs: () => apiClock.now(),
  monotonicMs: () => clock.monotonicMs(),
  *holds() {
    for (const { metadata, spec } of flowInformers.list())
      for (const target of Object.keys(spec.hold ?? {})) yield { flow: metadata.name, target };
  },
  forbiddenNamespaces: () => [...new Set([...transactions.forbidden, ...flowInformers.forbidden])],
  informerAgesMs: () => ({
    OrderTransaction: transactions.lastEventAgeMs(),
    TransactionFlow: flowInformers.lastEventAgeMs(),
  }),
  queue: () => ({ depth: queue.depth, delayed: queue.delayed, longestRunningMs: queue.longestRunningMs() }),
  callsUnderWay: () => reconciler.underWay,
  callsWaiting: () => reconciler.waiting,
  removalOverdueMs: () => remover.overdueMs(),
  breakers: () => caller.breakers(),
  windows: () => caller.windows(),
});
const keySet = new KeySet(transport, clock);
const server = await startTelemetryServer({
  port: config.port,
  host: config.host,
  registry: metrics.registry,
  jwks: () => keySet.read(),
  about: { version: manifest.version, replica: identity },
  look: (namespace, name) => reconciler.look(`${namespace}/${name}`),
  ready: () => {
    const awaited = schemas.waitsFor();
    return awaited.length > 0 ? awaited : [...unread('transactions', transactions), ...unread('flows', flowInformers)];
  },
  live: () => [
    ...(transactions.stalledMs() > INFORMER_STALLED_MS_MAX ? ['the watch of transactions hangs'] : []),
    ...(flowInformers.stalledMs() > INFORMER_STALLED_MS_MAX ? ['the watch of flows hangs'] : []),
    ...(queue.longestRunningMs() > PASS_MS_MAX ? ['a pass hangs'] : []),
  ],
});

shutdown.onStop('schemas', () => schemas.stop());
shutdown.onStop('queue', (leftMs) => queue.drain(leftMs));
shutdown.onStop('calls', async () => {
  const timer = setTimeout(() => stopping.abort(), CALLS_END_MS);
  await reconciler.idle();
  clearTimeout(timer);
  stopping.abort();
});
shutdown.onStop('leases', () => Promise.all([shards?.stop(), census?.stop()]));
// What was begun may hang for seconds, and two who remove at once are harmless: nobody's orders wait for it.
shutdown.onStop('removal', () => Promise.all([remover.stop(), abandoned?.stop()]));
shutdown.onStop('archive', () => archive?.close());
shutdown.onStop('finalizer', (leftMs) => finalizer.stop(leftMs));
shutdown.onStop('events', () => {
  events.stop();
  actEvents.stop();
});
shutdown.onStop('informers', () => Promise.all([transactions.stop(), flowInformers.stop()]));
shutdown.onStop('messages', () => messages.close());
shutdown.onStop('participants', () => caller.close());
shutdown.onStop('server', () => server.close());
shutdown.onStop('api', () => transport.close());
shutdown.onStop('traces', () => tracing.close());

schemas.start();
await schemas.whenFit();
messages.start();
const pingRedis = async (): Promise<void> => metrics.redisUp.set((await messages.ping()) ? 1 : 0);
setInterval(() => void pingRedis(), REDIS_PING_EVERY_MS).unref();
if (archive !== undefined)
  setInterval(() => void observe.archiveSkew(archive.clockSkewSeconds()), ARCHIVE_CLOCK_EVERY_MS).unref();
transactions.start();
flowInformers.start();
await Promise.all([transactions.whenKnown(), flowInformers.whenKnown(), pingRedis()]);
finalizer.start();
shards?.start();
census?.start();
queue.start();
remover.start();
log.info({ namespaces, replica: identity, leaderElection: config.leaderElection }, 'the controller is working');

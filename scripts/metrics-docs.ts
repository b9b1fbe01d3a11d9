/**
 * docs/reference/metrics.md: every metric of every process, as the code that serves it registers it.
 *
 * Each section below is registered by the same functions as in the process, on parts that are never asked for anything.
 * tests/e2e/metrics.real.test.ts holds what running processes serve to the sections that name them, in both directions.
 */
import { Pool } from 'pg';
import { Registry } from 'prom-client';
import { ControllerMetrics } from '../controller/src/telemetry/metrics.ts';
import { brokerMetrics } from '../services/broker/src/metrics.ts';
import { createApp, createLog } from '../services/kit/src/index.ts';
import { registerClockSkew } from '../services/kit/src/http/metrics.ts';
import { consumerMetrics, outboxMetrics } from '../services/kit/src/messages/metrics.ts';
import { fenceGauges, fenceMetrics } from '../services/kit/src/participant/metrics.ts';
import { processMetrics } from '../services/metrics/src/process-metrics.ts';
import { shedCounter } from '../services/order/src/creation/backlog.ts';
import { registerClosesGauge } from '../services/order/src/closing.ts';
import { againMetrics, registerOutboxGauges, relayMetrics } from '../services/order/src/creation/metrics.ts';
import { registerRefundGauges } from '../services/payment/src/refunds/relay.ts';

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

interface Section {
  readonly title: string;
  /** Processes, as `service` names them. */
  readonly servedBy: readonly string[];
  readonly note?: string;
  /** What this machine may lack, because it is read from /proc. */
  readonly onLinux?: readonly Described[];
  readonly registry: () => Registry;
}

const log = createLog({ name: 'docs', level: 'silent' });
/** Connects to nothing before it is asked. */
const pool = new Pool();
function registered(register: (registry: Registry) => unknown): Registry {
  const registry = new Registry();
  register(registry);
  return registry;
}

const unasked = { count: () => Promise.reject(new Error('nothing is counted here')) };

const SERVICES = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'];
const SENDERS = ['payment', 'wms'];
const CONSUMERS = SERVICES.filter((service) => service !== 'inventory');

const SECTIONS: readonly Section[] = [
  {
    title: 'Every process',
    servedBy: ['controller', ...SERVICES],
    note: 'Of the Node process, by the names of prom-client.',
    onLinux: [
      { name: 'process_heap_bytes', type: 'gauge', help: 'Process heap size in bytes.' },
      { name: 'process_max_fds', type: 'gauge', help: 'Maximum number of open file descriptors.' },
      { name: 'process_open_fds', type: 'gauge', help: 'Number of open file descriptors.' },
      { name: 'process_virtual_memory_bytes', type: 'gauge', help: 'Virtual memory size in bytes.' },
    ],
    registry: () => registered(processMetrics),
  },
  {
    title: 'On the message streams',
    servedBy: ['controller', ...CONSUMERS],
    registry: () => registered(brokerMetrics),
  },
  {
    title: 'Controller',
    servedBy: ['controller'],
    registry() {
      const metrics = new ControllerMetrics();
      metrics.observe('', {
        transactions: () => [],
        owns: () => true,
        flowExists: () => true,
        isOnHold: () => false,
        holds: () => [],
        nowMs: () => 0,
        monotonicMs: () => 0,
        forbiddenNamespaces: () => [],
        informerAgesMs: () => ({}),
        queue: () => ({ depth: 0, delayed: 0, longestRunningMs: 0 }),
        callsUnderWay: () => 0,
        callsWaiting: () => 0,
        removalOverdueMs: () => 0,
        breakers: () => new Map(),
        windows: () => new Map(),
      });
      return metrics.registry;
    },
  },
  {
    title: 'Every service',
    servedBy: SERVICES,
    note: 'Each sample carries the label `service`.',
    registry() {
      const { metrics } = createApp({ name: 'docs', version: '0', log, pool });
      registerClockSkew(metrics, pool, log);
      return metrics;
    },
  },
  {
    title: 'Services that take part in transactions',
    servedBy: ['order', 'inventory'],
    registry: () =>
      registered((registry) => {
        fenceMetrics(registry);
        fenceGauges(registry, pool, log);
      }),
  },
  {
    title: 'Services that hear messages',
    servedBy: CONSUMERS,
    registry: () =>
      registered((registry) => consumerMetrics({ ...{ registry, stream: '', pool, log }, backlog: unasked.count })),
  },
  {
    title: 'Services that send messages',
    servedBy: SENDERS,
    registry: () => registered((registry) => outboxMetrics(registry, () => unasked.count(), log)),
  },
  {
    title: 'Order service',
    servedBy: ['order'],
    registry: () =>
      registered((registry) => {
        relayMetrics(registry);
        againMetrics(registry, unasked, log);
        registerOutboxGauges(registry, unasked, log);
        registerClosesGauge(registry, pool, log);
        shedCounter(registry);
      }),
  },
  {
    title: 'Payment service',
    servedBy: ['payment'],
    registry: () => registered((metrics) => registerRefundGauges({ pool, metrics, log })),
  },
];

/** By metric, the processes of which a section has told it. */
type Told = Map<string, readonly string[]>;

/** Of a section, without what those before it have told of the same processes. */
function describedIn({ registry, servedBy, onLinux = [] }: Section, told: Told): readonly Described[] {
  const here = registry().getMetricsAsArray() as unknown as readonly Described[];
  const all = [...here, ...onLinux.filter(({ name }) => !here.some((metric) => metric.name === name))];
  const own = all.filter(({ name }) => servedBy.some((process) => !told.get(name)?.includes(process)));
  for (const { name } of own) told.set(name, [...(told.get(name) ?? []), ...servedBy]);
  return own.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

function rendered(section: Section, told: Told): string {
  const rows = describedIn(section, told).map(
    ({ name, type, labelNames = [], help }) => `| \`${name}\` | ${type} | ${code(labelNames)} | ${help} |`,
  );
  return `## ${section.title}

Served by: ${code(section.servedBy)}.${section.note === undefined ? '' : ` ${section.note}`}

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

export function renderMetrics(): string {
  const told: Told = new Map();
  return `<!-- Generated from the code that serves them by \`npm run generate\`; do not edit. -->

# Metrics

Every process serves \`/metrics\`: the controller on its own port, a service on its admin port and, where it is set, on \`METRICS_PORT\`,
which has nothing else. The format is Prometheus's text, or OpenMetrics for whom the Accept header says so (Prometheus does); exemplars are in
OpenMetrics alone.

- No label names a transaction or an order. Labels whose values people choose (flows, participants, streams) show the first hundred as they are and
  the others together as \`(others)\`.
- What is read off a database, or off the API server's watch, is the same in every replica of a process: take the \`max\`. What is
  counted, and what the controller says of transactions, is each replica's own: take the \`sum\`.

${SECTIONS.map((section) => rendered(section, told)).join('\n')}`;
}

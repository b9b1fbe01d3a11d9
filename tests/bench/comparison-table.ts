/**
 * A comparison as the Markdown that docs/BENCHMARKS.md shows.
 */
import { sumOf, type ChainComparison, type Comparison, type Side } from './comparison.ts';
import { CUSTOMERS } from './cpu-time.ts';
import type { Spread } from './spread.ts';

const range = ({ median, min, max }: Spread, digits = 2) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function comparisonTable(
  other: string,
  ours: string,
  orders: readonly Comparison[],
  chain: ChainComparison,
): string {
  const tables = orders.map((each) => `${ordersTable(other, ours, each)}\n\n${cpuTable(other, ours, each)}`);
  return [...tables, chainTable(other, ours, chain)].join('\n\n');
}

function ordersTable(other: string, ours: string, comparison: Comparison): string {
  const { concurrency, ratios, shareOfCeiling } = comparison;
  const both = (figure: (side: Side) => string) => [figure(comparison.other), figure(comparison.ours)];
  const cpu = (side: Side, ...parts: readonly string[]) =>
    (sumOf(side.system.cpuMs, parts) + sumOf(side.removalCpuMs, parts)).toFixed(1);
  return markdown(
    [`${concurrency} lanes`, other, ours, 'ratio, median (range)'],
    [
      ['CPU of all parts for an order, ms', ...both((side) => cpu(side)), range(ratios.cpu)],
      [
        'of it API server and etcd, ms',
        ...both((side) => cpu(side, 'apiserver', 'etcd')),
        range(ratios.apiServerAndEtcd),
      ],
      ['orders a second', ...both((side) => range(side.system.perSecond, 1)), range(ratios.ordersPerSecond)],
      ['raw ones (create and 2 status writes) a second', ...both((side) => range(side.apiServer.perSecond, 1)), ''],
      ['share of the raw ceiling', range(shareOfCeiling.other), range(shareOfCeiling.ours), ''],
      ['p50 of POST /orders to 201, ms', ...both((side) => side.system.p50Ms.toFixed(1)), range(ratios.p50)],
      ['p99, ms', ...both((side) => side.system.p99Ms.toFixed(1)), ''],
      ['p50 in raw writes (p50)', ...both((side) => (side.system.p50Ms / side.oneWriteP50Ms).toFixed(1)), ''],
    ],
  );
}

function cpuTable(other: string, ours: string, comparison: Comparison): string {
  const row = (name: string, cpuMs: Readonly<Record<string, number>>) => [
    name,
    sumOf(cpuMs).toFixed(1),
    ...PARTS.map((part) => (cpuMs[part] ?? 0).toFixed(1)),
  ];
  const side = (name: string, { system, removalCpuMs, apiServer }: Side) => [
    row(name, system.cpuMs),
    row(`${name}: removal`, removalCpuMs),
    row(`${name}: raw writes`, apiServer.cpuMs),
  ];
  return markdown(
    [`CPU for an order at ${comparison.concurrency} lanes, ms`, 'all', ...PARTS],
    [...side(other, comparison.other), ...side(ours, comparison.ours)],
  );
}

const PARTS = [
  ...['apiserver', 'etcd', 'postgres', 'redis', 'controller', 'order', 'inventory'],
  ...['dispatch', 'wms', 'payment', 'member', 'notification', CUSTOMERS],
];

function chainTable(other: string, ours: string, chain: ChainComparison): string {
  const both = (figure: (side: ChainComparison['ours']) => number) =>
    [chain.other, chain.ours].map((side) => figure(side).toFixed(1));
  return markdown(
    ['one whole chain at a time, order to points granted', other, ours],
    [
      ['p50, ms', ...both(({ p50Ms }) => p50Ms)],
      ['p99, ms', ...both(({ p99Ms }) => p99Ms)],
      ['CPU of all parts, ms', ...both(({ cpuMs }) => sumOf(cpuMs))],
      ['of it API server and etcd, ms', ...both(({ cpuMs }) => sumOf(cpuMs, ['apiserver', 'etcd']))],
    ],
  );
}

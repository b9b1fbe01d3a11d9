/**
 * This tree beside another version of it: `npm run bench -- --against f1d7ed7 [--seconds 8 --rounds 3 --concurrency 1,50 --gogc 400]`
 *
 * 1. Both systems are up at the same time, on the same machine, and are loaded by turns, round by round; who begins alternates. What an
 *    idle one costs the other is the same for both.
 * 2. A figure is the ratio of two neighbouring rounds, so that a minute in which the machine was slow counts for both; the median of the
 *    ratios and their range are printed.
 * 3. An order counts when the controller has stored its transaction's end, with its reliable messages delivered.
 * 4. Removal is part of an order's CPU where the version removes what has ended: after each round it is waited for, and what the API
 *    server, etcd and the controller spent in that time, beyond what they spend when idle right after it, counts too; nobody else has
 *    a hand in it. Its flows keep nothing longer than they must.
 * 5. CPU is that of all processes of the system, the customers' left out.
 */
import { waitFor } from '../../local/deadline.ts';
import { progress } from '../../local/progress.ts';
import { openWriter, record, removeAll, type Writer } from './api-server-writes.ts';
import { percentile, type LoopLimits } from './closed-loop.ts';
import { cpuPerTransaction, cpuTimes, CUSTOMERS, type CpuTimes } from './cpu-time.ts';
import { openCustomers, type Customers } from './orders.ts';
import { Series, type Measured, type Round } from './series.ts';
import { spread, type Spread } from './spread.ts';
import type { System } from './system.ts';
import type { RunningTree } from './tree.ts';

const FLOWS = '/apis/ordertx.dev/v1alpha1/namespaces/default/transactionflows';
const TRANSACTIONS = '/apis/ordertx.dev/v1alpha1/namespaces/default/ordertransactions';
/** Long enough for what is called often to have been compiled: in its first thousand orders a system takes half as much CPU again. */
const WARM_UP: LoopLimits = { lanes: 50, milliseconds: 30_000, roundsMax: 2_500 };
const TRANSACTIONS_MAX = 5_000;
const IDLE_SECONDS = 15;
const REMOVING = ['apiserver', 'etcd', 'controller'] as const;
/** The minute it ends in, the two the remover lets pass at most, and time to do it. */
const REMOVED_MS = 240_000;
const LOOK_EVERY_MS = 2_000;
const CHAINS = 10;

export interface ComparisonSettings {
  readonly seconds: number;
  readonly rounds: number;
  readonly concurrencies: readonly number[];
}

/** One version, and what is known of it. */
interface Contender {
  readonly tree: RunningTree;
  readonly customers: Customers;
  readonly writer: Writer;
  readonly removes: boolean;
}

export interface Side {
  readonly system: Measured;
  readonly apiServer: Measured;
  readonly oneWriteP50Ms: number;
  /** Milliseconds for each transaction, after its end; the median of the rounds. */
  readonly removalCpuMs: CpuTimes;
}

export interface Comparison {
  readonly concurrency: number;
  readonly other: Side;
  readonly ours: Side;
  /** Ours by the other's, of each pair of rounds. */
  readonly ratios: Readonly<Record<'cpu' | 'apiServerAndEtcd' | 'ordersPerSecond' | 'p50', Spread>>;
  /** Orders a second by raw ones, of each round. */
  readonly shareOfCeiling: { readonly other: Spread; readonly ours: Spread };
}

export interface ChainComparison {
  readonly other: Measured;
  readonly ours: Measured;
}

class Measurements {
  readonly system = new Series();
  readonly apiServer = new Series();
  readonly writesMs: number[] = [];
  readonly removals: CpuTimes[] = [];

  side(): Side {
    return {
      system: this.system.figures(),
      apiServer: this.apiServer.figures(),
      oneWriteP50Ms: percentile(this.writesMs, 0.5),
      removalCpuMs: medians(this.removals),
    };
  }

  /** Of one round, the removal included: by all parts, or by those named. */
  cpuMs(round: number, ...parts: readonly string[]): number {
    const { cpuMs } = this.system.rounds[round] as Round;
    return sumOf(cpuMs, parts) + sumOf(this.removals[round] ?? {}, parts);
  }
}

export function sumOf(cpuMs: CpuTimes, parts: readonly string[] = []): number {
  return Object.entries(cpuMs)
    .filter(([part]) => (parts.length === 0 ? part !== CUSTOMERS : parts.includes(part)))
    .reduce((sum, [, ms]) => sum + ms, 0);
}

function medians(all: readonly CpuTimes[]): CpuTimes {
  const parts = new Set(all.flatMap((each) => Object.keys(each)));
  return Object.fromEntries(
    [...parts].map((part) => [
      part,
      percentile(
        all.map((each) => each[part] ?? 0),
        0.5,
      ),
    ]),
  );
}

/** `other` and `ours`, measured by turns. */
export async function compare(
  other: RunningTree,
  ours: RunningTree,
  settings: ComparisonSettings,
): Promise<{ readonly orders: readonly Comparison[]; readonly chain: ChainComparison }> {
  const contenders: Contender[] = [];
  try {
    for (const tree of [other, ours]) {
      contenders.push(await progress(`warming up ${tree.name}`, () => prepare(tree)));
    }
    const [theirs, own] = contenders as [Contender, Contender];
    const orders: Comparison[] = [];
    for (const concurrency of settings.concurrencies) {
      orders.push(await compareOrders([theirs, own], concurrency, settings));
    }
    return { orders, chain: await compareChains([theirs, own], settings) };
  } finally {
    for (const { customers, writer } of contenders) {
      await customers.close();
      await writer.close();
    }
  }
}

async function prepare(tree: RunningTree): Promise<Contender> {
  for (const flow of ['create-order', 'pay-order', 'close-order']) {
    const path = `${FLOWS}/${flow}`;
    const { status } = await tree.cluster.admin.request('PATCH', path, { spec: { ttlSecondsAfterFinished: 0 } });
    if (status !== 200) throw new Error(`changing the flow ${flow} of ${tree.name} was answered ${status}`);
  }
  const customers = await openCustomers(tree);
  const recording = await record(tree, () => customers.order());
  if (recording.statuses.length !== 2) {
    throw new Error(`an unloaded transaction of ${tree.name} took ${recording.statuses.length} status writes, not 2`);
  }
  const writer = await openWriter(tree, recording);
  const before = await customers.endedSoFar();
  await new Series().run(
    tree,
    WARM_UP,
    () => customers.order(),
    (count) => customers.ended(before + count),
  );
  await new Series().run(tree, WARM_UP, () => writer.transaction(true));
  for (let chain = 0; chain < CHAINS; chain += 1) await customers.chain();
  await removeAll(tree);
  const [controller] = tree.description().controllers;
  const metrics = controller === undefined ? '' : await (await fetch(`${controller.url}/metrics`)).text();
  return { tree, customers, writer, removes: metrics.includes('ordertx_removals_total') };
}

/** Milliseconds of CPU in a second in which nobody asks for anything but what whoever waits for the removal asks. */
async function idleCpu(system: System): Promise<CpuTimes> {
  const before = cpuTimes(system.description());
  const begunMs = performance.now();
  const overMs = begunMs + IDLE_SECONDS * 1_000;
  await waitFor(async () => (await storedCount(system)) >= 0 && performance.now() >= overMs, {
    ...{ what: 'an idle while', deadlineMs: 2 * IDLE_SECONDS * 1_000, everyMs: LOOK_EVERY_MS },
  });
  return cpuPerTransaction(before, cpuTimes(system.description()), (performance.now() - begunMs) / 1_000);
}

async function storedCount({ cluster }: System): Promise<number> {
  const { body } = await cluster.admin.request('GET', `${TRANSACTIONS}?limit=1`);
  return (body as { readonly items: readonly unknown[] }).items.length;
}

async function compareOrders(
  contenders: readonly [Contender, Contender],
  concurrency: number,
  { seconds, rounds }: ComparisonSettings,
): Promise<Comparison> {
  const limits: LoopLimits = { lanes: concurrency, milliseconds: seconds * 1_000, roundsMax: TRANSACTIONS_MAX };
  const measured = [new Measurements(), new Measurements()] as const;
  for (let round = 0; round < rounds; round += 1) {
    for (const turn of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const contender = contenders[turn];
      await progress(`${concurrency} concurrent, round ${round + 1} of ${rounds}, ${contender.tree.name}`, () =>
        measureRound(contender, limits, measured[turn]),
      );
    }
  }
  const [other, ours] = measured;
  const paired = (figure: (measurements: Measurements, round: number) => number) =>
    spread(Array.from({ length: rounds }, (_, round) => figure(ours, round) / figure(other, round)));
  const perSecond = (series: Series, round: number) => (series.rounds[round] as Round).perSecond;
  const share = (side: Measurements) =>
    spread(
      Array.from({ length: rounds }, (_, round) => perSecond(side.system, round) / perSecond(side.apiServer, round)),
    );
  return {
    concurrency,
    other: other.side(),
    ours: ours.side(),
    ratios: {
      cpu: paired((side, round) => side.cpuMs(round)),
      apiServerAndEtcd: paired((side, round) => side.cpuMs(round, 'apiserver', 'etcd')),
      ordersPerSecond: paired(({ system }, round) => perSecond(system, round)),
      p50: paired(({ system }, round) => (system.rounds[round] as Round).p50Ms),
    },
    shareOfCeiling: { other: share(other), ours: share(ours) },
  };
}

async function measureRound(contender: Contender, limits: LoopLimits, into: Measurements): Promise<void> {
  const { tree, customers, writer } = contender;
  const endedBefore = await customers.endedSoFar();
  const { transactions } = await into.system.run(
    tree,
    limits,
    () => customers.order(),
    (count) => customers.ended(endedBefore + count),
  );
  if (contender.removes) into.removals.push(await removalCpu(contender.tree, transactions));
  await removeAll(tree);
  await into.apiServer.run(tree, limits, async () => into.writesMs.push(...(await writer.transaction(false))));
  await removeAll(tree);
}

/** For each of the transactions that have just ended. */
async function removalCpu(tree: RunningTree, transactions: number): Promise<CpuTimes> {
  const before = cpuTimes(tree.description());
  const begunMs = performance.now();
  await waitFor(async () => (await storedCount(tree)) === 0, {
    ...{ what: `what has ended to be removed from ${tree.name}`, deadlineMs: REMOVED_MS, everyMs: LOOK_EVERY_MS },
  });
  const seconds = (performance.now() - begunMs) / 1_000;
  const spent = cpuPerTransaction(before, cpuTimes(tree.description()), transactions);
  const idle = await idleCpu(tree);
  return Object.fromEntries(
    REMOVING.map((part) => [part, (spent[part] ?? 0) - ((idle[part] ?? 0) * seconds) / transactions]),
  );
}

async function compareChains(
  contenders: readonly [Contender, Contender],
  { rounds }: ComparisonSettings,
): Promise<ChainComparison> {
  const limits: LoopLimits = { lanes: 1, milliseconds: 60_000, roundsMax: CHAINS };
  const [other, ours] = [new Series(), new Series()];
  for (let round = 0; round < rounds; round += 1) {
    const turns = [
      { contender: contenders[0], series: other },
      { contender: contenders[1], series: ours },
    ];
    for (const { contender, series } of round % 2 === 0 ? turns : turns.toReversed()) {
      await progress(`whole chains, round ${round + 1} of ${rounds}, ${contender.tree.name}`, () =>
        series.run(contender.tree, limits, () => contender.customers.chain()),
      );
      await removeAll(contender.tree);
    }
  }
  return { other: other.figures(), ours: ours.figures() };
}

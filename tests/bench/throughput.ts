/**
 * How many transactions a second? `npm run bench [-- --seconds 8 --rounds 3 --concurrency 1,10,50 --profile]`
 *
 * The whole system on this machine under 1, 10 and 50 concurrent orders (create-order, POST /orders to 201), beside the
 * raw API server making the same writes at the same concurrency: the ratio says what everything that is not the API
 * server costs, and is worth more than either figure, because both halves had the same machine in the same minutes.
 *
 * 1. Durable: etcd and Postgres wait for fdatasync, whose own cost on this machine is measured and printed beside.
 * 2. A transaction counts when the controller has stored its end, not when the customer was answered.
 * 3. The two alternate, round by round, and everything is removed in between, so neither meets a fuller API server.
 * 4. `--profile` writes CPU profiles of controller and services to .ordertx/bench/profiles and makes everything slower.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { onEnd } from '../../local/interruption.ts';
import { progress, say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { openWriter, record, removeAll, type Writer } from './api-server-writes.ts';
import { closedLoop, percentile, type LoopLimits } from './closed-loop.ts';
import { cpuPerTransaction, cpuTimes, type CpuTimes } from './cpu-time.ts';
import { describeMachine, versionsOf } from './machine.ts';
import { openCustomers, type Customers } from './orders.ts';
import { spread, type Spread } from './spread.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
const PROFILES = join(FOLDER, 'profiles');
const RESULT = join(FOLDER, 'throughput.json');
/** Node compiles what is hot only after a while, and the pools fill. */
const WARM_UP: LoopLimits = { lanes: 10, milliseconds: 6_000, roundsMax: 2_000 };
const TRANSACTIONS_MAX = 5_000;

interface Measured {
  readonly perSecond: Spread;
  /** Of all rounds together, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly transactions: number;
}

interface Figures {
  readonly concurrency: number;
  /** From POST /orders to 201; per second are transactions with their end stored. */
  readonly system: Measured;
  /** create + 2 status writes. */
  readonly apiServer: Measured;
  readonly apiServerWithRemoval: Measured;
  readonly oneWriteP50Ms: number;
  /** Milliseconds of CPU time for each of the system's transactions, by part. */
  readonly cpuMs: CpuTimes;
  readonly ratio: number;
  readonly ratioWithRemoval: number;
}

interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly concurrencies: readonly number[];
  readonly profile: boolean;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      concurrency: { type: 'string', default: '1,10,50' },
      profile: { type: 'boolean', default: false },
    },
  });
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const concurrencies = values.concurrency.split(',').map(Number);
  if (![seconds, rounds, ...concurrencies].every((value) => value >= 1)) {
    throw new Error('--seconds, --rounds and --concurrency must be numbers from 1');
  }
  return { seconds, rounds, concurrencies, profile: values.profile };
}

/** One kind of work at one concurrency, over its rounds. */
class Series {
  readonly #perSecond: number[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #cpuMs: Record<string, number[]> = {};

  add(transactions: number, elapsedMs: number, latenciesMs: readonly number[], cpuMs: CpuTimes = {}): void {
    this.#perSecond.push((transactions * 1_000) / elapsedMs);
    this.#latenciesMs.push(...latenciesMs);
    for (const [part, ms] of Object.entries(cpuMs)) (this.#cpuMs[part] ??= []).push(ms);
  }

  /** Medians of the rounds. */
  cpuMs(): CpuTimes {
    const medians = Object.entries(this.#cpuMs).map(([part, rounds]) => [part, percentile(rounds, 0.5)] as const);
    return Object.fromEntries(medians);
  }

  figures(): Measured {
    return {
      perSecond: spread(this.#perSecond),
      p50Ms: percentile(this.#latenciesMs, 0.5),
      p99Ms: percentile(this.#latenciesMs, 0.99),
      transactions: this.#latenciesMs.length,
    };
  }
}

interface Bench {
  readonly stack: Stack;
  readonly customers: Customers;
  readonly writer: Writer;
}

async function loadSystem({ stack, customers }: Bench, limits: LoopLimits, into: Series): Promise<void> {
  const endedBefore = await customers.endedSoFar();
  const spentBefore = cpuTimes(stack.description());
  const begunMs = performance.now();
  const { rounds, latenciesMs } = await closedLoop(limits, () => customers.order());
  await customers.ended(endedBefore + rounds);
  const elapsedMs = performance.now() - begunMs;
  into.add(rounds, elapsedMs, latenciesMs, cpuPerTransaction(spentBefore, cpuTimes(stack.description()), rounds));
  await removeAll(stack);
}

async function loadApiServer({ stack, writer }: Bench, limits: LoopLimits, remove: boolean, into: Series) {
  const writesMs: number[] = [];
  const act = async () => writesMs.push(...(await writer.transaction(remove)));
  const { rounds, elapsedMs, latenciesMs } = await closedLoop(limits, act);
  into.add(rounds, elapsedMs, latenciesMs);
  await removeAll(stack);
  return writesMs;
}

async function measure(bench: Bench, concurrency: number, { seconds, rounds }: Settings): Promise<Figures> {
  const limits: LoopLimits = { lanes: concurrency, milliseconds: seconds * 1_000, roundsMax: TRANSACTIONS_MAX };
  const [system, plain, removing] = [new Series(), new Series(), new Series()];
  const writesMs: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    await progress(`${concurrency} concurrent, round ${round} of ${rounds}`, async () => {
      if (round % 2 === 1) writesMs.push(...(await loadApiServer(bench, limits, false, plain)));
      await loadSystem(bench, limits, system);
      if (round % 2 === 0) writesMs.push(...(await loadApiServer(bench, limits, false, plain)));
      await loadApiServer(bench, limits, true, removing);
    });
  }
  const [ours, ceiling, ceilingWithRemoval] = [system.figures(), plain.figures(), removing.figures()];
  return {
    concurrency,
    system: ours,
    apiServer: ceiling,
    apiServerWithRemoval: ceilingWithRemoval,
    oneWriteP50Ms: percentile(writesMs, 0.5),
    cpuMs: system.cpuMs(),
    ratio: ours.perSecond.median / ceiling.perSecond.median,
    ratioWithRemoval: ours.perSecond.median / ceilingWithRemoval.perSecond.median,
  };
}

async function runBench(stack: Stack, settings: Settings): Promise<readonly Figures[]> {
  const customers = await openCustomers(stack);
  try {
    const recording = await record(stack, () => customers.order());
    if (recording.statuses.length !== 2) {
      throw new Error(`an unloaded transaction took ${recording.statuses.length} status writes, not 2`);
    }
    const bench: Bench = { stack, customers, writer: await openWriter(stack, recording) };
    await progress('warming up', async () => {
      await loadSystem(bench, WARM_UP, new Series());
      await loadApiServer(bench, WARM_UP, true, new Series());
    });
    const figures: Figures[] = [];
    for (const concurrency of settings.concurrencies) figures.push(await measure(bench, concurrency, settings));
    return figures;
  } finally {
    await customers.close();
  }
}

function table(figures: readonly Figures[]): string {
  const rows = figures.map((each) => {
    const { system, apiServer, apiServerWithRemoval } = each;
    return [
      String(each.concurrency),
      `${system.perSecond.median.toFixed(1)} /s`,
      `${system.p50Ms.toFixed(1)} ms`,
      `${system.p99Ms.toFixed(1)} ms`,
      `${apiServer.perSecond.median.toFixed(1)} /s`,
      each.ratio.toFixed(2),
      `${apiServerWithRemoval.perSecond.median.toFixed(1)} /s`,
      each.ratioWithRemoval.toFixed(2),
      `${(system.p50Ms / each.oneWriteP50Ms).toFixed(1)} writes`,
    ];
  });
  const head = ['lanes', 'orders', 'p50', 'p99', 'raw writes', 'ratio', 'with removal', 'ratio', 'p50 is'];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
    .join('\n');
}

/** What limits: the part that takes most of the machine's cores. */
function cpuLine({ concurrency, cpuMs }: Figures): string {
  const parts = Object.entries(cpuMs).map(([part, ms]) => `${part} ${ms.toFixed(1)}`);
  const sum = Object.values(cpuMs).reduce((total, ms) => total + ms, 0);
  return `CPU ms a transaction at ${concurrency}: ${parts.join(', ')}; all ${sum.toFixed(1)}`;
}

async function main(): Promise<void> {
  const settings = readSettings();
  const end = onEnd();
  const machine = await describeMachine();
  const profiling = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${PROFILES}` };
  const stack = await startStack(
    {
      ...{ folder: FOLDER, controllers: 1, restart: false, redis: { url: '' } },
      ...(settings.profile && {
        controllerEnv: profiling,
        serviceEnv: { order: profiling, inventory: profiling },
      }),
    },
    end.signal,
  );
  try {
    const stopped = Promise.race([stack.broken, end.reason.then((reason) => new Error(reason))]);
    const startedAt = new Date().toISOString();
    const versions = await versionsOf(stack);
    const figures = await Promise.race([runBench(stack, settings), stopped.then((error) => Promise.reject(error))]);
    const result = { startedAt, endedAt: new Date().toISOString(), settings, machine, versions, figures };
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(RESULT, `${JSON.stringify(result, undefined, 2)}\n`);
    const { cores, loadAverage, fdatasyncMs } = machine;
    process.stdout.write(
      `${table(figures)}\n\n${figures.map(cpuLine).join('\n')}\n\n${settings.rounds} rounds of ${settings.seconds} s each, medians of the rounds; ${cores} cores, ` +
        `load average before the start ${loadAverage.toFixed(1)}.\nDurable: fdatasync of 4 kB takes ` +
        `${fdatasyncMs.p50.toFixed(2)} ms here (p99 ${fdatasyncMs.p99.toFixed(2)} ms).\nKept in ${RESULT}\n`,
    );
  } finally {
    await stack.close();
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  say(`the benchmark ended early: ${(error as Error).message}. Logs: ${join(FOLDER, 'logs')}`);
  process.exit(1);
}

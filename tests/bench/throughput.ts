/**
 * How many transactions a second? `npm run bench [-- --seconds 8 --rounds 3 --concurrency 1,10,50 --gogc 400 --profile]`,
 * and beside another version of this project: `npm run bench -- --against REF` (comparison.ts).
 *
 * The whole system on this machine under 1, 10 and 50 concurrent orders (create-order, POST /orders to 201), beside the
 * raw API server making the same writes at the same concurrency: the ratio says what everything that is not the API
 * server costs, and is worth more than either figure, because both halves had the same machine in the same minutes.
 *
 * 1. Durable: etcd and Postgres wait for fdatasync, whose own cost on this machine is measured and printed beside.
 * 2. A transaction counts when the controller has stored its end, not when the customer was answered.
 * 3. The two alternate, round by round, and everything is removed in between, so neither meets a fuller API server.
 * 4. `--gogc` is the API server's GOGC (Go's own default is 100): faster, for more memory. Figures say which.
 * 5. `--profile` writes CPU profiles of controller and services to .ordertx/bench/profiles and makes everything slower.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readGogc, withGogc } from '../../local/gogc.ts';
import { onEnd, type Interruption } from '../../local/interruption.ts';
import { progress } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { openWriter, record, removeAll, type Writer } from './api-server-writes.ts';
import { percentile, type LoopLimits } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { compare, sumOf } from './comparison.ts';
import { comparisonTable } from './comparison-table.ts';
import { memoryMiB, type CpuTimes } from './cpu-time.ts';
import { describeMachine, versionsOf, type Machine } from './machine.ts';
import { openCustomers, type Customers } from './orders.ts';
import { Series, type Measured } from './series.ts';
import { bringTree, ourTree, startTree, type RunningTree } from './tree.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
const PROFILES = join(FOLDER, 'profiles');
const RESULT = join(FOLDER, 'throughput.json');
const COMPARISON = join(FOLDER, 'comparison.json');
/** Node compiles what is hot only after a while, and the pools fill. */
const WARM_UP: LoopLimits = { lanes: 10, milliseconds: 6_000, roundsMax: 2_000 };
const TRANSACTIONS_MAX = 5_000;

interface Figures {
  readonly concurrency: number;
  /** From POST /orders to 201; per second are transactions with their end stored. */
  readonly system: Measured;
  /** create + 2 status writes. */
  readonly apiServer: Measured;
  readonly apiServerWithRemoval: Measured;
  readonly oneWriteP50Ms: number;
  readonly ratio: number;
  readonly ratioWithRemoval: number;
  /** By part, after the last round. */
  readonly memoryMiB: Readonly<Record<string, number>>;
}

interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly concurrencies: readonly number[];
  readonly profile: boolean;
  /** The API server's; undefined: Go's own default. */
  readonly gogc: number | undefined;
  /** The git ref of the version to be compared with. */
  readonly against: string | undefined;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      concurrency: { type: 'string', default: '1,10,50' },
      profile: { type: 'boolean', default: false },
      gogc: { type: 'string' },
      against: { type: 'string' },
    },
  });
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const concurrencies = values.concurrency.split(',').map(Number);
  const gogc = values.gogc === undefined ? undefined : readGogc('--gogc', values.gogc);
  if (![seconds, rounds, ...concurrencies].every((value) => value >= 1)) {
    throw new Error('--seconds, --rounds and --concurrency must be numbers from 1');
  }
  if (values.profile && values.against !== undefined) throw new Error('--profile does not go with --against');
  return { seconds, rounds, concurrencies, gogc, profile: values.profile, against: values.against };
}

interface Bench {
  readonly stack: Stack;
  readonly customers: Customers;
  readonly writer: Writer;
}

async function loadSystem(bench: Bench, limits: LoopLimits, into: Series): Promise<void> {
  const { customers } = bench;
  const endedBefore = await customers.endedSoFar();
  const allEnded = (transactions: number) => customers.ended(endedBefore + transactions);
  await into.run(bench.stack, limits, () => customers.order(), allEnded);
  await removeAll(bench.stack);
}

/** Resolves with what each write took. */
async function loadApiServer(bench: Bench, limits: LoopLimits, remove: boolean, into: Series) {
  const writesMs: number[] = [];
  await into.run(bench.stack, limits, async () => writesMs.push(...(await bench.writer.transaction(remove))));
  await removeAll(bench.stack);
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
    ratio: ours.perSecond.median / ceiling.perSecond.median,
    ratioWithRemoval: ours.perSecond.median / ceilingWithRemoval.perSecond.median,
    memoryMiB: memoryMiB(bench.stack.description()),
  };
}

async function runBench(stack: Stack, settings: Settings): Promise<readonly Figures[]> {
  const customers = await openCustomers(stack);
  let writer: Writer | undefined;
  try {
    const recording = await record(stack, () => customers.order());
    if (recording.statuses.length !== 2) {
      throw new Error(`an unloaded transaction took ${recording.statuses.length} status writes, not 2`);
    }
    writer = await openWriter(stack, recording);
    const bench: Bench = { stack, customers, writer };
    await progress('warming up', async () => {
      await loadSystem(bench, WARM_UP, new Series());
      await loadApiServer(bench, WARM_UP, true, new Series());
    });
    const figures: Figures[] = [];
    for (const concurrency of settings.concurrencies) figures.push(await measure(bench, concurrency, settings));
    return figures;
  } finally {
    await customers.close();
    await writer?.close();
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

/** What limits is the part that takes most of the machine's cores. */
function cpuLines({ concurrency, system, apiServer, memoryMiB }: Figures): string {
  const line = (cpuMs: CpuTimes) => {
    const parts = Object.entries(cpuMs).filter(([, ms]) => ms >= 0.05);
    const sum = sumOf(cpuMs);
    return `${parts.map(([part, ms]) => `${part} ${ms.toFixed(1)}`).join(', ')}; all but the customers ${sum.toFixed(1)}`;
  };
  return (
    `CPU milliseconds a transaction at ${concurrency}: ${line(system.cpuMs)}\n` +
    `${' '.repeat(34)}raw writes: ${line(apiServer.cpuMs)}\n` +
    `Memory in MiB after it: ${Object.entries(memoryMiB)
      .map(([part, mebibytes]) => `${part} ${mebibytes.toFixed(0)}`)
      .join(', ')}`
  );
}

/** Both are stopped whatever happens. */
async function runComparison(ref: string, settings: Settings, end: Interruption): Promise<void> {
  const machine = await describeMachine();
  const tree = await progress(`bringing ${ref} and its packages`, () => bringTree(ref, join(FOLDER, 'trees')));
  const running: RunningTree[] = [];
  try {
    for (const [folder, each] of [['other', tree] as const, ['ours', ourTree] as const]) {
      running.push(
        await progress(`starting ${each.name}`, () => startTree(each, join(FOLDER, folder), settings.gogc, end.signal)),
      );
    }
    const [other, ours] = running as [RunningTree, RunningTree];
    const stopped = Promise.race([other.ended, ours.ended, end.reason.then((reason) => new Error(reason))]);
    const startedAt = new Date().toISOString();
    const versions = await versionsOf(ours);
    const compared = await Promise.race([
      compare(other, ours, settings),
      stopped.then((error) => Promise.reject(error)),
    ]);
    const result = { startedAt, endedAt: new Date().toISOString(), settings, machine, versions, ...compared };
    writeFileSync(COMPARISON, `${JSON.stringify(result, undefined, 2)}\n`);
    process.stdout.write(
      `${comparisonTable(other.name, ours.name, compared.orders, compared.chain)}\n\n${settings.rounds} rounds of ` +
        `${settings.seconds} s each; ${machineLine(machine, settings)}Kept in ${COMPARISON}\n`,
    );
  } finally {
    await Promise.all(running.map(({ close }) => close()));
  }
}

function machineLine({ cores, loadAverage, fdatasyncMs }: Machine, { gogc }: Settings): string {
  return (
    `${cores} cores, load average before the start ${loadAverage.toFixed(1)}; the API server's GOGC: ${gogc ?? '100 (default)'}.\n` +
    `Durable: fdatasync of 4 kB takes ${fdatasyncMs.p50.toFixed(2)} ms here (p99 ${fdatasyncMs.p99.toFixed(2)} ms).\n`
  );
}

async function main(settings: Settings): Promise<void> {
  const end = onEnd();
  if (settings.against !== undefined) return runComparison(settings.against, settings, end);
  const machine = await describeMachine();
  const profiling = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${PROFILES}` };
  const stack = await startStack(
    {
      ...{ folder: FOLDER, controllers: 1, restart: false, redis: { url: '' } },
      ...withGogc(settings.gogc),
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
    process.stdout.write(
      `${table(figures)}\n\n${figures.map(cpuLines).join('\n')}\n\n${settings.rounds} rounds of ${settings.seconds} s each, ` +
        `medians of the rounds; ${machineLine(machine, settings)}Kept in ${RESULT}\n`,
    );
  } finally {
    await stack.close();
  }
}

await runCommand(async () => {
  const settings = readSettings();
  try {
    await main(settings);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`the benchmark ended early: ${message}. Logs: ${join(FOLDER, 'logs')}`, { cause: error });
  }
});

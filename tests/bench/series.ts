/**
 * One kind of work at one concurrency, measured over its rounds.
 */
import { closedLoop, percentile, type LoopLimits } from './closed-loop.ts';
import { cpuPerTransaction, cpuTimes, type CpuTimes } from './cpu-time.ts';
import { spread, type Spread } from './spread.ts';
import type { System } from './system.ts';

export interface Measured {
  readonly perSecond: Spread;
  /** Of all rounds together, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly transactions: number;
  /** Milliseconds of CPU time for each transaction, by part; the median of the rounds. */
  readonly cpuMs: CpuTimes;
}

/** Of one round. */
export interface Round {
  readonly transactions: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  /** Milliseconds for each transaction, by part. */
  readonly cpuMs: CpuTimes;
}

export class Series {
  readonly rounds: Round[] = [];
  readonly #latenciesMs: number[] = [];

  /** One round: `act` under load, and `afterwards` for what is still under way when the last was answered. */
  async run(
    system: System,
    limits: LoopLimits,
    act: () => Promise<unknown>,
    afterwards: (transactions: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<Round> {
    const spentBefore = cpuTimes(system.description());
    const begunMs = performance.now();
    const { rounds: transactions, latenciesMs } = await closedLoop(limits, act);
    await afterwards(transactions);
    const perSecond = (transactions * 1_000) / (performance.now() - begunMs);
    const cpuMs = cpuPerTransaction(spentBefore, cpuTimes(system.description()), transactions);
    this.#latenciesMs.push(...latenciesMs);
    const round = { transactions, perSecond, p50Ms: percentile(latenciesMs, 0.5), cpuMs };
    this.rounds.push(round);
    return round;
  }

  figures(): Measured {
    const parts = new Set(this.rounds.flatMap(({ cpuMs }) => Object.keys(cpuMs)));
    const median = (part: string) =>
      percentile(
        this.rounds.map(({ cpuMs }) => cpuMs[part] ?? 0),
        0.5,
      );
    return {
      perSecond: spread(this.rounds.map(({ perSecond }) => perSecond)),
      p50Ms: percentile(this.#latenciesMs, 0.5),
      p99Ms: percentile(this.#latenciesMs, 0.99),
      transactions: this.#latenciesMs.length,
      cpuMs: Object.fromEntries([...parts].map((part) => [part, median(part)])),
    };
  }
}

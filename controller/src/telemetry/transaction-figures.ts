/**
 * What is to be said of all transactions at a scrape, in one walk over them.
 *
 * Every replica hears of every transaction, so each is counted by its owner alone. A walk over 10,000 takes some milliseconds of the
 * event loop, and what it found counts for a second: several gauges, and several Prometheus servers, share one.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { conditionIsTrue, findCondition } from '../transaction/conditions.ts';
import { isFinal, phaseOf } from '../transaction/phase.ts';

const COUNTS_FOR_MS = 1_000;

/** Numbers by two labels: a gauge's own `inc` takes ten times as long. */
export class Tally {
  readonly #values = new Map<string, Map<string, number>>();

  update(first: string, second: string, to: (value: number) => number): void {
    let seconds = this.#values.get(first);
    if (seconds === undefined) {
      seconds = new Map<string, number>();
      this.#values.set(first, seconds);
    }
    seconds.set(second, to(seconds.get(second) ?? 0));
  }

  *[Symbol.iterator](): Generator<readonly [first: string, second: string, value: number]> {
    for (const [first, seconds] of this.#values) for (const [second, value] of seconds) yield [first, second, value];
  }
}

export interface TransactionFigures {
  /** By flow and phase. */
  readonly held: Tally;
  /** By flow and target. */
  readonly failing: Tally;
  readonly stuck: Tally;
  readonly stuckOldestSeconds: Tally;
}

export interface FiguresSources {
  readonly transactions: () => Iterable<OrderTransaction>;
  /** Whether it is this replica's to work on. */
  readonly owns: (transaction: OrderTransaction) => boolean;
  /** The name of its flow, with a bound on how many there are. */
  readonly flowOf: (transaction: OrderTransaction) => string;
  /** A participant's or a message's name, with a bound likewise. */
  readonly targetOf: (name: string) => string;
  /** Whether what it waits for is on hold, and does not fail. */
  readonly isOnHold: (transaction: OrderTransaction) => boolean;
  /** By the clock that dates transactions. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

/** Looks when it is asked, at most once in COUNTS_FOR_MS. */
export function transactionFigures(sources: FiguresSources): () => TransactionFigures {
  let last: { readonly atMs: number; readonly figures: TransactionFigures } | undefined;
  return () => {
    const atMs = sources.monotonicMs();
    if (last === undefined || atMs - last.atMs >= COUNTS_FOR_MS) last = { atMs, figures: figuresOf(sources) };
    return last.figures;
  };
}

/** Its name may be anything, and would take the place of a participant's or a message's. */
function waitsForFlow({ spec, status }: OrderTransaction): boolean {
  return findCondition(status, 'Stuck')?.reason === 'FlowNotFound' && status?.waitingFor === spec.flow;
}

const plusOne = (value: number): number => value + 1;

function figuresOf({ transactions, owns, flowOf, targetOf, isOnHold, nowMs }: FiguresSources): TransactionFigures {
  const [held, failing, stuck, stuckOldestSeconds] = [new Tally(), new Tally(), new Tally(), new Tally()];
  const now = nowMs();
  for (const transaction of transactions()) {
    if (!owns(transaction)) continue;
    const flow = flowOf(transaction);
    const { spec, status, metadata } = transaction;
    const phase = phaseOf(transaction);
    held.update(flow, phase, plusOne);
    if (isFinal(phase)) continue;
    const { waitingFor = '' } = status ?? {};
    const target = waitingFor === '' || waitsForFlow(transaction) ? '' : targetOf(waitingFor);
    if (waitingFor !== '' && !spec.suspend && !isOnHold(transaction)) failing.update(flow, target, plusOne);
    if (!conditionIsTrue(status, 'Stuck')) continue;
    stuck.update(flow, target, plusOne);
    const ageSeconds = Math.max(0, now - Date.parse(metadata.creationTimestamp ?? '')) / 1000;
    if (Number.isFinite(ageSeconds)) stuckOldestSeconds.update(flow, target, (oldest) => Math.max(oldest, ageSeconds));
  }
  return { held, failing, stuck, stuckOldestSeconds };
}

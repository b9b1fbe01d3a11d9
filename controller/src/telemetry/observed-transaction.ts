/**
 * What is measured of one transaction, from the moment this process takes it up until its end.
 *
 * How long it took is counted on the monotonic clock, from when it was taken up: that is some milliseconds after its creation, which
 * Kubernetes dates in whole seconds. One that was taken up long after that (another replica had it, or the watch was behind) is measured
 * by the stored dates, give or take a second.
 *
 * What a person kept waiting, by a hold or a suspension, says nothing of how fast the system is: it is counted, and not timed.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionObserver, WriteResult } from '../reconcile/ports.ts';
import { isAboutHold, isAboutSuspension, isFinal, messagesOf, phaseOf } from '../transaction/phase.ts';
import type { ControllerMetrics } from './metrics.ts';

export interface ObservedBy {
  readonly metrics: ControllerMetrics;
  readonly monotonicMs: () => number;
  /** Of the trace it belongs to. */
  readonly traceIdOf: (transaction: OrderTransaction) => string;
  /** For the log. */
  readonly tell: (before: OrderTransaction, after: OrderTransaction) => void;
}

/** The stored dates are apart from the truth by up to this: both are cut or late by a second. */
const DATES_ARE_WITHIN_SECONDS = 1;

/** A release is not written by itself (ADR 30), so the hold is what the write before the next step said. */
const isKeptByPeople = ({ status }: OrderTransaction): boolean =>
  isAboutHold(status?.message) || isAboutSuspension(status?.message);

/** One of each unfinished transaction: methods, because functions of its own would take more memory than all else that is kept here. */
export class ObservedTransaction implements TransactionObserver {
  readonly #by: ObservedBy;
  readonly #takenUpMs: number;
  #statusWrites = 0;
  #wasKeptByPeople = false;

  constructor(by: ObservedBy) {
    this.#by = by;
    this.#takenUpMs = by.monotonicMs();
  }

  statusWritten(why: 'decision' | 'end' | 'news', result: WriteResult['kind']): void {
    this.#statusWrites += 1;
    this.#by.metrics.statusWrites.inc({ why, result });
  }

  stored(stored: OrderTransaction, after: OrderTransaction): void {
    const { status: before = {} } = stored;
    const { metrics, tell } = this.#by;
    this.#wasKeptByPeople ||= isKeptByPeople(stored) || isKeptByPeople(after);
    const { decision, phase } = after.status ?? {};
    if (decision !== undefined && before.decision === undefined) this.#decided(after, decision);
    for (const { name, state } of messagesOf(after.status ?? {})) {
      const isNew = state === 'GaveUp' && messagesOf(before).find((message) => message.name === name)?.state !== state;
      if (isNew) metrics.givenUp.inc({ message: metrics.bounds.targets.of(name) });
    }
    if (isFinal(phase) && !isFinal(before.phase)) this.#ended(after);
    tell(stored, after);
  }

  #decided(after: OrderTransaction, decision: string): void {
    const { metrics } = this.#by;
    const flow = metrics.bounds.flows.of(after.spec.flow);
    metrics.decided.inc({ flow, decision, reason: after.status?.decisionReason ?? '' });
    if (this.#wasKeptByPeople) return;
    const seconds = this.#secondsUntil(after, after.status?.decidedAt);
    metrics.decisionSeconds.observe({ flow, decision }, seconds, this.#exemplarOf(after));
  }

  #ended(after: OrderTransaction): void {
    const { metrics } = this.#by;
    const flow = metrics.bounds.flows.of(after.spec.flow);
    const phase = phaseOf(after);
    metrics.finished.inc({ flow, phase });
    metrics.statusWritesEach.observe({ flow }, this.#statusWrites);
    if (this.#wasKeptByPeople) return;
    const seconds = this.#secondsUntil(after, after.status?.finishedAt);
    metrics.durationSeconds.observe({ flow, phase }, seconds, this.#exemplarOf(after));
  }

  #secondsUntil({ metadata }: OrderTransaction, date: string | undefined): number {
    const here = (this.#by.monotonicMs() - this.#takenUpMs) / 1000;
    const stored = (Date.parse(date ?? '') - Date.parse(metadata.creationTimestamp ?? '')) / 1000;
    return stored > here + DATES_ARE_WITHIN_SECONDS ? stored : here;
  }

  #exemplarOf(transaction: OrderTransaction): Readonly<Record<string, string>> {
    return {
      trace_id: this.#by.traceIdOf(transaction),
      transaction: `${transaction.metadata.namespace ?? ''}/${transaction.metadata.name}`,
    };
  }
}

/**
 * Until when an answer to a try may be missing, as far as the stored copy and the flow say, and what that means for who waits.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { isFinal } from '../src/transaction/phase.ts';
import { createdAtMs } from '../src/transaction/step.ts';
import { shortAge } from './durations.ts';

/** Undefined once it is decided: then no deadline counts any more. */
export function deadlineOf(transaction: OrderTransaction, flow: TransactionFlow): number | undefined {
  const { status } = transaction;
  if (status?.decision !== undefined || isFinal(status?.phase)) return undefined;
  return createdAtMs(transaction) + flow.spec.timeoutSeconds * 1_000;
}

/** "at 2026-11-22T23:15:00.000Z (in 90 s)"; of what is over how long ago that was. */
export function whenIs(atMs: number, nowMs: number): string {
  const seconds = Math.round((atMs - nowMs) / 1_000);
  return `at ${new Date(atMs).toISOString()} (${seconds < 0 ? `${shortAge(nowMs - atMs)} ago` : `in ${seconds} s`})`;
}

/** Nothing for what is decided. */
export function deadlineSentences(
  transaction: OrderTransaction,
  flow: TransactionFlow | undefined,
  nowMs: number,
): readonly string[] {
  const { status, spec } = transaction;
  if (status?.decision !== undefined || isFinal(status?.phase)) return [];
  if (flow === undefined) {
    const created = new Date(createdAtMs(transaction)).toISOString();
    return [
      `its deadline counts from its creation (${created}), by the flow's timeoutSeconds; it does not decide while the flow is missing, and once the flow is there it counts as if that had been there all the time`,
    ];
  }
  const deadlineMs = deadlineOf(transaction, flow) ?? 0;
  const when = whenIs(deadlineMs, nowMs);
  if (deadlineMs > nowMs) {
    return [
      spec.suspend
        ? `the deadline is ${when} and runs on while it is suspended: resumed later than that, it is cancelled, unless every participant has tried`
        : `the deadline is ${when}: it is cancelled then, unless every participant has tried`,
    ];
  }
  return [
    spec.suspend
      ? `the deadline was ${when}: once it is resumed it is cancelled, unless every participant has tried`
      : `the deadline was ${when}: it is cancelled as soon as everybody who has not tried was asked for it in vain`,
  ];
}

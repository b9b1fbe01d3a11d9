/**
 * Which open branches are to be called now, and when the next one is.
 *
 * A call that was due stays due while it waits to be sent, so whatever makes it needless is seen here and nowhere else.
 */
import type { Branch } from '../../../crds/generated/ordertransaction.ts';
import type { Retry } from '../../../crds/generated/transactionflow.ts';
import { branchesOf, branchIsOpen, operationFor } from './phase.ts';
import { pauseEndsMs } from './requests.ts';
import { dueMs } from './retry.ts';
import type { Call, View } from './step.ts';

export interface DueCalls {
  readonly calls: readonly Call[];
  readonly wakeAtMs: number | undefined;
}

/** @param hurried a branch that is to be asked now, whatever its back-off says */
export function dueCalls(view: View, retry: Retry, nowMs: number, hurried: (branch: Branch) => boolean): DueCalls {
  const { decision } = view.status;
  const operation = operationFor(decision);
  const open = branchesOf(view.status).filter(
    (branch) => branchIsOpen(branch, decision) && !view.busy.has(branch.name),
  );
  const dueAtMs = ({ name, nextAttemptTime }: Branch): number => {
    const byBackoffMs = dueMs(nextAttemptTime, retry, nowMs);
    if (!view.outdated.has(name)) return byBackoffMs;
    return Math.min(byBackoffMs, pauseEndsMs(view.outdated.get(name), nowMs) ?? nowMs);
  };
  const isDue = (branch: Branch): boolean =>
    dueAtMs(branch) <= nowMs || view.waiting.has(branch.name) || hurried(branch);
  const waiting = open.filter((branch) => !isDue(branch)).map(dueAtMs);
  return {
    calls: open.filter(isDue).map((branch) => ({
      ...{ branch: branch.name, operation, attempt: (branch.attempts ?? 0) + 1 },
      overdue: false,
    })),
    wakeAtMs: waiting.length > 0 ? Math.min(...waiting) : undefined,
  };
}

/**
 * Which open branches are to be called now, and when the next one is.
 *
 * A call that was due stays due while it waits to be sent, so whatever makes it needless is seen here and nowhere else.
 */
import type { Branch } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { isHeld } from './hold.ts';
import { branchesOf, branchIsOpen, operationFor } from './phase.ts';
import { dueByChangeMs } from './requests.ts';
import { dueMs } from './retry.ts';
import type { Call, View } from './step.ts';

export interface DueCalls {
  readonly calls: readonly Call[];
  readonly wakeAtMs: number | undefined;
}

/** @param hurried a branch that is to be asked now, whatever its back-off says */
export function dueCalls(
  view: View,
  flow: TransactionFlow,
  nowMs: number,
  hurried: (branch: Branch) => boolean,
): DueCalls {
  const { decision } = view.status;
  const operation = operationFor(decision);
  const open = branchesOf(view.status).filter(
    (branch) => branchIsOpen(branch, decision) && !view.busy.has(branch.name) && !isHeld(flow, branch.name),
  );
  const dueAtMs = ({ name, nextAttemptTime }: Branch): number => {
    const byBackoffMs = dueMs(nextAttemptTime, flow.spec.retry, nowMs);
    return Math.min(byBackoffMs, dueByChangeMs(view.outdated, name, nowMs), dueByChangeMs(view.released, name, nowMs));
  };
  const isDue = (branch: Branch): boolean =>
    dueAtMs(branch) <= nowMs || isDueAnyhow(view, branch.name) || hurried(branch);
  const waiting = open.filter((branch) => !isDue(branch)).map(dueAtMs);
  return {
    calls: open.filter(isDue).map((branch) => ({
      ...{ branch: branch.name, operation, attempt: (branch.attempts ?? 0) + 1 },
      overdue: false,
      requested: view.requested.has(branch.name),
    })),
    wakeAtMs: waiting.length > 0 ? Math.min(...waiting) : undefined,
  };
}

/** Whatever its back-off says. */
function isDueAnyhow({ waiting, down, revived, requested }: View, branch: string): boolean {
  return [waiting, down, revived, requested].some((branches) => branches.has(branch));
}

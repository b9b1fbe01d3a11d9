/**
 * What a stored answer to a try is worth.
 *
 * The store may have been put back to before a Cancel that was carried out since, and the answer with it: its branch, which is
 * cancelled by now, would refuse the confirm. So an undecided Tried counts only for a process that has itself heard it; any other
 * asks again, which the participant's fence makes harmless (T5).
 */
import type { Branch, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { branchesOf } from './phase.ts';

/**
 * The status as it is worked on: Tried branches that nobody here has heard of are asked once more. One that has confirmed before
 * is not: whatever it answers now, only Confirm is right.
 *
 * @param heard names of the branches whose Tried this process has heard
 */
export function unheardAsUntried(
  stored: OrderTransactionStatus,
  heard: Pick<ReadonlySet<string>, 'has'>,
): OrderTransactionStatus {
  const isUnheard = ({ name, state, confirmedBefore }: Branch): boolean =>
    state === 'Tried' && confirmedBefore !== true && !heard.has(name);
  if (stored.decision !== undefined || !branchesOf(stored).some(isUnheard)) return stored;
  const branches = branchesOf(stored).map((branch) =>
    isUnheard(branch) ? { ...branch, state: 'Untried' as const } : branch,
  );
  return { ...stored, branches };
}

/**
 * The status as it is stored. A stored Tried stays until the branch has ended, whatever its participant says now; and a refusal is
 * stored with the decision that it leads to, not before: until then another may turn out to have confirmed.
 */
export function keepStoredAnswers(
  stored: OrderTransactionStatus | undefined,
  status: OrderTransactionStatus,
): OrderTransactionStatus {
  const before = new Map(branchesOf(stored ?? {}).map((branch) => [branch.name, branch.state]));
  const kept = (branch: Branch): Branch['state'] => {
    if (branch.state !== 'Untried' && branch.state !== 'Refused') return branch.state;
    const old = before.get(branch.name) ?? 'Untried';
    return old === 'Tried' || status.decision === undefined ? old : branch.state;
  };
  if (branchesOf(status).every((branch) => branch.state === kept(branch))) return status;
  return { ...status, branches: branchesOf(status).map((branch) => ({ ...branch, state: kept(branch) })) };
}

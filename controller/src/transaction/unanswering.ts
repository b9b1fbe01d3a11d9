/**
 * Says of a branch whose call waits for its turn that its participant answers nobody, as a call in vain would have.
 */
import type { Branch } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { isHeld } from './hold.ts';
import { branchesOf, branchIsOpen } from './phase.ts';
import { describe } from './sentences.ts';
import type { View } from './step.ts';

/** Said of a branch whose turn has not come since its participant stopped answering. */
export const ANSWERS_NOBODY = 'answers no transaction at present: it is asked again once a second, by turns';

export function tellWhoAnswersNobody(view: View, flow: TransactionFlow): View {
  const { status, down, busy, transaction } = view;
  const settled = new Set((transaction.spec.resolutions ?? []).map(({ target }) => target));
  const concerns = (branch: Branch): boolean =>
    branchIsOpen(branch, status.decision) &&
    branch.lastError === undefined &&
    !busy.has(branch.name) &&
    !settled.has(branch.name) &&
    !isHeld(flow, branch.name) &&
    down.has(branch.name);
  if (!branchesOf(status).some(concerns)) return view;
  const branches = branchesOf(status).map((each) => (concerns(each) ? { ...each, lastError: ANSWERS_NOBODY } : each));
  const told = { ...status, branches };
  return { ...view, status: { ...told, ...describe(told) } };
}

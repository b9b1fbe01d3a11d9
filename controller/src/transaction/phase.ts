/**
 * The words a transaction's status is read with: which phase is final, which operation a phase performs, what is still open.
 */
import type {
  Branch,
  BranchState,
  Decision,
  Message,
  OrderTransaction,
  OrderTransactionStatus,
  Phase,
} from '../../../crds/generated/ordertransaction.ts';
import type { Operation } from './outcome.ts';

export type FinalPhase = Extract<Phase, 'Succeeded' | 'Cancelled'>;

/** An absent phase counts as Pending. */
export function phaseOf(transaction: OrderTransaction): Phase {
  return transaction.status?.phase ?? 'Pending';
}

export function isFinal(phase: Phase | undefined): phase is FinalPhase {
  return phase === 'Succeeded' || phase === 'Cancelled';
}

/**
 * Whether a controller still has something to do for it. A final phase does not say so: a finished transaction whose
 * best-effort messages are not through is published on, and gets its `expires`, without which it is never removed (T8).
 */
export function needsWork(status: OrderTransactionStatus | undefined): boolean {
  return status?.expires === undefined;
}

/** Keeps a flow that is being deleted for the transactions begun under it (kubernetes/flow-finalizer.ts). */
export const FLOW_FINALIZER = 'ordertx.dev/in-use';

/** Whether anybody may have been called for it: it goes on under the flow it was begun under, also under one that is being deleted. */
export function isBegun(status: OrderTransactionStatus | undefined): boolean {
  return (
    status?.decision !== undefined ||
    branchesOf(status ?? {}).some((branch) => branch.state !== 'Untried' || (branch.attempts ?? 0) > 0)
  );
}

/** The operation that a branch is due for: a try until the decision, then what was decided. */
export function operationFor(decision: Decision | undefined): Operation {
  switch (decision) {
    case undefined:
      return 'try';
    case 'Confirm':
      return 'confirm';
    case 'Cancel':
      return 'cancel';
  }
}

/** The state in which a branch has agreed with the decision. */
export function endStateFor(decision: Decision): BranchState {
  return decision === 'Confirm' ? 'Confirmed' : 'Cancelled';
}

export function finalPhaseFor(decision: Decision): FinalPhase {
  return decision === 'Confirm' ? 'Succeeded' : 'Cancelled';
}

/** Whether this branch still needs a call: undecided, while it is Untried; decided, until it has agreed. */
export function branchIsOpen(branch: Branch, decision: Decision | undefined): boolean {
  return decision === undefined ? branch.state === 'Untried' : branch.state !== endStateFor(decision);
}

/** Whether a participant has said that it confirmed this transaction before: the store was put back, and only Confirm is right. */
export function isConfirmedBefore(status: OrderTransactionStatus): boolean {
  return branchesOf(status).some((branch) => branch.confirmedBefore === true);
}

/** Whether this message still waits for its receipt. A refused reliable message does: it is published again (T7). */
export function messageIsOpen(message: Message): boolean {
  return message.state === 'Pending' || (message.state === 'Refused' && message.delivery === 'Reliable');
}

export const ON_HOLD = 'on hold: ';

/** A sentence that a hold is the subject of: whether it is true any more depends on the flow alone. */
export function isAboutHold(message: string | undefined): boolean {
  return message?.startsWith(ON_HOLD) === true;
}

export const SUSPENDED = 'suspended: ';

/** A sentence that says only that a person has asked for nothing to be done. */
export function isAboutSuspension(message: string | undefined): boolean {
  return message?.startsWith(SUSPENDED) === true;
}

export function branchesOf(status: OrderTransactionStatus): readonly Branch[] {
  return status.branches ?? [];
}

export function messagesOf(status: OrderTransactionStatus): readonly Message[] {
  return status.messages ?? [];
}

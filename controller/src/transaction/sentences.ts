/**
 * What a person reads in `kubectl get otx`: which participant or message it waits for, and the one sentence that says why.
 *
 * The sentences are stable: the same trouble gives the same words on every attempt, because each new sentence is a
 * write to the API server (T6).
 */
import type { OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import {
  clip,
  CONDITION_MESSAGE_CHARS_MAX,
  conditionIsTrue,
  findCondition,
  withCondition,
  type StuckReason,
} from './conditions.ts';
import { branchesOf, branchIsOpen, messageIsOpen, messagesOf, operationFor } from './phase.ts';

export interface Description {
  readonly message: string;
  readonly waitingFor: string;
}

/** The first open branch or message that has an error speaks; where none has, a cancelled transaction says why it is one. */
export function describe(status: OrderTransactionStatus): Description {
  const operation = operationFor(status.decision);
  const branch = branchesOf(status).find((each) => branchIsOpen(each, status.decision) && each.lastError);
  if (branch) return waiting(branch.name, `the ${operation} at ${branch.name} is not done: ${branch.lastError}`);
  const message = messagesOf(status).find(
    (each) => messageIsOpen(each) && each.lastError && each.delivery === 'Reliable',
  );
  if (message) return waiting(message.name, `the message ${message.name} is not delivered: ${message.lastError}`);
  const isSlow = conditionIsTrue(status, 'Stuck') && findCondition(status, 'Stuck')?.reason === 'TakingTooLong';
  return { waitingFor: '', message: isSlow ? slowSentence(status) : whyCancelled(status) };
}

function waiting(waitingFor: string, sentence: string): Description {
  return { waitingFor, message: clip(sentence, CONDITION_MESSAGE_CHARS_MAX) };
}

/** Why the decision was Cancel, in words; empty while undecided or under Confirm. Stored with the decision. */
export function whyCancelled(status: OrderTransactionStatus): string {
  return status.decision === 'Cancel' ? (findCondition(status, 'Succeeded')?.message ?? '') : '';
}

/** What a participant is told with a confirm or cancel (Ordertx-Detail). */
export function decisionDetail(status: OrderTransactionStatus): string {
  return status.decision === 'Confirm' ? 'every participant has tried' : whyCancelled(status);
}

/** Marks a transaction Stuck for a reason that waiting alone does not mend. */
export function raiseAlarm(
  status: OrderTransactionStatus,
  reason: StuckReason,
  message: string,
  atMs: number,
): OrderTransactionStatus {
  return withCondition(status, { type: 'Stuck', status: 'True', reason, message }, atMs);
}

/** Ends an alarm once nothing open has an error any more; TakingTooLong ends with the transaction only. */
export function clearAlarm(status: OrderTransactionStatus, atMs: number): OrderTransactionStatus {
  if (!conditionIsTrue(status, 'Stuck') || status.waitingFor) return status;
  if (findCondition(status, 'Stuck')?.reason === 'TakingTooLong') return status;
  return endAlarm(status, atMs);
}

export function endAlarm(status: OrderTransactionStatus, atMs: number): OrderTransactionStatus {
  if (!conditionIsTrue(status, 'Stuck')) return status;
  return withCondition(status, { type: 'Stuck', status: 'False', reason: 'Moving', message: '' }, atMs);
}

/** Where no one has an error yet: names what is still to be done. */
export function slowSentence(status: OrderTransactionStatus): string {
  const operation = operationFor(status.decision);
  const branch = branchesOf(status).find((each) => branchIsOpen(each, status.decision));
  if (branch) return `${branch.name} has not ended its ${operation} yet`;
  const message = messagesOf(status).find(messageIsOpen);
  return message ? `the receipt for the message ${message.name} has not come yet` : 'it has not ended yet';
}

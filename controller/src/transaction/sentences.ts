/**
 * What a person reads in `kubectl get otx`: which participant or message it waits for, and the one sentence that says which
 * operation, what was answered, and what happens next.
 *
 * The sentences are stable: the same trouble gives the same words on every attempt, because each new sentence is a
 * write to the API server (T6).
 */
import type { Branch, Message, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import {
  clip,
  CONDITION_MESSAGE_CHARS_MAX,
  conditionIsTrue,
  findCondition,
  withCondition,
  type StuckReason,
} from './conditions.ts';
import { NOT_CALLED, REFUSED, WORKING_ON_IT, type Operation } from './outcome.ts';
import {
  branchesOf,
  branchIsOpen,
  isConfirmedBefore,
  messageIsOpen,
  messagesOf,
  operationFor,
  SUSPENDED,
} from './phase.ts';

export interface Description {
  readonly message: string;
  readonly waitingFor: string;
}

/**
 * The open branch or message that has an error speaks: what needs a person before what mends itself, so that the alarm and the sentence
 * are about the same one; of those alike the first. Where none has, a cancelled transaction says why it is one.
 */
export function describe(status: OrderTransactionStatus): Description {
  const open = branchesOf(status).filter((each) => branchIsOpen(each, status.decision));
  const branch =
    open.find(({ lastError }) => lastError?.startsWith(REFUSED)) ??
    open.find(isNotCalled) ??
    open.find(({ lastError }) => lastError && lastError !== WORKING_ON_IT) ??
    // After trouble a 425 is not yet its end: who is asked in vain now and then, and told "later" in between, fails all the while.
    open.find(({ name, lastError }) => lastError && name === status.waitingFor);
  if (branch) return ofBranch(branch, status);
  const failing = messagesOf(status).filter(
    (each) => messageIsOpen(each) && each.lastError && each.delivery === 'Reliable',
  );
  const message = failing.find(({ state }) => state === 'Refused') ?? failing[0];
  if (message) return ofMessage(message);
  return isTakingTooLong(status) ? describeSlow(status) : { waitingFor: '', message: whyCancelled(status) };
}

/**
 * Each open branch, or once those have ended each open message, that has an error, in the words that `describe` would have for it: the
 * one sentence is about one of them. A 425 is none by itself.
 */
export function describeEach(status: OrderTransactionStatus): readonly Description[] {
  const branches = branchesOf(status).filter(
    (each) => branchIsOpen(each, status.decision) && each.lastError && each.lastError !== WORKING_ON_IT,
  );
  if (branches.length > 0) return branches.map((branch) => ofBranch(branch, status));
  return messagesOf(status)
    .filter((each) => messageIsOpen(each) && each.lastError && each.delivery === 'Reliable')
    .map(ofMessage);
}

/** Where no one has an error yet, and it takes too long all the same: what is still to be done. */
export function describeSlow(status: OrderTransactionStatus): Description {
  const branch = branchesOf(status).find((each) => branchIsOpen(each, status.decision));
  if (branch) return ofBranch(branch, status);
  const message = messagesOf(status).find(messageIsOpen);
  return message ? ofMessage(message) : { waitingFor: '', message: 'it has not ended yet' };
}

function isTakingTooLong(status: OrderTransactionStatus): boolean {
  return conditionIsTrue(status, 'Stuck') && findCondition(status, 'Stuck')?.reason === 'TakingTooLong';
}

/** It takes too long, and nobody that it waits for just now has an error, not even a "later": it may go on at any moment. */
export function isOnlySlow(status: OrderTransactionStatus): boolean {
  if (!isTakingTooLong(status)) return false;
  const branches = branchesOf(status).filter((each) => branchIsOpen(each, status.decision));
  const awaited = branches.length > 0 ? branches : messagesOf(status).filter(messageIsOpen);
  return awaited.every(({ lastError }) => !lastError);
}

/** What a person reads while nothing is sent because a person has asked for it. */
export function suspendedSentence({ decision }: OrderTransactionStatus): string {
  return `${SUSPENDED}nothing is sent and nothing is decided until spec.suspend is false again${
    decision === undefined ? '; the deadline runs on' : ''
  }`;
}

function ofBranch({ name, lastError }: Branch, status: OrderTransactionStatus): Description {
  const operation = operationFor(status.decision);
  const next = nextForBranch(operation, lastError ?? '', isConfirmedBefore(status));
  const why = lastError ?? 'no answer to it has come yet';
  return { waitingFor: name, message: withNext(`the ${operation} at ${name} is not done: ${why}`, next) };
}

function nextForBranch(operation: Operation, lastError: string, isConfirmed: boolean): string {
  const asked = 'it is asked again';
  if (lastError.startsWith(REFUSED))
    return `${asked} at the longest delay, until its data is mended or the branch is settled by hand`;
  if (lastError.startsWith(NOT_CALLED)) {
    return operation === 'try'
      ? 'it is called once it can be; no deadline decides before that, but a cancellation can be requested'
      : 'it is called once it can be, unless the branch is settled by hand';
  }
  if (operation === 'try' && !isConfirmed) return `${asked}, until the deadline cancels the transaction`;
  return `${asked}, until it has done it`;
}

function ofMessage({ name, state, lastError }: Message): Description {
  const why = lastError ?? 'its consumer has sent no receipt yet';
  const next =
    state === 'Refused'
      ? 'it is published again at the longest delay, until it is taken or settled by hand'
      : 'it is published again, until its receipt comes';
  return { waitingFor: name, message: withNext(`the message ${name} is not delivered: ${why}`, next) };
}

/** What is wrong, and what happens by itself. */
export function withNext(sentence: string, next: string): string {
  const end = /[.?!…]$/.test(sentence) ? '' : '.';
  return clip(`${sentence}${end} Next: ${next}`, CONDITION_MESSAGE_CHARS_MAX);
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

/**
 * Ends an alarm once nothing open has an error any more, or not that one; TakingTooLong ends with the transaction only.
 *
 * @param hasEnded whether a branch or message has just ended. One that is open still may alternate between a refusal and silence, and its
 *   alarm, an Event and a write each time, must not
 */
export function clearAlarm(status: OrderTransactionStatus, atMs: number, hasEnded: boolean): OrderTransactionStatus {
  const reason = conditionIsTrue(status, 'Stuck') ? findCondition(status, 'Stuck')?.reason : undefined;
  if (reason === undefined || reason === 'TakingTooLong') return status;
  const isOver = NOT_CALLED_REASONS.has(reason)
    ? !branchesOf(status).some(isNotCalled)
    : !status.waitingFor || (hasEnded && !isRefusedSomewhere(status));
  return isOver ? endAlarm(status, atMs) : status;
}

/** People end these, by what they change: they do not alternate with others. */
const NOT_CALLED_REASONS: ReadonlySet<string> = new Set<StuckReason>(['EndpointForbidden', 'PayloadTooLarge']);

function isNotCalled({ lastError }: Branch): boolean {
  return lastError?.startsWith(NOT_CALLED) === true;
}

function isRefusedSomewhere(status: OrderTransactionStatus): boolean {
  return (
    branchesOf(status).some((each) => branchIsOpen(each, status.decision) && each.lastError?.startsWith(REFUSED)) ||
    messagesOf(status).some((each) => messageIsOpen(each) && each.state === 'Refused')
  );
}

export function endAlarm(status: OrderTransactionStatus, atMs: number): OrderTransactionStatus {
  if (!conditionIsTrue(status, 'Stuck')) return status;
  return withCondition(status, { type: 'Stuck', status: 'False', reason: 'Moving', message: '' }, atMs);
}

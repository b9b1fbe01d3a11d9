/**
 * applyOutcomes: the stored status and what was answered since -> the working status.
 *
 * It changes branches, messages and what a person should know of them; never the phase or the decision, which are
 * decide's. An answer to an operation that is not due any more (a late try after the decision) changes nothing: the
 * participant's fence has already made it harmless.
 */
import type { Branch, BranchState, Message, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Retry, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { Answer, BranchAnswer, MessageAnswer } from './answers.ts';
import { branchFrom, messageFrom } from './carried.ts';
import { clip, LAST_ERROR_CHARS_MAX, type StuckReason } from './conditions.ts';
import { REFUSED, type Operation } from './outcome.ts';
import { branchesOf, branchIsOpen, isConfirmedBefore, messageIsOpen, messagesOf, operationFor } from './phase.ts';
import { askedForDelayMs, longestDelayMs, republishDelayMs, retryDelayMs } from './retry.ts';
import { clearAlarm, describe, raiseAlarm } from './sentences.ts';

export function applyOutcomes(
  stored: OrderTransactionStatus,
  answers: readonly Answer[],
  flow: TransactionFlow,
): OrderTransactionStatus {
  const confirmedBefore = isConfirmedBefore(stored) || answers.some(saysConfirmedBefore);
  return answers.reduce(
    (status, answer) => {
      switch (answer.on) {
        case 'branch':
          return applyToBranch(status, answer, flow.spec.retry, confirmedBefore);
        case 'message':
          return applyToMessage(status, answer, flow.spec.retry);
      }
    },
    withFlowsBranches(stored, flow),
  );
}

function saysConfirmedBefore(answer: Answer): boolean {
  return (
    answer.on === 'branch' &&
    answer.operation === 'try' &&
    answer.outcome.kind === 'succeeded' &&
    answer.outcome.confirmedBefore === true
  );
}

/** Until the decision names the branches for good, they are the flow's participants, and those already stored. */
function withFlowsBranches(status: OrderTransactionStatus, flow: TransactionFlow): OrderTransactionStatus {
  return withBranches(
    status,
    flow.spec.participants.map((participant) => participant.name),
  );
}

/** Adds those of these branches that it does not know yet, Untried; once decided, none can come. */
export function withBranches(status: OrderTransactionStatus, names: Iterable<string>): OrderTransactionStatus {
  if (status.decision !== undefined) return status;
  const known = new Set(branchesOf(status).map((branch) => branch.name));
  const missing = [...names].filter((name) => !known.has(name));
  if (missing.length === 0) return status;
  const untried = missing.map((name): Branch => ({ name, state: 'Untried', attempts: 0 }));
  return { ...status, branches: [...branchesOf(status), ...untried] };
}

function applyToBranch(
  status: OrderTransactionStatus,
  answer: BranchAnswer,
  retry: Retry,
  confirmedBefore: boolean,
): OrderTransactionStatus {
  const before = branchesOf(status).find((branch) => branch.name === answer.target);
  if (!before || answer.operation !== operationFor(status.decision) || !branchIsOpen(before, status.decision)) {
    return status;
  }
  const after = branchFrom(before, branchAfter(before, answer, retry, confirmedBefore));
  const heard = { alarm: branchAlarm(answer, confirmedBefore), hasEnded: !branchIsOpen(after, status.decision) };
  const changed: OrderTransactionStatus = {
    ...status,
    branches: branchesOf(status).map((branch) => (branch === before ? after : branch)),
  };
  return retell(changed, answer, heard);
}

function branchAfter(before: Branch, answer: BranchAnswer, retry: Retry, confirmedBefore: boolean): Branch {
  const attempts = (before.attempts ?? 0) + 1;
  const { name, state } = before;
  const { outcome, operation, atMs, jitter } = answer;
  switch (outcome.kind) {
    case 'succeeded':
      return {
        ...{ name, state: successOf(operation), attempts },
        ...(outcome.confirmedBefore && { confirmedBefore: true }),
      };
    case 'refused': {
      const lastError = clip(outcome.detail, LAST_ERROR_CHARS_MAX);
      // Where another has confirmed already, a no to the try is not the end: it has to become a yes (T5).
      if (operation === 'try' && !confirmedBefore) return { name, state: 'Refused', attempts, lastError };
      return {
        ...{ name, state, attempts, lastError: clip(`${REFUSED}${outcome.detail}`, LAST_ERROR_CHARS_MAX) },
        nextAttemptTime: timeAfter(atMs, longestDelayMs(retry, jitter)),
      };
    }
    case 'blocked':
      return {
        name,
        state,
        attempts,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
        nextAttemptTime: timeAfter(atMs, longestDelayMs(retry, jitter)),
      };
    case 'ongoing':
      return {
        name,
        state,
        attempts,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
        nextAttemptTime: nextAttempt(retry, attempts, jitter, atMs, outcome.retryAfterMs),
      };
    case 'unsent':
      return {
        name,
        state,
        attempts,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
        nextAttemptTime: nextAttempt(retry, attempts, jitter, atMs),
      };
    case 'unknown':
      return {
        name,
        state,
        attempts,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
        nextAttemptTime: nextAttempt(retry, attempts, jitter, atMs, outcome.retryAfterMs),
      };
  }
}

function successOf(operation: Operation): BranchState {
  switch (operation) {
    case 'try':
      return 'Tried';
    case 'confirm':
      return 'Confirmed';
    case 'cancel':
      return 'Cancelled';
  }
}

/** A refusal where none can be, and a call that may not be sent, are alarms at once and not only after a while (T4). */
function branchAlarm(answer: BranchAnswer, confirmedBefore: boolean): StuckReason | undefined {
  if (answer.outcome.kind === 'blocked') return answer.outcome.reason;
  if (answer.outcome.kind !== 'refused') return undefined;
  if (answer.operation === 'try') return confirmedBefore ? 'ConfirmedBefore' : undefined;
  return answer.operation === 'confirm' ? 'ConfirmRefused' : 'CancelRefused';
}

function applyToMessage(status: OrderTransactionStatus, answer: MessageAnswer, retry: Retry): OrderTransactionStatus {
  const before = messagesOf(status).find((message) => message.name === answer.target);
  if (!before || !messageIsOpen(before)) return status;
  const after = messageFrom(before, messageAfter(before, answer, retry));
  const alarm = after.delivery === 'Reliable' && answer.outcome.kind === 'refused' ? 'MessageRefused' : undefined;
  const changed: OrderTransactionStatus = {
    ...status,
    messages: messagesOf(status).map((message) => (message === before ? after : message)),
  };
  return retell(changed, answer, { alarm, hasEnded: !messageIsOpen(after) });
}

/**
 * From this publication on a receipt is missed, after some ten seconds. Sooner, a consumer that is behind under load would cost
 * thousands of transactions a write each; later, people would not hear of one that is dead.
 */
const MISSED_FROM_ATTEMPTS = 5;
const NO_RECEIPT = 'its consumer has sent no receipt: is it running? read its log';

function messageAfter(before: Message, answer: MessageAnswer, retry: Retry): Message {
  const { outcome, atMs, jitter } = answer;
  const { name, delivery, state, lastError } = before;
  const attempts = before.attempts ?? 0;
  switch (outcome.kind) {
    case 'published': {
      // A best-effort publication from the second on was counted, and its time set, before it was made (T8).
      if (delivery === 'BestEffort' && attempts > 0) return before;
      const delayMs =
        state === 'Refused' ? longestDelayMs(retry, jitter) : republishDelayMs(retry, attempts + 1, jitter);
      const nextAttemptTime = timeAfter(atMs, delayMs);
      if (delivery === 'BestEffort' || state === 'Refused')
        return { ...before, attempts: attempts + 1, nextAttemptTime };
      const { lastError: _, ...taken } = before;
      const isMissed = attempts + 1 >= MISSED_FROM_ATTEMPTS;
      return { ...taken, attempts: attempts + 1, ...(isMissed && { lastError: NO_RECEIPT }), nextAttemptTime };
    }
    case 'unpublished':
      return {
        ...before,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
        nextAttemptTime: timeAfter(atMs, retryDelayMs(retry, attempts + 1, jitter)),
      };
    case 'delivered':
      return { name, delivery, state: 'Delivered', attempts };
    case 'refused': {
      const refused = {
        name,
        delivery,
        state: 'Refused',
        attempts,
        lastError: clip(outcome.detail, LAST_ERROR_CHARS_MAX),
      } as const;
      if (delivery === 'BestEffort') return refused;
      return { ...refused, nextAttemptTime: timeAfter(atMs, longestDelayMs(retry, jitter)) };
    }
    case 'failed':
      return { ...before, lastError: clip(outcome.detail || (lastError ?? ''), LAST_ERROR_CHARS_MAX) };
  }
}

interface HeardOf {
  readonly alarm: StuckReason | undefined;
  readonly hasEnded: boolean;
}

/** An alarm is raised by whom the sentence is about: it says what a person has to do, and to whom. */
function retell(
  status: OrderTransactionStatus,
  { target, atMs }: Answer,
  { alarm, hasEnded }: HeardOf,
): OrderTransactionStatus {
  const told = { ...status, ...describe(status) };
  if (alarm === undefined) return clearAlarm(told, atMs, hasEnded);
  return told.waitingFor === target ? raiseAlarm(told, alarm, told.message, atMs) : told;
}

function nextAttempt(retry: Retry, attempts: number, jitter: number, atMs: number, retryAfterMs?: number): string {
  const delayMs =
    retryAfterMs === undefined
      ? retryDelayMs(retry, attempts, jitter)
      : askedForDelayMs(retry, attempts, retryAfterMs, jitter);
  return timeAfter(atMs, delayMs);
}

function timeAfter(atMs: number, delayMs: number): string {
  return new Date(atMs + delayMs).toISOString();
}

/**
 * When what a person should know is written down although nothing was decided (T6): with the first failed attempt, when
 * its sentence or a condition changes, and otherwise at most once a minute per transaction.
 */
import type { OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { conditionIsTrue, findCondition } from './conditions.ts';
import { isAboutHold, waitsOnlyForHold } from './hold.ts';
import { branchesOf, branchIsOpen, messagesOf, phaseOf } from './phase.ts';
import { raiseAlarm, slowSentence } from './sentences.ts';
import { keepStoredAnswers } from './stored-answers.ts';
import { createdAtMs, store, type Step, type View } from './step.ts';

const REPEAT_AFTER_MS = 60_000;

/** Puts a write before what was decided to do, where there is news; else wakes in time for the next piece of it. */
export function noticeTime(view: View, flow: TransactionFlow, step: Step, nowMs: number): Step {
  if (step.kind !== 'act') return step;
  const isOnHold = waitsOnlyForHold(view, flow);
  const heldUntilMs = isOnHold ? 0 : (view.heldUntilMs ?? 0);
  // Nobody was to do anything about it while it was on hold; and what was held by the thousand is not written by the thousand when
  // it goes on: most of it ends within the minute.
  const sinceMs = Math.max(createdAtMs(view.transaction), heldUntilMs);
  const toldAtMs = Math.max(view.storedAtMs, heldUntilMs);
  const stuckAtMs = isOnHold ? Infinity : sinceMs + flow.spec.stuckAfterSeconds * 1000;
  const isStuck = conditionIsTrue(view.status, 'Stuck');
  const status = isStuck
    ? withCurrentSentence(view.status, nowMs)
    : nowMs >= stuckAtMs
      ? takingTooLong(view.status, nowMs)
      : view.status;
  const stored = view.transaction.status ?? {};
  if (hasNews(stored, status)) return store('news', view, inItsPhase(view, status));
  const stale = hasProgress(stored, keepStoredAnswers(stored, status)) || isOldOfHold(stored, status);
  const waitedMs = nowMs - toldAtMs;
  // Below zero where the clock was set back: nobody knows how long it was.
  if (stale && (waitedMs >= REPEAT_AFTER_MS || waitedMs < 0)) return store('news', view, inItsPhase(view, status));
  const wakeTimes = [
    step.wakeAtMs,
    isStuck || stuckAtMs === Infinity ? undefined : stuckAtMs,
    stale ? toldAtMs + REPEAT_AFTER_MS : undefined,
  ].filter((time) => time !== undefined);
  return { ...step, wakeAtMs: wakeTimes.length > 0 ? Math.min(...wakeTimes) : undefined };
}

function takingTooLong(status: OrderTransactionStatus, nowMs: number): OrderTransactionStatus {
  const isKnown = status.waitingFor && status.message && !isAboutHold(status.message);
  const message = isKnown ? status.message : slowSentence(status);
  return raiseAlarm(status.waitingFor ? status : { ...status, message }, 'TakingTooLong', message, nowMs);
}

/** `kubectl describe` shows the condition: what it waits for may change while it takes too long. */
function withCurrentSentence(status: OrderTransactionStatus, nowMs: number): OrderTransactionStatus {
  const stuck = findCondition(status, 'Stuck');
  if (stuck?.reason !== 'TakingTooLong' || !status.message || stuck.message === status.message) return status;
  if (isAboutHold(status.message)) return status;
  return raiseAlarm(status, 'TakingTooLong', status.message, nowMs);
}

function hasNews(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  return (
    (saysAnother(stored, status) && !isOldOfHold(stored, status)) ||
    // An empty token is one too: taken and not stored, it would be taken again at once, for ever.
    stored.lastHandledRetryAt !== status.lastHandledRetryAt ||
    (stored.conditions !== status.conditions && conditionsText(stored) !== conditionsText(status))
  );
}

function saysAnother(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  return (stored.message ?? '') !== (status.message ?? '') || (stored.waitingFor ?? '') !== (status.waitingFor ?? '');
}

/**
 * A hold's reason has changed, or it has been released: not worth a write of its own for each of thousands at once. It is written
 * with what comes next, which after a release is mostly the end.
 */
function isOldOfHold(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  if (!isAboutHold(stored.message) || !saysAnother(stored, status)) return false;
  return isAboutHold(status.message) || !status.waitingFor;
}

function conditionsText(status: OrderTransactionStatus): string {
  return JSON.stringify(
    (status.conditions ?? []).map(({ type, status: value, reason, observedGeneration }) => [
      type,
      value,
      reason,
      observedGeneration,
    ]),
  );
}

function hasProgress(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  return areDifferent(branchesOf(stored), branchesOf(status)) || areDifferent(messagesOf(stored), messagesOf(status));
}

/** What no answer has touched is the very same list. */
function areDifferent(one: readonly object[], other: readonly object[]): boolean {
  return one !== other && JSON.stringify(one) !== JSON.stringify(other);
}

/** Trying and Delivering are stored only with news: on the happy path nobody sees them (T6). */
export function inItsPhase(view: View, status: OrderTransactionStatus): OrderTransactionStatus {
  const phase = phaseOf(view.transaction);
  if (status.decision === undefined) {
    const called = branchesOf(status).some((branch) => (branch.attempts ?? 0) > 0);
    return { ...status, phase: phase === 'Pending' && !called ? 'Pending' : 'Trying' };
  }
  const branchesDone = branchesOf(status).every((branch) => !branchIsOpen(branch, status.decision));
  return { ...status, phase: branchesDone ? 'Delivering' : phase };
}

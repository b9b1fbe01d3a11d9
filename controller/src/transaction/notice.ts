/**
 * When what a person should know is written down although nothing was decided (T6): its first trouble, a condition, and the answer
 * to an attempt that a person has asked for at once; else at most once a minute per transaction, taken over some time, and more seldom
 * where there are more than ten thousand.
 *
 * Ten thousand may fail at once, with sentences that alternate (503, time-out, 425). So each write of trouble uses up a minute: a new
 * sentence may be one minute ahead, attempts and times that say nothing new wait until all is made up for.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { conditionIsTrue, findCondition } from './conditions.ts';
import { fnv1a } from './fnv1a.ts';
import { isAboutHold, waitsOnlyForHold } from './hold.ts';
import { branchesOf, branchIsOpen, messagesOf, phaseOf } from './phase.ts';
import { describeEach, describeSlow, isOnlySlow, raiseAlarm } from './sentences.ts';
import { keepStoredAnswers } from './stored-answers.ts';
import { createdAtMs, store, type Step, type View } from './step.ts';

/** Each write of trouble is made up for by at least so long a time without one. */
const WRITE_EVERY_MS = 60_000;
/**
 * Where a replica carries more unfinished transactions than this, the minute is longer in proportion: all together write 167 times a
 * second then, a quarter of what an API server on two cores has room for; the rest is for those that go on.
 */
const UNFINISHED_PER_MINUTE = 10_000;
/**
 * So many of these minutes a write may be made ahead: the first trouble and what it turns out to be are told at once. With more,
 * transactions by the thousand whose sentences alternate would begin with more writes than the API server has room for.
 */
const AHEAD = 1;
/** However much was written at once meanwhile, which a person's requests may be: news that would be later than this are not waited for. */
const QUIET_MAX = AHEAD + 3;
/** What goes well again mostly ends soon, and the end is a write of its own; a queue of thousands takes this long. */
const WELL_FOR_MS = 30_000;

/** Puts a write before what was decided to do, where there is news; else wakes in time for the next piece of it. */
export function noticeTime(view: View, flow: TransactionFlow, step: Step, nowMs: number): Step {
  if (step.kind !== 'act') return step;
  const isOnHold = waitsOnlyForHold(view, flow);
  const heldUntilMs = isOnHold ? 0 : (view.heldUntilMs ?? 0);
  // Nobody was to do anything about it while it was on hold; and what was held by the thousand is not written by the thousand when
  // it goes on: most of it ends within the minute.
  const sinceMs = Math.max(createdAtMs(view.transaction), heldUntilMs);
  const stuckAtMs = isOnHold ? Infinity : sinceMs + flow.spec.stuckAfterSeconds * 1000;
  const isStuck = conditionIsTrue(view.status, 'Stuck');
  const status = isStuck
    ? withCurrentSentence(view.status, nowMs)
    : nowMs >= stuckAtMs
      ? takingTooLong(view.status, nowMs)
      : view.status;
  const writeAtMs = whenToWrite(view, status, heldUntilMs, nowMs);
  if (writeAtMs !== undefined && writeAtMs <= nowMs) return store('news', view, inItsPhase(view, status));
  // One that has passed brings nothing by itself: it would be waited for without end, at once.
  const alarmAtMs = isStuck || stuckAtMs === Infinity || stuckAtMs <= nowMs ? undefined : stuckAtMs;
  const wakeTimes = [step.wakeAtMs, alarmAtMs, writeAtMs].filter((time) => time !== undefined);
  return { ...step, wakeAtMs: wakeTimes.length > 0 ? Math.min(...wakeTimes) : undefined };
}

/** When the status is to be written, should nothing else come before; undefined where there is nothing to write. */
function whenToWrite(
  view: View,
  status: OrderTransactionStatus,
  heldUntilMs: number,
  nowMs: number,
): number | undefined {
  const stored = view.transaction.status ?? {};
  if (view.owesAnswer || isAnotherState(stored, status) || isSettledAnew(view, status)) return nowMs;
  const isLaterOfHold = isOldOfHold(stored, status);
  const hasSentence = (saysAnother(stored, status) && !isLaterOfHold) || failsAtAnother(stored, status);
  if (!hasSentence && !isLaterOfHold && !hasProgress(stored, keepStoredAnswers(stored, status))) return undefined;
  const everyMs = view.writeEveryMs;
  const spreadMs = spreadOf(view.transaction.metadata.uid, everyMs);
  const quietMs = Math.max(view.quietUntilMs, view.storedAtMs + everyMs, heldUntilMs + everyMs);
  // So late it cannot be: the clock was set back, and nobody knows how long it was; or there were many more, and are not now.
  if (quietMs - nowMs > QUIET_MAX * everyMs) return nowMs;
  if (!hasSentence) return quietMs + spreadMs;
  const soonMs = Math.max(nowMs, view.quietUntilMs - AHEAD * everyMs);
  // Stuck for long, it goes on: what it waits for just now is no trouble yet, and thousands may go on at once.
  const wellSinceMs = view.wellSinceMs ?? (isOnlySlow(status) ? view.storedAtMs : undefined);
  return wellSinceMs === undefined ? soonMs : Math.max(soonMs, wellSinceMs + WELL_FOR_MS);
}

/** What one write of a transaction's trouble is made up for by, with so many unfinished ones beside it. */
export function writeEveryMs(unfinished: number): number {
  return WRITE_EVERY_MS * Math.max(1, unfinished / UNFINISHED_PER_MINUTE);
}

/** By when its writes of trouble are made up for, with one more now. */
export function quietAfterWrite(
  { quietUntilMs, everyMs }: { readonly quietUntilMs: number; readonly everyMs: number },
  uid: string | undefined,
  nowMs: number,
): number {
  const untilMs = Math.max(nowMs, quietUntilMs) + everyMs;
  if (untilMs - nowMs <= AHEAD * everyMs) return untilMs;
  return Math.min(untilMs + spreadOf(uid, everyMs), nowMs + QUIET_MAX * everyMs);
}

/**
 * Whether this write ends what only a person ends: a missing flow, a suspension. The trouble after it is a first one and told at once;
 * by itself no transaction comes here twice, so thousands whose sentences alternate write no more by it.
 */
export function endsWhatPeopleEnd(
  stored: OrderTransactionStatus | undefined,
  written: OrderTransactionStatus,
): boolean {
  const isWithoutFlow = (status: OrderTransactionStatus | undefined): boolean =>
    conditionIsTrue(status, 'Stuck') && findCondition(status, 'Stuck')?.reason === 'FlowNotFound';
  const isSuspended = (status: OrderTransactionStatus | undefined): boolean => conditionIsTrue(status, 'Suspended');
  return (isWithoutFlow(stored) && !isWithoutFlow(written)) || (isSuspended(stored) && !isSuspended(written));
}

/** Of another process nobody knows; a restart among thousands in trouble is not to cost each of them more than one write. */
export function quietAtStart({ status }: OrderTransaction, nowMs: number): number {
  return status?.waitingFor ? nowMs + WRITE_EVERY_MS : 0;
}

/** A share of the time between two writes, always the same for one transaction: those that fail together are not told of together ever after. */
function spreadOf(uid = '', everyMs: number): number {
  return ((fnv1a(uid) % WRITE_EVERY_MS) / WRITE_EVERY_MS) * everyMs;
}

function takingTooLong(status: OrderTransactionStatus, nowMs: number): OrderTransactionStatus {
  const isKnown = status.waitingFor && status.message && !isAboutHold(status.message);
  const slow = describeSlow(status);
  const message = isKnown ? status.message : slow.message;
  return raiseAlarm(status.waitingFor ? status : { ...status, ...slow }, 'TakingTooLong', message, nowMs);
}

/** `kubectl describe` shows the condition: what it waits for may change while it takes too long. */
function withCurrentSentence(status: OrderTransactionStatus, nowMs: number): OrderTransactionStatus {
  const stuck = findCondition(status, 'Stuck');
  if (stuck?.reason !== 'TakingTooLong' || !status.message || stuck.message === status.message) return status;
  if (isAboutHold(status.message)) return status;
  return raiseAlarm(status, 'TakingTooLong', status.message, nowMs);
}

/** What is written at once: it is seldom, or a person waits for it. */
function isAnotherState(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  return (
    // An empty token is one too: taken and not stored, it would be taken again at once, for ever.
    stored.lastHandledRetryAt !== status.lastHandledRetryAt ||
    (stored.conditions !== status.conditions && conditionsText(stored) !== conditionsText(status))
  );
}

/** A person has settled a part of it, and the stored status does not say so yet: who did waits to see it. */
function isSettledAnew({ transaction }: View, status: OrderTransactionStatus): boolean {
  const { resolutions = [] } = transaction.spec;
  if (resolutions.length === 0) return false;
  const stored = statesOf(transaction.status ?? {});
  const now = statesOf(status);
  return resolutions.some(({ target }) => stored.get(target) !== now.get(target));
}

function statesOf(status: OrderTransactionStatus): ReadonlyMap<string, string> {
  return new Map([...branchesOf(status), ...messagesOf(status)].map(({ name, state }) => [name, state]));
}

function saysAnother(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  return (stored.message ?? '') !== (status.message ?? '') || (stored.waitingFor ?? '') !== (status.waitingFor ?? '');
}

/** Who fails besides the one that the sentence is about is read in the lists, and is an incident of its own. */
function failsAtAnother(stored: OrderTransactionStatus, status: OrderTransactionStatus): boolean {
  const known = new Set(describeEach(stored).map(({ waitingFor }) => waitingFor));
  return describeEach(status).some(({ waitingFor }) => !known.has(waitingFor));
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

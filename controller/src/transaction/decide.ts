/**
 * decide: what to do next for one transaction.
 *
 * A total function of what is stored, what was answered since, the flow and the time; it reads no clock and does
 * nothing itself. The reconcile loop (reconcile/) performs the step it returns and asks again. Numbers refer to
 * docs/reference/transaction.md.
 *
 * 1. No confirm or cancel is named before the *stored* copy carries the decision (T1).
 * 2. Under Cancel every branch is called, whatever its state (T5).
 * 3. The deadline counts only while an answer is missing, and only after each missing one was asked for by this process (T5);
 *    a call that waits to be sent holds neither the deadline nor a suspension up.
 * 4. Where the flow is missing or lacks one of the branches, nothing is called, decided or ended (T9).
 * 5. A happy transaction is stored twice: with its decision and with its end (T6).
 */
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { conditionIsTrue, findCondition } from './conditions.ts';
import { carryOut, withResolutions } from './carry-out.ts';
import { alarmIfTorn, tryAll } from './try-all.ts';
import { afterEnd } from './finish.ts';
import { isFinal } from './phase.ts';
import { endAlarm } from './sentences.ts';
import { noticeTime } from './notice.ts';
import { tellHold } from './hold.ts';
import { tellBrokerAway } from './publications.ts';
import { isKept, missingFlow, waitForFlow } from './flow-guard.ts';
import { acknowledgeResume, acknowledgeSuspend, takeRetryRequest, wakeForRetryRequest } from './requests.ts';
import { act, type Step, type View } from './step.ts';
import { tellWhoAnswersNobody } from './unanswering.ts';

export function decide(view: View, flow: TransactionFlow | undefined, nowMs: number): Step {
  if (isFinal(view.transaction.status?.phase)) return afterEnd(view, flow, nowMs);
  if (view.transaction.spec.suspend) return acknowledgeSuspend(view, nowMs);
  const resumed = acknowledgeResume(view, nowMs);
  const missing = missingFlow(resumed, flow);
  if (missing !== undefined) return waitForFlow(resumed, missing, nowMs);
  const usable = flow as TransactionFlow;
  if (!isKept(usable)) return noticeTime(resumed, usable, act([], [], []), nowMs);
  const known = tellWhoAnswersNobody(foundAgain(resumed, nowMs), usable);
  const asked = takeRetryRequest(known, nowMs);
  const told =
    asked.status.decision === undefined
      ? alarmIfTorn(asked, usable, nowMs)
      : tellBrokerAway(withResolutions(asked, nowMs), usable, nowMs);
  const all = tellHold(told, usable, nowMs);
  const step = all.status.decision === undefined ? tryAll(all, usable, nowMs) : carryOut(all, usable, nowMs);
  return wakeForRetryRequest(view, noticeTime(all, usable, step, nowMs), nowMs);
}

/** The flow is there: the alarm about it ends. */
function foundAgain(view: View, nowMs: number): View {
  if (!conditionIsTrue(view.status, 'Stuck') || findCondition(view.status, 'Stuck')?.reason !== 'FlowNotFound')
    return view;
  return { ...view, status: endAlarm({ ...view.status, message: '', waitingFor: '' }, nowMs) };
}

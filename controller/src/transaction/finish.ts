/**
 * The end of a transaction, and what may still follow it: best-effort messages, which never hold it up (T8).
 */
import type { OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { withCondition } from './conditions.ts';
import { finalPhaseFor, messageIsOpen, messagesOf, needsWork } from './phase.ts';
import { givenUp, publishDue } from './publications.ts';
import { endAlarm, whyCancelled } from './sentences.ts';
import { store, timeOf, type Step, type View } from './step.ts';

/** One write: every branch and reliable message, the final phase, its conditions, and when it may be removed. */
export function finish(view: View, flow: TransactionFlow, nowMs: number): Step {
  const { decision } = view.status;
  if (decision === undefined) throw new Error('a transaction cannot end before its decision');
  const phase = finalPhaseFor(decision);
  const succeeded = phase === 'Succeeded';
  const why = whyCancelled(view.status);
  const reason = view.status.decisionReason ?? phase;
  const ended: OrderTransactionStatus = {
    ...givenUp(view.status, flow, nowMs, view.unended),
    phase,
    message: why,
    waitingFor: '',
    finishedAt: new Date(nowMs).toISOString(),
  };
  const finished = withCondition(ended, { type: 'Finished', status: 'True', reason: phase, message: why }, nowMs);
  const conditions = withCondition(
    finished,
    { type: 'Succeeded', status: succeeded ? 'True' : 'False', reason, message: why },
    nowMs,
  );
  return store('end', view, withExpiry(endAlarm(conditions, nowMs), flow.spec.ttlSecondsAfterFinished, nowMs));
}

/** A final transaction rests, unless best-effort messages are not through yet. Without its flow they cannot be any more. */
export function afterEnd(view: View, flow: TransactionFlow | undefined, nowMs: number): Step {
  if (!needsWork(view.status)) return { kind: 'rest' };
  if (flow === undefined) return store('end', view, withExpiry(abandonMessages(view.status), 0, nowMs));
  const status = givenUp(view.status, flow, nowMs, view.unended);
  if (messagesOf(status).some(messageIsOpen)) return publishDue({ ...view, status }, flow, nowMs);
  return store('end', view, withExpiry(status, flow.spec.ttlSecondsAfterFinished, nowMs));
}

function abandonMessages(status: OrderTransactionStatus): OrderTransactionStatus {
  const messages = messagesOf(status).map((message) =>
    messageIsOpen(message) ? { ...message, state: 'GaveUp' as const } : message,
  );
  return messages.length > 0 ? { ...status, messages } : status;
}

/**
 * The minute after which it may be removed; absent while a message is not through: removal waits for it. Never one that has passed:
 * whoever removes is done with those.
 */
function withExpiry(status: OrderTransactionStatus, ttlSeconds: number, nowMs: number): OrderTransactionStatus {
  if (messagesOf(status).some(messageIsOpen)) return status;
  const removable = new Date(Math.max(nowMs, timeOf(status.finishedAt) + ttlSeconds * 1000)).toISOString();
  return { ...status, expires: `${removable.slice(0, MINUTE_CHARS)}Z` };
}

/** `2026-11-22T23:15` of an ISO time. */
const MINUTE_CHARS = 16;

/**
 * Before the decision: ask every branch to try, and decide as soon as the answers, a request or the deadline allow it.
 */
import type { Branch, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { dueCalls } from './calls.ts';
import { branchFrom, messageFrom } from './carried.ts';
import { clip, CONDITION_MESSAGE_CHARS_MAX, withCondition } from './conditions.ts';
import { holdOf, isHeld } from './hold.ts';
import { branchesOf, isConfirmedBefore, messagesOf } from './phase.ts';
import { raiseAlarm, withNext } from './sentences.ts';
import { act, createdAtMs, store, type Step, type View } from './step.ts';

type DecisionReason = 'AllTried' | 'Refused' | 'DeadlineExceeded' | 'CancelRequested';

interface Decided {
  readonly reason: DecisionReason;
  /** One sentence for people: kubectl, and through Ordertx-Detail the customer. Empty for a Confirm. */
  readonly why: string;
}

export function tryAll(view: View, flow: TransactionFlow, nowMs: number): Step {
  const decided = decidedBy(view, flow, nowMs);
  if (decided) return store('decision', view, decisionStatus(view, flow, decided, nowMs));
  const deadlineMs = deadlineOf(view, flow);
  // One attempt each: what could not be sent then comes again by its back-off, like everything else.
  const hurried = (branch: Branch): boolean => nowMs >= deadlineMs && !view.attempted.has(branch.name);
  const { calls, wakeAtMs } = dueCalls(view, flow, nowMs, hurried);
  const tries = calls.map((call) => ({ ...call, overdue: nowMs >= deadlineMs && !view.asked.has(call.branch) }));
  return act(tries, [], [wakeAtMs, deadlineMs > nowMs ? deadlineMs : undefined]);
}

function deadlineOf(view: View, flow: TransactionFlow): number {
  return createdAtMs(view.transaction) + flow.spec.timeoutSeconds * 1000;
}

function decidedBy(view: View, flow: TransactionFlow, nowMs: number): Decided | undefined {
  const missing = missingOf(view);
  if (missing.length === 0 && !view.transaction.spec.cancelRequested) return { reason: 'AllTried', why: '' };
  const reason = reasonToCancel(view, flow, nowMs);
  return isConfirmedBefore(view.status) ? undefined : reason;
}

function missingOf(view: View): readonly Branch[] {
  return branchesOf(view.status).filter((branch) => branch.state !== 'Tried');
}

function reasonToCancel(view: View, flow: TransactionFlow, nowMs: number): Decided | undefined {
  if (view.transaction.spec.cancelRequested)
    return { reason: 'CancelRequested', why: 'its cancellation was requested' };
  const missing = missingOf(view);
  const refused = missing.find((branch) => branch.state === 'Refused');
  if (refused) return { reason: 'Refused', why: `${refused.name} refused: ${refused.lastError ?? 'no reason given'}` };
  const wasAsked = (branch: string): boolean =>
    view.asked.has(branch) || view.deafToAll.has(branch) || isHeld(flow, branch);
  const everyOneWasAsked = missing.every(({ name }) => wasAsked(name) && !view.busy.has(name));
  if (nowMs < deadlineOf(view, flow) || !everyOneWasAsked) return undefined;
  return { reason: 'DeadlineExceeded', why: deadlineSentence(missing, flow) };
}

/**
 * One participant has confirmed it before, in a life that the store has forgotten, and something speaks for Cancel. To cancel
 * would split the transaction, so it goes on asking and calls a person (T5).
 */
export function alarmIfTorn(view: View, flow: TransactionFlow, nowMs: number): View {
  const confirmed = branchesOf(view.status).find((branch) => branch.confirmedBefore === true);
  if (confirmed === undefined) return view;
  const reason = reasonToCancel(view, flow, nowMs);
  if (reason === undefined) return view;
  const sentence = withNext(
    `${confirmed.name} has confirmed it before, so it is not cancelled although ${reason.why}`,
    reason.reason === 'CancelRequested'
      ? 'it stays so until it is given up and created again'
      : 'those that have not tried are asked again, until their data agrees with the Confirm',
  );
  const told = { ...view.status, message: sentence, waitingFor: missingOf(view)[0]?.name ?? confirmed.name };
  return { ...view, status: raiseAlarm(told, 'ConfirmedBefore', sentence, nowMs) };
}

function deadlineSentence(missing: readonly Branch[], flow: TransactionFlow): string {
  const parts = missing.map(({ name, lastError }) => {
    const why = holdOf(flow, name) ?? lastError;
    return why ? `${name} (${why})` : name;
  });
  return `no answer to the try within ${flow.spec.timeoutSeconds} s from ${parts.join(', ')}`;
}

/** The decision is stored on its own, with all its branches and messages named, before anything is confirmed or cancelled (T1). */
function decisionStatus(view: View, flow: TransactionFlow, decided: Decided, nowMs: number): OrderTransactionStatus {
  const decision = decided.reason === 'AllTried' ? 'Confirm' : 'Cancel';
  const when = decision === 'Confirm' ? 'Confirmed' : 'Cancelled';
  const messages = (flow.spec.messages ?? [])
    .filter((template) => template.when === when)
    .map(({ name, delivery }) => {
      const before = messagesOf(view.status).find((message) => message.name === name);
      return messageFrom(before, { name, delivery, state: 'Pending', attempts: 0 });
    });
  const why = clip(decided.why, CONDITION_MESSAGE_CHARS_MAX);
  const status: OrderTransactionStatus = {
    ...view.status,
    phase: decision === 'Confirm' ? 'Confirming' : 'Cancelling',
    decision,
    decisionReason: decided.reason,
    decidedAt: new Date(nowMs).toISOString(),
    message: why,
    waitingFor: '',
    // Attempts and errors are those of the operation under way: the tries' end here.
    branches: branchesOf(view.status).map((branch) =>
      branchFrom(branch, { name: branch.name, state: branch.state, attempts: 0 }),
    ),
    ...(messages.length > 0 ? { messages } : {}),
  };
  if (decision === 'Confirm') return status;
  return withCondition(status, { type: 'Succeeded', status: 'False', reason: decided.reason, message: why }, nowMs);
}

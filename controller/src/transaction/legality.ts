/**
 * Which step from one stored status to the next is legal: the controller's own check before every write.
 *
 * The API server refuses the worst of these by itself (crds/ordertransaction.yaml); the others were too dear there
 * (docs/adr/0001). A violation found here is a bug of ours, never an answer to anybody.
 */
import type { Branch, OrderTransactionStatus, Phase } from '../../../crds/generated/ordertransaction.ts';
import {
  branchesOf,
  endStateFor,
  finalPhaseFor,
  isConfirmedBefore,
  isFinal,
  messageIsOpen,
  messagesOf,
} from './phase.ts';

const NEXT_PHASES: Readonly<Record<Phase, readonly Phase[]>> = {
  Pending: ['Trying', 'Confirming', 'Cancelling'],
  Trying: ['Confirming', 'Cancelling'],
  Confirming: ['Delivering', 'Succeeded'],
  Cancelling: ['Delivering', 'Cancelled'],
  Delivering: ['Succeeded', 'Cancelled'],
  Succeeded: [],
  Cancelled: [],
};

/** @returns what is illegal about the step, in one sentence; undefined when it is legal */
export function illegalStep(
  before: OrderTransactionStatus | undefined,
  after: OrderTransactionStatus,
): string | undefined {
  return (
    illegalPhase(before?.phase ?? 'Pending', after.phase ?? 'Pending') ??
    illegalDecision(before, after) ??
    illegalBranches(before, after) ??
    illegalMessages(before, after) ??
    unfinishedEnd(after)
  );
}

function illegalPhase(before: Phase, after: Phase): string | undefined {
  if (before === after || NEXT_PHASES[before].includes(after)) return undefined;
  return `phase ${before} does not go on to ${after}`;
}

function illegalDecision(
  before: OrderTransactionStatus | undefined,
  after: OrderTransactionStatus,
): string | undefined {
  const { decision, phase = 'Pending' } = after;
  if (before?.decision !== undefined && before.decision !== decision) return 'the decision is write-once';
  if ((phase === 'Pending' || phase === 'Trying') === (decision !== undefined))
    return `phase ${phase} and decision disagree`;
  if (decision === undefined) return undefined;
  const isFirst = before?.decision === undefined;
  if (isFirst && decision === 'Cancel' && isConfirmedBefore(before ?? {}))
    return 'a participant has confirmed it before: it is not cancelled';
  const opening = decision === 'Confirm' ? 'Confirming' : 'Cancelling';
  if (isFirst && phase !== opening)
    return 'the decision is stored on its own, before anything is confirmed or cancelled';
  const other = decision === 'Confirm' ? ['Cancelling', 'Cancelled'] : ['Confirming', 'Succeeded'];
  if (other.includes(phase)) return `phase ${phase} and decision ${decision} disagree`;
  if (branchesOf(after).length === 0) return 'a decision names its branches';
  if ((after.decisionReason === 'AllTried') !== (decision === 'Confirm')) {
    return `decision ${decision} and its reason ${after.decisionReason ?? '(none)'} disagree`;
  }
  return undefined;
}

function illegalBranches(
  before: OrderTransactionStatus | undefined,
  after: OrderTransactionStatus,
): string | undefined {
  const branches = branchesOf(after);
  for (const old of branchesOf(before ?? {})) {
    const now = branches.find((branch) => branch.name === old.name);
    if (!now) return `branch ${old.name} was removed`;
    if (!isLegalBranchStep(old, now)) return `branch ${old.name} does not go from ${old.state} to ${now.state}`;
  }
  if (before?.decision !== undefined && branches.length !== branchesOf(before).length) {
    return 'the branches are fixed once decided';
  }
  const allowed: readonly string[] =
    after.decision === undefined
      ? ['Untried', 'Tried', 'Refused']
      : after.decision === 'Confirm'
        ? ['Tried', 'Confirmed']
        : ['Untried', 'Tried', 'Refused', 'Cancelled'];
  const wrong = branches.find((branch) => !allowed.includes(branch.state));
  return wrong && `branch ${wrong.name} is ${wrong.state} under ${after.decision ?? 'no'} decision`;
}

function isLegalBranchStep(before: Branch, after: Branch): boolean {
  if (before.state === after.state) return true;
  switch (before.state) {
    case 'Untried':
      return after.state !== 'Confirmed';
    case 'Tried':
      return after.state === 'Confirmed' || after.state === 'Cancelled';
    case 'Refused':
      return after.state === 'Cancelled';
    case 'Confirmed':
    case 'Cancelled':
      return false;
  }
}

function illegalMessages(
  before: OrderTransactionStatus | undefined,
  after: OrderTransactionStatus,
): string | undefined {
  const messages = messagesOf(after);
  for (const old of messagesOf(before ?? {})) {
    const now = messages.find((message) => message.name === old.name);
    if (!now) return `message ${old.name} was removed`;
    if (now.state !== old.state && !messageIsOpen(old)) return `message ${old.name} does not leave ${old.state}`;
  }
  const { decision } = after;
  if (decision === undefined) return messages.length > 0 ? 'messages come with the decision' : undefined;
  const isFirst = before?.decision === undefined;
  if (!isFirst && messages.length !== messagesOf(before).length) return 'the messages are fixed once decided';
  const early = messages.find((message) => message.state !== 'Pending');
  if (isFirst && early) return `message ${early.name} is ${early.state} although it was just named`;
  const gaveUp = messages.find((message) => message.state === 'GaveUp' && message.delivery === 'Reliable');
  return gaveUp && `message ${gaveUp.name} is reliable and is never given up`;
}

function unfinishedEnd(after: OrderTransactionStatus): string | undefined {
  const { phase, decision } = after;
  if (decision === undefined || (phase !== 'Delivering' && !isFinal(phase))) return undefined;
  const open = branchesOf(after).find((branch) => branch.state !== endStateFor(decision));
  if (open) return `branch ${open.name} has not ended, yet the phase is ${phase}`;
  if (!isFinal(phase)) return undefined;
  if (after.finishedAt === undefined) return 'a final phase says when it was reached';
  if (phase !== finalPhaseFor(decision)) return `phase ${phase} does not end a ${decision}`;
  const undelivered = messagesOf(after).find((message) => message.delivery === 'Reliable' && messageIsOpen(message));
  return undelivered && `message ${undelivered.name} is not delivered, yet the phase is ${phase}`;
}

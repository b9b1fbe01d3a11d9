/**
 * Participants and messages that their flow has put on hold: nothing is sent to them, and whoever waits for nothing else says so and
 * alarms nobody.
 *
 * A hold is a person's decision not to ask. So it counts as no answer: the deadline decides as it does about a participant that gives
 * none (T5).
 */
import type { OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { clip, CONDITION_MESSAGE_CHARS_MAX, conditionIsTrue, findCondition } from './conditions.ts';
import {
  branchesOf,
  branchIsOpen,
  isAboutHold,
  isConfirmedBefore,
  isFinal,
  messageIsOpen,
  messagesOf,
  ON_HOLD,
} from './phase.ts';
import { describe, endAlarm } from './sentences.ts';
import type { View } from './step.ts';

export { isAboutHold };

type Worked = Pick<View, 'transaction' | 'status'>;

/** Own members only: `constructor` and the like are names that a participant may have. */
function reasonOf({ spec: { hold = {} } }: TransactionFlow, target: string): string | undefined {
  return Object.hasOwn(hold, target) ? hold[target] : undefined;
}

export function isHeld(flow: TransactionFlow, target: string): boolean {
  return reasonOf(flow, target) !== undefined;
}

/** What a person reads of a held participant or message. */
export function holdOf(flow: TransactionFlow, target: string): string | undefined {
  const reason = reasonOf(flow, target);
  return reason === undefined ? undefined : `${ON_HOLD}${reason}`;
}

/** The branches, or once those have ended the reliable messages, that it waits for and that nobody has settled by hand. */
function waitedFor({ transaction, status }: Worked): readonly string[] {
  const settled = new Set((transaction.spec.resolutions ?? []).map(({ target }) => target));
  return openTargets(status).filter((target) => !settled.has(target));
}

function openTargets(status: OrderTransactionStatus): readonly string[] {
  const branches = branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision));
  if (status.decision === undefined || branches.length > 0) return branches.map(({ name }) => name);
  return messagesOf(status)
    .filter((message) => message.delivery === 'Reliable' && messageIsOpen(message))
    .map(({ name }) => name);
}

/** Whether all that is still to be done for it is on hold. */
export function waitsOnlyForHold(worked: Worked, flow: TransactionFlow): boolean {
  if (flow.spec.hold === undefined) return false;
  const targets = waitedFor(worked);
  return targets.length > 0 && targets.every((target) => isHeld(flow, target));
}

/**
 * Says what is on hold, unless something else is wrong: a participant that fails is more than one that is not asked. A hold that has
 * ended is said no more.
 */
export function tellHold(view: View, flow: TransactionFlow, nowMs: number): View {
  const isTorn = isConfirmedBefore(view.status) && conditionIsTrue(view.status, 'Stuck');
  if (isFinal(view.status.phase) || isTorn) return view;
  const held = waitedFor(view).filter((target) => isHeld(flow, target));
  if (held.length === 0) {
    if (!isAboutHold(view.status.message)) return view;
    return { ...view, status: { ...view.status, ...describe(view.status) } };
  }
  const others = describe(withoutErrorsOf(view.status, held));
  const status = { ...view.status, ...(others.waitingFor === '' ? sentenceOf(held, flow, view.status) : others) };
  const isSlow = findCondition(status, 'Stuck')?.reason === 'TakingTooLong';
  return { ...view, status: isSlow && waitsOnlyForHold(view, flow) ? endAlarm(status, nowMs) : status };
}

function sentenceOf(held: readonly string[], flow: TransactionFlow, status: OrderTransactionStatus) {
  const parts = held.map((target) => `${target} (${reasonOf(flow, target) ?? ''})`);
  const deadline = status.decision === undefined ? '; the deadline runs on' : '';
  const message = clip(`${ON_HOLD}${parts.join(', ')}${deadline}`, CONDITION_MESSAGE_CHARS_MAX);
  return { message, waitingFor: held[0] ?? '' };
}

function withoutErrorsOf(status: OrderTransactionStatus, targets: readonly string[]): OrderTransactionStatus {
  const branches = branchesOf(status).filter(({ name }) => !targets.includes(name));
  const messages = messagesOf(status).filter(({ name }) => !targets.includes(name));
  return { ...status, branches, messages };
}

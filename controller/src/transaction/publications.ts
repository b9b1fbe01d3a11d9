/**
 * Which messages are to be published now (T7, T8).
 *
 * A Reliable message is published until its receipt comes. A BestEffort one is published at most maxAttempts times; from
 * the second on the publication is counted in the stored status first, so that a crash can lose one but never add one. None is
 * counted while the one before is still in its consumer's hand, or while the broker is away: it would be used up for nothing.
 *
 * While the broker is away nothing is attempted and nothing is waited for by the clock: whoever works the loop comes back for all
 * of them when the broker takes messages again.
 */
import type { Message, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { isHeld } from './hold.ts';
import { branchesOf, branchIsOpen, messageIsOpen, messagesOf } from './phase.ts';
import { dueByChangeMs } from './requests.ts';
import { dueMs, republishDelayMs } from './retry.ts';
import { describe } from './sentences.ts';
import { act, stamped, type Publication, type Step, type View } from './step.ts';

export function publishDue(view: View, flow: TransactionFlow, nowMs: number): Step {
  const status = givenUp(view.status, flow, nowMs, view.unended);
  const current = { ...view, status };
  const idle = messagesOf(status).filter(
    ({ name, ...message }) =>
      messageIsOpen({ name, ...message }) && !isHeld(flow, name) && !view.busy.has(name) && !view.unended.has(name),
  );
  const dueAtMs = ({ name, delivery, nextAttemptTime }: Message): number => {
    const byReleaseMs = delivery === 'Reliable' ? dueByChangeMs(view.released, name, nowMs) : Infinity;
    return Math.min(byReleaseMs, dueMs(nextAttemptTime, flow.spec.retry, nowMs));
  };
  const due = idle.filter((message) => dueAtMs(message) <= nowMs);
  const waiting = idle.filter((message) => !due.includes(message)).map(dueAtMs);
  if (view.brokerAway !== undefined) return act([], [], waiting);
  const repeated = due.filter((message) => message.delivery === 'BestEffort' && (message.attempts ?? 0) > 0);
  if (repeated.length > 0) return countThenPublish(current, flow, repeated, nowMs);
  return act([], due.map(nextPublication), waiting);
}

/** Says of what is due that the broker is away, as a publication in vain would have. */
export function tellBrokerAway(view: View, flow: TransactionFlow, nowMs: number): View {
  const { brokerAway, status, busy } = view;
  if (brokerAway === undefined || branchesOf(status).some((branch) => branchIsOpen(branch, status.decision)))
    return view;
  const concerns = (message: Message): boolean =>
    message.delivery === 'Reliable' &&
    message.state === 'Pending' &&
    message.lastError !== brokerAway &&
    !busy.has(message.name) &&
    !isHeld(flow, message.name) &&
    dueMs(message.nextAttemptTime, flow.spec.retry, nowMs) <= nowMs;
  if (!messagesOf(status).some(concerns)) return view;
  const messages = messagesOf(status).map((each) => (concerns(each) ? { ...each, lastError: brokerAway } : each));
  const told = { ...status, messages };
  return { ...view, status: { ...told, ...describe(told) } };
}

/** Best effort ends when its last publication has had its time, and is in nobody's hand any more. */
export function givenUp(
  status: OrderTransactionStatus,
  flow: TransactionFlow,
  nowMs: number,
  unended: View['unended'],
): OrderTransactionStatus {
  const over = (message: Message): boolean =>
    message.delivery === 'BestEffort' &&
    message.state === 'Pending' &&
    !unended.has(message.name) &&
    (message.attempts ?? 0) >= (templateOf(flow, message)?.maxAttempts ?? 1) &&
    dueMs(message.nextAttemptTime, flow.spec.retry, nowMs) <= nowMs;
  if (!messagesOf(status).some(over)) return status;
  const messages = messagesOf(status).map((message): Message => {
    if (!over(message)) return message;
    const { nextAttemptTime: _, ...rest } = message;
    return { ...rest, state: 'GaveUp' };
  });
  return { ...status, messages };
}

function countThenPublish(view: View, flow: TransactionFlow, repeated: readonly Message[], nowMs: number): Step {
  const messages = messagesOf(view.status).map((message): Message => {
    if (!repeated.includes(message)) return message;
    const attempts = (message.attempts ?? 0) + 1;
    // No jitter: what was counted must read the same wherever it is computed; the first publication has spread them.
    const delayMs = republishDelayMs(flow.spec.retry, attempts, 0.5);
    return { ...message, attempts, nextAttemptTime: new Date(nowMs + delayMs).toISOString() };
  });
  const status = stamped(view, { ...view.status, messages });
  return { kind: 'store', why: 'news', status, publications: repeated.map(nextPublication) };
}

function nextPublication(message: Message): Publication {
  return { message: message.name, attempt: (message.attempts ?? 0) + 1 };
}

function templateOf(flow: TransactionFlow, message: Message): MessageTemplate | undefined {
  return flow.spec.messages?.find((template) => template.name === message.name);
}

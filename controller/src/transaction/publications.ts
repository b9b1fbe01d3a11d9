/**
 * Which messages are to be published now (T7, T8).
 *
 * A Reliable message is published until its receipt comes. A BestEffort one is published at most maxAttempts times; from
 * the second on the publication is counted in the stored status first, so that a crash can lose one but never add one.
 */
import type { Message, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { MessageTemplate, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { messageIsOpen, messagesOf } from './phase.ts';
import { dueMs, republishDelayMs } from './retry.ts';
import { act, stamped, type Publication, type Step, type View } from './step.ts';

export function publishDue(view: View, flow: TransactionFlow, nowMs: number): Step {
  const status = givenUp(view.status, flow, nowMs);
  const current = { ...view, status };
  const idle = messagesOf(status).filter((message) => messageIsOpen(message) && !view.busy.has(message.name));
  const dueAtMs = (message: Message): number => dueMs(message.nextAttemptTime, flow.spec.retry, nowMs);
  const due = idle.filter((message) => dueAtMs(message) <= nowMs);
  const repeated = due.filter((message) => message.delivery === 'BestEffort' && (message.attempts ?? 0) > 0);
  if (repeated.length > 0) return countThenPublish(current, flow, repeated, nowMs);
  const waiting = idle.filter((message) => !due.includes(message)).map(dueAtMs);
  return act([], due.map(nextPublication), waiting);
}

/** Best effort ends when its last publication has had its time. */
export function givenUp(status: OrderTransactionStatus, flow: TransactionFlow, nowMs: number): OrderTransactionStatus {
  const over = (message: Message): boolean =>
    message.delivery === 'BestEffort' &&
    message.state === 'Pending' &&
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

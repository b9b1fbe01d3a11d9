/**
 * After the decision: confirm or cancel every branch, then deliver every message, then end.
 *
 * Nothing is stored in between unless there is trouble to tell: the end is one write (T6).
 */
import type { OrderTransactionStatus, Resolution } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { dueCalls } from './calls.ts';
import { branchFrom, messageFrom } from './carried.ts';
import { finish } from './finish.ts';
import { branchesOf, branchIsOpen, messageIsOpen, messagesOf } from './phase.ts';
import { publishDue } from './publications.ts';
import { clearAlarm, describe } from './sentences.ts';
import { act, type Step, type View } from './step.ts';

/** @param view with what people have settled */
export function carryOut(view: View, flow: TransactionFlow, nowMs: number): Step {
  const { status } = view;
  if (branchesOf(status).some((branch) => branchIsOpen(branch, status.decision))) {
    const { calls, wakeAtMs } = dueCalls(view, flow, nowMs, () => false);
    return act(calls, [], [wakeAtMs]);
  }
  const awaited = messagesOf(status).some((message) => message.delivery === 'Reliable' && messageIsOpen(message));
  return awaited ? publishDue(view, flow, nowMs) : finish(view, flow, nowMs);
}

/** What a person has settled by hand counts as done and is not called any more. */
export function withResolutions(view: View, nowMs: number): View {
  const resolutions = view.transaction.spec.resolutions ?? [];
  if (resolutions.length === 0) return view;
  const settled = resolutions.reduce(settle, view.status);
  if (settled === view.status) return view;
  return { ...view, status: clearAlarm({ ...settled, ...describe(settled) }, nowMs, true) };
}

function settle(status: OrderTransactionStatus, resolution: Resolution): OrderTransactionStatus {
  const { target, as } = resolution;
  if (as === 'Delivered') {
    const open = messagesOf(status).some((message) => message.name === target && messageIsOpen(message));
    if (!open) return status;
    const messages = messagesOf(status).map((message) =>
      message.name === target
        ? messageFrom(message, { name: target, delivery: message.delivery, state: as, attempts: message.attempts ?? 0 })
        : message,
    );
    return { ...status, messages };
  }
  const open = branchesOf(status).some((branch) => branch.name === target && branchIsOpen(branch, status.decision));
  if (!open) return status;
  const branches = branchesOf(status).map((branch) =>
    branch.name === target ? branchFrom(branch, { name: target, state: as, attempts: branch.attempts ?? 0 }) : branch,
  );
  return { ...status, branches };
}

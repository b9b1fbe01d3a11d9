/**
 * T9: without the flow that it was begun under, a transaction is not called, not decided and not finished; it waits.
 */
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { branchesOf, FLOW_FINALIZER, isBegun, messageIsOpen, messagesOf } from './phase.ts';
import { conditionIsTrue, findCondition } from './conditions.ts';
import { inItsPhase } from './notice.ts';
import { raiseAlarm } from './sentences.ts';
import { act, createdAtMs, store, timeOf, type Step, type View } from './step.ts';

/**
 * Whether the flow is kept for what is begun under it. Until the finalizer is stored nothing is called: such a flow could go, and
 * come back with fewer participants, without anybody who would know (T9). A flow is looked at again when it changes.
 */
export function isKept(flow: TransactionFlow): boolean {
  return flow.metadata.finalizers?.includes(FLOW_FINALIZER) === true;
}

/** The sentence that says what is wrong with the flow; undefined where the transaction may go on. */
export function missingFlow(view: View, flow: TransactionFlow | undefined): string | undefined {
  const name = view.transaction.spec.flow;
  if (flow === undefined) return `the TransactionFlow ${name} does not exist in this namespace: create it`;
  const { deletionTimestamp } = flow.metadata;
  const isYounger = deletionTimestamp !== undefined && timeOf(deletionTimestamp) <= createdAtMs(view.transaction);
  if (isYounger && !isBegun(view.status)) {
    return `the TransactionFlow ${name} was being deleted when this transaction was created: create it again`;
  }
  const participants = new Set(flow.spec.participants.map((participant) => participant.name));
  const branch = branchesOf(view.status).find((each) => !participants.has(each.name));
  if (branch)
    return `the TransactionFlow ${name} lacks this transaction's participant ${branch.name}: create it again with all of them`;
  const templates = new Set((flow.spec.messages ?? []).map((template) => template.name));
  const message = messagesOf(view.status).find((each) => messageIsOpen(each) && !templates.has(each.name));
  if (message)
    return `the TransactionFlow ${name} lacks this transaction's message ${message.name}: create it again with all of them`;
  return undefined;
}

/**
 * The branches known so far are stored with the alarm, so that none is forgotten should the flow come back with fewer. Flows and
 * transactions are watched apart, and a transaction may be heard of before the flow that it was created after: nothing is said
 * before the API server itself was asked.
 */
export function waitForFlow(view: View, sentence: string, nowMs: number): Step {
  const told = { ...view.status, message: sentence, waitingFor: '' };
  const status = raiseAlarm(told, 'FlowNotFound', sentence, nowMs);
  const stored = view.transaction.status;
  const known =
    conditionIsTrue(stored, 'Stuck') &&
    findCondition(stored, 'Stuck')?.reason === 'FlowNotFound' &&
    stored?.message === sentence &&
    branchesOf(stored).length === branchesOf(view.status).length;
  if (known) return act([], [], []);
  return view.flowIsRead ? store('news', view, inItsPhase(view, status)) : { kind: 'read-flow' };
}

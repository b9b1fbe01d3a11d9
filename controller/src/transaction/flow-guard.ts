/**
 * T9: without the flow that it was begun under, a transaction is not called, not decided and not finished; it waits.
 */
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { branchesOf, FLOW_FINALIZER, isBegun, messageIsOpen, messagesOf } from './phase.ts';
import { conditionIsTrue, findCondition } from './conditions.ts';
import { inItsPhase } from './notice.ts';
import { raiseAlarm, withNext, type Description } from './sentences.ts';
import { act, createdAtMs, store, timeOf, type Step, type View } from './step.ts';

/**
 * Whether the flow is kept for what is begun under it. Until the finalizer is stored nothing is called: such a flow could go, and
 * come back with fewer participants, without anybody who would know (T9). A flow is looked at again when it changes.
 */
export function isKept(flow: TransactionFlow): boolean {
  return flow.metadata.finalizers?.includes(FLOW_FINALIZER) === true;
}

/** What is wrong with the flow, and whom or what it lacks; undefined where the transaction may go on. */
export function missingFlow(view: View, flow: TransactionFlow | undefined): Description | undefined {
  const name = view.transaction.spec.flow;
  const missing = (waitingFor: string, sentence: string): Description => ({
    waitingFor,
    message: withNext(sentence, 'nothing is called, decided or ended until then; the deadline does not decide either'),
  });
  if (flow === undefined)
    return missing(name, `the TransactionFlow ${name} does not exist in this namespace: create it`);
  const { deletionTimestamp } = flow.metadata;
  const isYounger = deletionTimestamp !== undefined && timeOf(deletionTimestamp) <= createdAtMs(view.transaction);
  if (isYounger && !isBegun(view.status)) {
    const sentence = `the TransactionFlow ${name} was being deleted when this transaction was created: create it again`;
    return missing(name, sentence);
  }
  const participants = new Set(flow.spec.participants.map((participant) => participant.name));
  const branch = branchesOf(view.status).find((each) => !participants.has(each.name));
  const lacks = (what: string, target: string): Description =>
    missing(
      target,
      `the TransactionFlow ${name} lacks this transaction's ${what} ${target}: create it again with all of them`,
    );
  if (branch) return lacks('participant', branch.name);
  const templates = new Set((flow.spec.messages ?? []).map((template) => template.name));
  const message = messagesOf(view.status).find((each) => messageIsOpen(each) && !templates.has(each.name));
  return message && lacks('message', message.name);
}

/**
 * The branches known so far are stored with the alarm, so that none is forgotten should the flow come back with fewer. Flows and
 * transactions are watched apart, and a transaction may be heard of before the flow that it was created after: nothing is said
 * before the API server itself was asked.
 */
export function waitForFlow(view: View, missing: Description, nowMs: number): Step {
  const status = raiseAlarm({ ...view.status, ...missing }, 'FlowNotFound', missing.message, nowMs);
  const stored = view.transaction.status;
  const known =
    conditionIsTrue(stored, 'Stuck') &&
    findCondition(stored, 'Stuck')?.reason === 'FlowNotFound' &&
    stored?.message === missing.message &&
    stored.waitingFor === missing.waitingFor &&
    conditionIsTrue(stored, 'Suspended') === conditionIsTrue(status, 'Suspended') &&
    branchesOf(stored).length === branchesOf(view.status).length;
  if (known) return act([], [], []);
  return view.flowIsRead ? store('news', view, inItsPhase(view, status)) : { kind: 'read-flow' };
}

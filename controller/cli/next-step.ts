/**
 * What the controller will do next for a transaction, by its own `decide`, as far as the stored copy tells.
 *
 * The stored copy does not say what a running controller remembers: which tries it has sent since it started, what is under way, what
 * waits for room. So decide is asked twice, as if everything had been asked and as if nothing had; where the two differ, only the
 * controller's port knows, and that is said.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { decide } from '../src/transaction/decide.ts';
import { isHeld } from '../src/transaction/hold.ts';
import { writeEveryMs } from '../src/transaction/notice.ts';
import { branchesOf, branchIsOpen, isFinal, messageIsOpen, messagesOf } from '../src/transaction/phase.ts';
import type { Step, View } from '../src/transaction/step.ts';
import { deadlineOf, deadlineSentences, whenIs } from './deadline.ts';

const NOTHING: Pick<ReadonlySet<string>, 'has' | 'size'> = { has: () => false, size: 0 };
const EVERYTHING: Pick<ReadonlySet<string>, 'has'> = { has: () => true };
/** Steps ahead that are looked at: what is due now, and what comes when that is over. */
const STORES_MAX = 3;

export function forecast(
  transaction: OrderTransaction,
  flow: TransactionFlow | undefined,
  nowMs: number,
): readonly string[] {
  const told = (asked: View['asked'], atMs: number): readonly string[] =>
    stepsOf(viewOf(transaction, flow, nowMs, asked), flow, atMs).flatMap(sentencesOf);
  const once = told(EVERYTHING, nowMs);
  const restarted = told(NOTHING, nowMs);
  const isUncertain = once.join('\n') !== restarted.join('\n');
  const later = laterTimes(transaction, flow, nowMs).flatMap((atMs) =>
    told(EVERYTHING, atMs).map(
      (sentence) => `${whenIs(atMs, nowMs)}, unless something is answered before: ${sentence}`,
    ),
  );
  return [
    ...restarted,
    ...(isUncertain ? [`then, once everybody has been asked since the controller started: ${once.join('; ')}`] : []),
    ...later,
    ...(later.some((sentence) => sentence.includes('DeadlineExceeded'))
      ? []
      : deadlineSentences(transaction, flow, nowMs)),
    ...heldSentences(transaction, flow),
  ];
}

/** When the controller looks again by itself, and the deadline. */
function laterTimes(
  transaction: OrderTransaction,
  flow: TransactionFlow | undefined,
  nowMs: number,
): readonly number[] {
  const last = stepsOf(viewOf(transaction, flow, nowMs, EVERYTHING), flow, nowMs).at(-1);
  const isIdle = last?.kind === 'act' && last.calls.length === 0 && last.publications.length === 0;
  const wakeAtMs = isIdle ? last.wakeAtMs : undefined;
  const deadlineMs = flow === undefined || transaction.spec.suspend ? undefined : deadlineOf(transaction, flow);
  const times = [wakeAtMs, deadlineMs].filter((time) => time !== undefined && time > nowMs) as number[];
  return [...new Set(times)];
}

/** News that are written on the way are no step that a person waits for: what follows them is. */
function stepsOf(first: View, flow: TransactionFlow | undefined, nowMs: number): readonly Step[] {
  const steps: Step[] = [];
  let view = first;
  for (let stores = 0; stores < STORES_MAX; stores += 1) {
    const step = decide(view, flow, nowMs);
    if (step.kind !== 'store' || step.why !== 'news') return [...steps, step];
    steps.push(step);
    view = {
      ...view,
      transaction: { ...view.transaction, status: step.status },
      status: step.status,
      storedAtMs: nowMs,
    };
  }
  return steps;
}

function viewOf(
  transaction: OrderTransaction,
  flow: TransactionFlow | undefined,
  nowMs: number,
  asked: View['asked'],
): View {
  const known = branchesOf(transaction.status ?? {});
  // The first write names every branch of the flow; until then they are all there is to be tried.
  const unknown = (flow?.spec.participants ?? []).filter(({ name }) => !known.some((branch) => branch.name === name));
  const isDecided = transaction.status?.decision !== undefined;
  const branches = [...known, ...(isDecided ? [] : unknown.map(({ name }) => ({ name, state: 'Untried' as const })))];
  return {
    transaction,
    status: { ...transaction.status, branches },
    ...{
      busy: NOTHING,
      waiting: NOTHING,
      asked,
      attempted: asked,
      down: NOTHING,
      deafToAll: NOTHING,
      revived: NOTHING,
    },
    ...{ requested: NOTHING, unended: NOTHING, outdated: new Map(), released: new Map() },
    ...{ heldUntilMs: undefined, brokerAway: undefined, retriedAtMs: undefined },
    storedAtMs: Date.parse(transaction.status?.startedAt ?? '') || nowMs,
    ...{ writeEveryMs: writeEveryMs(1), quietUntilMs: 0, wellSinceMs: undefined, owesAnswer: false },
    flowIsRead: true,
  };
}

function sentencesOf(step: Step): readonly string[] {
  switch (step.kind) {
    case 'rest':
      return ['nothing: it has ended and rests until it is removed'];
    case 'read-flow':
      return ['asks the API server for the flow'];
    case 'store':
      return storeSentences(step);
    case 'act':
      return [
        ...step.calls.map(({ branch, operation, attempt }) => `calls ${operation} at ${branch} (attempt ${attempt})`),
        ...step.publications.map(({ message, attempt }) => `publishes ${message} (publication ${attempt})`),
        ...wakeSentences(step),
      ];
  }
}

function storeSentences(step: Extract<Step, { kind: 'store' }>): readonly string[] {
  switch (step.why) {
    case 'decision':
      return [`decides ${step.status.decision ?? ''} (${step.status.decisionReason ?? ''})`];
    case 'end':
      return step.status.phase === undefined ? [] : [`ends it: ${step.status.phase}`];
    case 'news':
      return [];
  }
}

function wakeSentences({ calls, publications, wakeAtMs }: Extract<Step, { kind: 'act' }>): readonly string[] {
  const isIdle = calls.length === 0 && publications.length === 0;
  return isIdle ? [wakeAtMs === undefined ? 'waits for somebody to change something' : 'waits'] : [];
}

function heldSentences(transaction: OrderTransaction, flow: TransactionFlow | undefined): readonly string[] {
  const { status = {} } = transaction;
  if (flow === undefined || isFinal(status.phase)) return [];
  const open = [
    ...branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision)),
    ...messagesOf(status).filter(messageIsOpen),
  ];
  return open
    .filter(({ name }) => isHeld(flow, name))
    .map(({ name }) => `sends nothing to ${name} while the flow has it on hold`);
}

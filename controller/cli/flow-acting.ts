/**
 * Changing flows: asked about, done and waited for as with transactions (acting.ts), but flows are few and go one after the other.
 */
import type { Command } from 'commander';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { FLOWS, pathOf } from '../src/kubernetes/stored-object.ts';
import { PERHAPS_TAKEN, type Result, type Verdict } from './act.ts';
import { nameIn, type ActingFlags } from './acting.ts';
import { parseDurationMs } from './durations.ts';
import { isForPrograms } from './output/format.ts';
import { printable } from './output/printable.ts';
import { counted } from './output/table.ts';
import { pause } from './pause.ts';
import { hasTarget } from './reach.ts';
import { explainRefusal } from './refusal.ts';
import type { Session } from './session.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, Trouble, usage } from './trouble.ts';

export interface FlowFlags {
  readonly target: string;
  readonly all?: boolean;
}

export interface FlowChange {
  readonly verb: string;
  readonly question: (count: string) => string;
  readonly warning?: string;
  readonly spec: object;
  /** Why nothing need be changed; undefined where it is to be. */
  readonly before: (flow: TransactionFlow) => Verdict | undefined;
  /** Whether it stands in the flow by now. */
  readonly isDone: (flow: TransactionFlow) => boolean;
  /** The transactions that are to go on by it, by uid, with when they were to be asked again. */
  readonly concerned?: (flow: TransactionFlow) => Promise<Concerned>;
  /** What has come of it; undefined while that cannot be said. */
  readonly outcome: (flow: TransactionFlow, concerned: Concerned) => Promise<Verdict | undefined>;
}

export type Concerned = ReadonlyMap<string, string>;

const LOOK_EVERY_MS = 500;
/** What stood or did not stand in the flow before is no failure. */
const WELL: readonly Result[] = ['settled', 'asked', 'would be asked', 'too late'];

export function addFlowFlags(command: Command): Command {
  return command
    .argument('[flows...]', 'flows by name')
    .requiredOption('--target <name>', 'the participant or message')
    .option('--all', 'every flow that has it');
}

export async function flowsOf(
  session: Session,
  names: readonly string[],
  { target, all }: FlowFlags,
): Promise<readonly TransactionFlow[]> {
  const isSelected = Boolean(session.selectors.fieldSelector ?? session.selectors.labelSelector);
  if (names.length > 0 && (isSelected || all === true)) {
    throw usage('flows by name and a selection (--all, -l, --field-selector) exclude each other: leave one out');
  }
  if (names.length === 0 && !isSelected && all !== true) {
    throw usage('name flows, or choose them by -l or --field-selector, or take --all that have the target');
  }
  if (names.length === 0) {
    const found = (await session.api.flows(session.namespace, session.selectors)).filter((flow) =>
      hasTarget(flow, target),
    );
    if (found.length === 0) throw new Trouble(`no flow has a participant or message ${target}`);
    return found;
  }
  const { namespace } = session;
  if (namespace === undefined) throw usage('names are of one namespace: name it with -n instead of -A');
  return Promise.all(
    names.map(async (name) => {
      const flow = await session.api.find<TransactionFlow>(pathOf(FLOWS, namespace, name));
      if (flow === undefined) throw new Trouble(`there is no flow ${name} in the namespace ${namespace}`);
      if (!hasTarget(flow, target)) throw new Trouble(`the flow ${name} has no participant and no message ${target}`);
      return flow;
    }),
  );
}

export async function changeFlows(
  session: Session,
  flows: readonly TransactionFlow[],
  flags: ActingFlags,
  change: FlowChange,
): Promise<number> {
  const { dryRun, yes, wait } = flags;
  if (dryRun !== 'none' && dryRun !== 'server') throw usage(`--dry-run: "${dryRun}" is neither none nor server`);
  const endsAfterMs = parseDurationMs(flags.timeout, '--timeout');
  const { terminal, format } = session;
  const question = change.question(
    `${counted(flows.length, 'flow')} (${flows.map(({ metadata }) => nameIn(session, metadata)).join(', ')})`,
  );
  if (yes !== true && dryRun === 'none') {
    if (isForPrograms(format) || !terminal.canAsk) {
      throw usage(`${question}? Nobody can be asked here: say --yes, or try it with --dry-run=server first`);
    }
    if (change.warning !== undefined) terminal.say(terminal.paint('yellow', change.warning));
    if (!(await terminal.confirms(`${question}?`))) {
      terminal.say('Nothing was done.');
      return EXIT_FAILED;
    }
  }
  const items: {
    readonly name: string;
    readonly namespace: string;
    readonly result: Result;
    readonly sentence: string;
  }[] = [];
  for (const flow of flows) {
    const { name, namespace = '' } = flow.metadata;
    const verdict = session.stopping.aborted
      ? ({ result: 'not asked', sentence: 'interrupted before' } as const)
      : await changeOne(session, flow, change, { isDry: dryRun === 'server', wait, endsAfterMs });
    items.push({ name, namespace, ...verdict });
    if (format.kind === 'table')
      await terminal.print(`${nameIn(session, flow.metadata)}: ${verdict.result}: ${printable(verdict.sentence)}\n`);
  }
  const totals: Partial<Record<Result, number>> = {};
  for (const { result } of items) totals[result] = (totals[result] ?? 0) + 1;
  const sum = Object.entries(totals).map(([result, count]) => `${count} ${result}`);
  await session.render({
    object: { apiVersion: 'ordertx.dev/v1alpha1', kind: 'ActReport', verb: change.verb, totals, items },
    names: items.map(({ name }) => `transactionflow.ordertx.dev/${name}`),
    text: () => `${change.verb}: ${counted(items.length, 'flow')}: ${sum.join(', ')}\n`,
  });
  if (session.stopping.aborted) return EXIT_INTERRUPTED;
  return items.every(({ result }) => WELL.includes(result)) ? 0 : EXIT_FAILED;
}

interface Manner {
  readonly isDry: boolean;
  readonly wait: boolean;
  readonly endsAfterMs: number;
}

async function changeOne(
  session: Session,
  flow: TransactionFlow,
  change: FlowChange,
  manner: Manner,
): Promise<Verdict> {
  const { isDry, wait, endsAfterMs } = manner;
  const verdict = change.before(flow);
  if (verdict !== undefined) return verdict;
  const { name, namespace = '', uid } = flow.metadata;
  const request = {
    method: 'PATCH',
    path: pathOf(FLOWS, namespace, name),
    query: { fieldManager: 'kubectl-ordertx', ...(isDry && { dryRun: 'All' }) },
    body: { metadata: { uid }, spec: change.spec },
  } as const;
  const concerned = isDry || !wait ? undefined : await change.concerned?.(flow);
  const answer = await session.api.ask<TransactionFlow>(request);
  if (answer.kind === 'error') {
    const sentence = explainRefusal(request, answer.error);
    if (answer.error.status >= 500) return { result: 'timed out', sentence: `${sentence}: ${PERHAPS_TAKEN}` };
    return { result: 'refused', sentence };
  }
  if (answer.kind === 'unanswered') return { result: 'timed out', sentence: `${answer.message}: ${PERHAPS_TAKEN}` };
  if (isDry) return { result: 'would be asked', sentence: 'server dry run' };
  if (!change.isDone(answer.body)) return { result: 'refused', sentence: 'the flow does not say so after the change' };
  if (!wait) return { result: 'asked', sentence: 'what comes of it was not waited for' };
  const endsMs = performance.now() + endsAfterMs;
  for (;;) {
    const outcome = await change.outcome(answer.body, concerned ?? new Map<string, string>());
    if (outcome !== undefined) return outcome;
    if (performance.now() > endsMs) return { result: 'timed out', sentence: 'some have not been heard of yet since' };
    await pause(LOOK_EVERY_MS, session.stopping);
    if (session.stopping.aborted)
      return { result: 'not awaited', sentence: 'it is stored; what comes of it was not waited for' };
  }
}

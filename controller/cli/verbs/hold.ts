/**
 * hold and release: nothing is sent to a participant or message of a flow for any of its transactions, until it is released (ADR 30).
 */
import type { Command } from 'commander';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { isAboutHold } from '../../src/transaction/hold.ts';
import { branchesOf, messagesOf } from '../../src/transaction/phase.ts';
import { tooLate } from '../act.ts';
import { addActingFlags, type ActingFlags } from '../acting.ts';
import { addFlowFlags, changeFlows, flowsOf, type Concerned, type FlowChange, type FlowFlags } from '../flow-acting.ts';
import { counted } from '../output/table.ts';
import { joined, selectorValue, type Session } from '../session.ts';
import { usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

type HoldFlags = ActingFlags & FlowFlags;

export function addHold(program: Command, run: Run): void {
  const command = program
    .command('hold')
    .description('send nothing to a participant or message of flows, for any transaction');
  addActingFlags(addFlowFlags(command)).action((flows: string[], flags: HoldFlags) =>
    run(command, async (session) => {
      if (!flags.reason) throw usage('hold: say why, in words that its transactions show: --reason TEXT');
      const { target } = flags;
      const found = await flowsOf(session, flows, flags);
      return changeFlows(session, found, flags, {
        verb: 'hold',
        question: (count) => `Put ${target} on hold in ${count}`,
        warning: 'Deadlines run on: what is not decided by its deadline is cancelled (docs/operating/maintenance.md).',
        spec: { hold: { [target]: flags.reason } },
        before: ({ spec }) =>
          spec.hold?.[target] === flags.reason ? tooLate(`${target} is on hold already, for that reason`) : undefined,
        isDone: ({ spec }) => spec.hold?.[target] === flags.reason,
        // A hold is in force as soon as it is stored; what was under way ends within its time-out.
        outcome: async (flow) => ({ result: 'settled', sentence: underWaySentence(flow, target) }),
      });
    }),
  );
}

export function addRelease(program: Command, run: Run): void {
  const command = program.command('release').description('send again to a participant or message that is on hold');
  addActingFlags(addFlowFlags(command)).action((flows: string[], flags: HoldFlags) =>
    run(command, async (session) => {
      const { target } = flags;
      const found = await flowsOf(session, flows, flags);
      return changeFlows(session, found, flags, {
        verb: 'release',
        question: (count) => `Release ${target} in ${count}`,
        spec: { hold: { [target]: null } },
        before: ({ spec }) =>
          Object.hasOwn(spec.hold ?? {}, target) ? undefined : tooLate(`${target} is not on hold`),
        isDone: ({ spec }) => !Object.hasOwn(spec.hold ?? {}, target),
        concerned: (flow) => heldBy(session, flow, target),
        outcome: (flow, held) => outcomeOf(session, flow, target, held),
      });
    }),
  );
}

function underWaySentence({ spec }: TransactionFlow, target: string): string {
  const participant = spec.participants.find(({ name }) => name === target);
  return participant
    ? `nothing is sent any more; what was under way ends within ${participant.timeoutSeconds} s; deadlines run on: what is not decided ${spec.timeoutSeconds} s after its creation is cancelled`
    : 'nothing is published any more; what lies on its stream is handled when its consumer reads it';
}

/** What failed before is no answer to a release: only what is on hold is. */
async function heldBy(session: Session, flow: TransactionFlow, target: string): Promise<Concerned> {
  const waiting = await waitingFor(session, flow, target);
  return new Map(waiting.filter(({ sentence }) => isAboutHold(sentence)).map(({ uid, again }) => [uid, again]));
}

/** They go on, or fail by themselves now: what is to be asked again at another time has been asked since. */
async function outcomeOf(
  session: Session,
  flow: TransactionFlow,
  target: string,
  held: Concerned,
): ReturnType<FlowChange['outcome']> {
  const waiting = (await waitingFor(session, flow, target)).filter(({ uid }) => held.has(uid));
  const failing = waiting.filter(({ uid, sentence, again }) => !isAboutHold(sentence) && again !== held.get(uid));
  const [first] = failing;
  if (first)
    return { result: 'still failing', sentence: `${counted(failing.length, 'transaction')}: ${first.sentence}` };
  if (waiting.length > 0) return undefined;
  return { result: 'settled', sentence: `${counted(held.size, 'transaction')} that waited for it went on` };
}

interface Waiting {
  readonly uid: string;
  readonly sentence: string;
  /** When it is asked again by itself. */
  readonly again: string;
}

function waitingFor(session: Session, flow: TransactionFlow, target: string): Promise<readonly Waiting[]> {
  const { name, namespace } = flow.metadata;
  const fieldSelector = joined(
    NEEDS_WORK_SELECTOR,
    `spec.flow=${selectorValue(name)}`,
    `status.waitingFor=${selectorValue(target)}`,
  );
  return session.api.transactions(namespace, { fieldSelector }, ({ metadata, status = {} }) => {
    const part = [...branchesOf(status), ...messagesOf(status)].find((each) => each.name === target);
    return { uid: metadata.uid ?? '', sentence: status.message ?? '', again: part?.nextAttemptTime ?? '' };
  });
}

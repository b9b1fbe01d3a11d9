/**
 * settle: says that a person has made a service's data agree with the decision, so that the service is not asked any more.
 */
import type { Command } from 'commander';
import type { OrderTransaction, ResolvedAs } from '../../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../../src/kubernetes/stored-object.ts';
import type { ApiAnswer } from '../../src/kubernetes/transport.ts';
import { branchesOf, branchIsOpen, endStateFor, messageIsOpen, messagesOf } from '../../src/transaction/phase.ts';
import {
  ANOTHER,
  endedAlready,
  GONE,
  patch,
  settled,
  stillFailing,
  tooLate,
  tooLateAnswer,
  type Act,
  type Asking,
  type Verdict,
} from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { addTargetFlags } from '../targets.ts';
import { usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

interface SettleFlags extends ActingFlags {
  readonly branch?: string;
  readonly message?: string;
}

/** As the schema has it. */
const REASON_CHARS_MIN = 3;
const CONFLICTS_MAX = 5;
const CONFLICT = 409;

export function addSettle(program: Command, run: Run): void {
  const command = program
    .command('settle')
    .description('count a participant or message of transactions as done, after its data were made to agree by hand')
    .option('--branch <name>', 'the participant that was settled')
    .option('--message <name>', 'the message that was told otherwise');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: SettleFlags) =>
    run(command, async (session) => {
      const { branch, message, reason = '' } = flags;
      const target = branch ?? message;
      if (target === undefined || (branch !== undefined && message !== undefined)) {
        throw usage('settle: say what was settled: --branch NAME, or --message NAME');
      }
      if (reason.length < REASON_CHARS_MIN) throw usage('settle: say how and why it was settled: --reason TEXT');
      return act(session, settling(target), names, flags);
    }),
  );
}

export function settling(target: string): Act {
  return {
    verb: 'settle',
    question: (count) => `Count ${target} as done in ${count}`,
    warning: `First make the data of ${target} agree, by its service's own settle command (docs/operating/giving-up.md): the controller asks it no more.`,
    lateIsFailure: false,
    before: (transaction) => before(transaction, target),
    ask: (transaction, asking) => resolve(transaction, target, asking),
    judge: (now) => {
      if (now === undefined) return tooLate(GONE);
      const as = dueAs(now, target);
      const state = [...branchesOf(now.status ?? {}), ...messagesOf(now.status ?? {})].find(
        ({ name }) => name === target,
      )?.state;
      if (state !== undefined && state === as) return settled(`${target} counts as ${as}`);
      return now.spec.suspend ? stillFailing('it is suspended: the resolution counts once it is resumed') : undefined;
    },
  };
}

/** What the decision asks of it; undefined where nothing is decided, or it has no such part. */
function dueAs({ status = {} }: OrderTransaction, target: string): ResolvedAs | undefined {
  if (messagesOf(status).some(({ name }) => name === target)) return 'Delivered';
  const isBranch = branchesOf(status).some(({ name }) => name === target);
  return isBranch && status.decision !== undefined ? (endStateFor(status.decision) as ResolvedAs) : undefined;
}

function before(transaction: OrderTransaction, target: string): Verdict | undefined {
  const { status = {} } = transaction;
  const ended = endedAlready(transaction, 'settle');
  if (ended) return ended;
  if (status.decision === undefined) return { result: 'refused', sentence: 'too early: nothing is decided yet' };
  const branch = branchesOf(status).find(({ name }) => name === target);
  const message = messagesOf(status).find(({ name }) => name === target);
  if (branch === undefined && message === undefined) {
    return { result: 'refused', sentence: `it has no participant and no message ${target}` };
  }
  const isOpen = branch ? branchIsOpen(branch, status.decision) : message !== undefined && messageIsOpen(message);
  return isOpen ? undefined : tooLate(`${target} has ended already`);
}

/** Resolutions are a list, which a merge patch replaces: so it is made from the newest copy, and made again where that was not it. */
async function resolve(
  transaction: OrderTransaction,
  target: string,
  asking: Asking,
): Promise<ApiAnswer<OrderTransaction>> {
  const { namespace = '', name } = transaction.metadata;
  let newest = transaction;
  for (let conflicts = 0; ; conflicts += 1) {
    const as = dueAs(newest, target) ?? 'Delivered';
    const mine = { target, as, reason: asking.reason ?? '', ...(asking.me !== undefined && { by: asking.me }) };
    const resolutions = [...(newest.spec.resolutions ?? []).filter((known) => known.target !== target), mine];
    const known = newest.spec.resolutions?.some((each) => each.target === target) === true;
    const { resourceVersion = '' } = newest.metadata;
    const answer = await patch(newest, asking, { resourceVersion, ...(known ? {} : { spec: { resolutions } }) });
    if (answer.kind !== 'error' || answer.error.status !== CONFLICT || conflicts === CONFLICTS_MAX) return answer;
    const read = await asking.session.api.find<OrderTransaction>(pathOf(TRANSACTIONS, namespace, name));
    if (read === undefined) return tooLateAnswer('it is gone');
    // Nobody has looked at that one, nor at what its service did.
    if (read.metadata.uid !== transaction.metadata.uid) return tooLateAnswer(ANOTHER);
    newest = read;
  }
}

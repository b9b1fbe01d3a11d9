/**
 * suspend: nothing is sent and nothing decided for a transaction until it is resumed.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { findCondition } from '../../src/transaction/conditions.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { endedAlready, GONE, patch, reasonAnnotation, settled, tooLate, type Act, type Verdict } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { addTargetFlags } from '../targets.ts';
import type { Run } from '../verb.ts';

export function addSuspend(program: Command, run: Run): void {
  const command = program.command('suspend').description('send nothing and decide nothing for transactions');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, (session) => act(session, suspend, names, flags)),
  );
}

export const suspend: Act = {
  verb: 'suspend',
  question: (count) => `Suspend ${count}`,
  warning: 'Deadlines run on: what is not decided by its deadline is cancelled when it is resumed.',
  lateIsFailure: false,
  before: (transaction) =>
    endedAlready(transaction, 'suspend') ?? (isQuiet(transaction) ? already(transaction) : undefined),
  ask: (transaction, asking) =>
    patch(transaction, asking, {
      annotations: reasonAnnotation('suspend', asking.reason),
      // Who is suspended already keeps the name of whoever did it.
      spec: transaction.spec.suspend
        ? {}
        : { suspend: true, ...(asking.me !== undefined && { suspendedBy: asking.me }) },
    }),
  judge: (now, asked) => {
    if (now === undefined) return tooLate(GONE);
    if (isFinal(now.status?.phase)) return tooLate(`it has ended (${now.status.phase})`);
    if (!now.spec.suspend) return tooLate('it was resumed meanwhile');
    return isQuiet(now, asked.metadata.generation) ? settled('nothing is sent and nothing is under way') : undefined;
  },
};

/** @param generation what its controller must have seen, at least */
function isQuiet({ spec, metadata, status }: OrderTransaction, generation = metadata.generation): boolean {
  const suspended = findCondition(status, 'Suspended');
  const isSeen = (suspended?.observedGeneration ?? 0) >= (generation ?? 0);
  return spec.suspend && suspended?.status === 'True' && isSeen;
}

function already({ spec }: OrderTransaction): Verdict {
  return tooLate(`it is suspended already${spec.suspendedBy === undefined ? '' : `, by ${spec.suspendedBy}`}`);
}

/**
 * suspend: nothing is sent and nothing decided for a transaction until it is resumed.
 */
import type { Command } from 'commander';
import { findCondition } from '../../src/transaction/conditions.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { endedAlready, GONE, patch, reasonAnnotation, settled, tooLate, type Act } from '../act.ts';
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
  before: (transaction) => endedAlready(transaction, 'suspend'),
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
    const suspended = findCondition(now.status, 'Suspended');
    const isSeen = (suspended?.observedGeneration ?? 0) >= (asked.metadata.generation ?? 0);
    return suspended?.status === 'True' && isSeen ? settled('nothing is sent and nothing is under way') : undefined;
  },
};

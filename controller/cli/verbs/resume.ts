/**
 * resume: a suspended transaction goes on.
 */
import type { Command } from 'commander';
import { conditionIsTrue } from '../../src/transaction/conditions.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { endedAlready, GONE, patch, reasonAnnotation, settled, stillFailing, tooLate, type Act } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { addTargetFlags } from '../targets.ts';
import type { Run } from '../verb.ts';

export function addResume(program: Command, run: Run): void {
  const command = program.command('resume').description('let suspended transactions go on');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, (session) => act(session, resume, names, flags)),
  );
}

export const resume: Act = {
  verb: 'resume',
  question: (count) => `Let ${count} go on`,
  lateIsFailure: false,
  before: (transaction) =>
    endedAlready(transaction, 'resume') ?? (transaction.spec.suspend ? undefined : tooLate('it is not suspended')),
  ask: (transaction, asking) =>
    patch(transaction, asking, {
      annotations: reasonAnnotation('resume', asking.reason),
      spec: { suspend: false, ...(asking.me !== undefined && { resumedBy: asking.me }) },
    }),
  judge: (now) => {
    if (now === undefined) return tooLate(GONE);
    if (isFinal(now.status?.phase)) return settled(now.status.phase);
    if (now.spec.suspend) return stillFailing('it was suspended again');
    return conditionIsTrue(now.status, 'Suspended') ? undefined : settled('it goes on');
  },
};

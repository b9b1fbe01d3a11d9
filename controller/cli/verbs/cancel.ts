/**
 * cancel: asks for the decision Cancel, and waits until everything is undone.
 */
import type { Command } from 'commander';
import { branchesOf, branchIsOpen } from '../../src/transaction/phase.ts';
import { endedAlready, GONE, patch, reasonAnnotation, settled, stillFailing, tooLate, type Act } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { addTargetFlags } from '../targets.ts';
import type { Run } from '../verb.ts';

export function addCancel(program: Command, run: Run): void {
  const command = program
    .command('cancel')
    .description('ask for transactions to be cancelled, while they are not decided');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, (session) => act(session, cancel, names, flags)),
  );
}

export const cancel: Act = {
  verb: 'cancel',
  question: (count) => `Ask for the cancellation of ${count}`,
  warning: 'It cannot be taken back: everything that these have reserved is given back.',
  lateIsFailure: true,
  before: (transaction) => {
    const { phase, decision } = transaction.status ?? {};
    if (phase === 'Cancelled') return settled('it was cancelled already');
    if (decision === 'Confirm' && phase !== 'Succeeded') return tooLate('it is decided: Confirm');
    return endedAlready(transaction, 'cancel');
  },
  ask: (transaction, asking) =>
    patch(transaction, asking, {
      annotations: reasonAnnotation('cancel', asking.reason),
      spec: transaction.spec.cancelRequested
        ? {}
        : { cancelRequested: true, ...(asking.me !== undefined && { cancelRequestedBy: asking.me }) },
    }),
  judge: (now) => {
    if (now === undefined) return tooLate(GONE);
    const { status = {} } = now;
    if (status.phase === 'Cancelled') return settled('Cancelled');
    if (status.decision === 'Confirm') return tooLate('the decision was Confirm before the request was heard');
    if (now.spec.suspend) return stillFailing('it is suspended: it is cancelled once it is resumed');
    const isFailing =
      status.decision === 'Cancel' &&
      branchesOf(status).some((branch) => branchIsOpen(branch, 'Cancel') && branch.lastError !== undefined);
    return isFailing ? stillFailing(status.message ?? '') : undefined;
  },
};

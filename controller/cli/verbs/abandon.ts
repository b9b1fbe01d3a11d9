/**
 * abandon: gives transactions up and deletes them. Nothing is undone by it.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../../src/kubernetes/stored-object.ts';
import type { ApiAnswer } from '../../src/kubernetes/transport.ts';
import { patch, settled, tooLate, type Act, type Asking } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { addTargetFlags } from '../targets.ts';
import { usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

/** As the guard on deletions has it. */
const REASON_CHARS_MIN = 3;

export function addAbandon(program: Command, run: Run): void {
  const command = program
    .command('abandon')
    .description('give transactions up and delete them; nothing is undone by it');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, (session) => {
      if ((flags.reason ?? '').length < REASON_CHARS_MIN)
        throw usage('abandon: say why they are given up: --reason TEXT');
      return act(session, abandon, names, flags);
    }),
  );
}

export const abandon: Act = {
  verb: 'abandon',
  question: (count) => `Give up and delete ${count}`,
  warning:
    'What services have reserved stays reserved, and the service that created a transaction makes it again unless its own branch was settled there (docs/operating/giving-up.md).',
  lateIsFailure: false,
  before: ({ status }) =>
    isFinal(status?.phase) ? tooLate(`it has ended (${status.phase}): it goes by itself`) : undefined,
  ask: giveUp,
  judge: (now) => (now === undefined ? settled('given up and deleted') : undefined),
};

async function giveUp(transaction: OrderTransaction, asking: Asking): Promise<ApiAnswer<OrderTransaction>> {
  const { reason = '', me, dryRun, session } = asking;
  const known = transaction.metadata.annotations?.['ordertx.dev/abandon'];
  const annotations =
    known === reason
      ? {}
      : { 'ordertx.dev/abandon': reason, ...(me !== undefined && { 'ordertx.dev/abandoned-by': me }) };
  const annotated = await patch(transaction, asking, { annotations });
  if (annotated.kind !== 'ok' || dryRun) return annotated;
  const { namespace = '', name, uid } = transaction.metadata;
  const deleted = await session.api.ask<object>({
    method: 'DELETE',
    path: pathOf(TRANSACTIONS, namespace, name),
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
  });
  return deleted.kind === 'ok' ? annotated : deleted;
}

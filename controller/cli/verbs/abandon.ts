/**
 * abandon: gives transactions up and deletes them. Nothing is undone by it.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../../src/kubernetes/stored-object.ts';
import type { ApiAnswer } from '../../src/kubernetes/transport.ts';
import { patch, settled, tooLate, tooLateAnswer, type Act, type Asking } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { isForMissingRights } from '../refusal.ts';
import { addTargetFlags } from '../targets.ts';
import { usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

/** As the guard on deletions has it. */
const REASON_CHARS_MIN = 3;
const CONFLICTS_MAX = 5;
const CONFLICT = 409;

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

/**
 * Exactly the copy that says who gave it up and why is deleted, and only while it has not ended: what ends in between is to be archived
 * as it ended. Nothing is written where the right to delete is missing.
 */
async function giveUp(transaction: OrderTransaction, asking: Asking): Promise<ApiAnswer<OrderTransaction>> {
  const { reason = '', me, dryRun, session } = asking;
  const known = transaction.metadata.annotations?.['ordertx.dev/abandon'];
  const annotations =
    known === reason
      ? {}
      : { 'ordertx.dev/abandon': reason, ...(me !== undefined && { 'ordertx.dev/abandoned-by': me }) };
  const { namespace = '', name, uid } = transaction.metadata;
  const remove = (resourceVersion: string | undefined, dry: boolean): Promise<ApiAnswer<object>> =>
    session.api.ask<object>({
      method: 'DELETE',
      path: pathOf(TRANSACTIONS, namespace, name),
      body: {
        ...{
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid, ...(resourceVersion && { resourceVersion }) },
        },
        ...(dry && { dryRun: ['All'] }),
      },
    });
  // The guard refuses it yet, after the rights were looked at.
  const tried = await remove(undefined, true);
  if (tried.kind === 'error' && isForMissingRights(tried.error)) return tried;
  for (let conflicts = 0; ; conflicts += 1) {
    const annotated = await patch(transaction, asking, { annotations });
    if (annotated.kind !== 'ok' || dryRun) return annotated;
    const { metadata, status } = annotated.body;
    if (isFinal(status?.phase)) return tooLateAnswer(`it has ended (${status.phase}) meanwhile: it goes by itself`);
    const deleted = await remove(metadata.resourceVersion, false);
    if (deleted.kind === 'ok') return annotated;
    if (deleted.kind !== 'error' || deleted.error.status !== CONFLICT || conflicts === CONFLICTS_MAX) return deleted;
  }
}

/**
 * retry: what is open is tried again at once, and the answer of that attempt is waited for.
 */
import type { Command } from 'commander';
import { randomUUID } from 'node:crypto';
import type { Branch, Message, OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { isAboutHold } from '../../src/transaction/hold.ts';
import { branchesOf, branchIsOpen, isFinal, messageIsOpen, messagesOf } from '../../src/transaction/phase.ts';
import { RETRY_ANNOTATION, storedRetryToken } from '../../src/transaction/requests.ts';
import { endedAlready, GONE, patch, reasonAnnotation, settled, stillFailing, type Act, type Verdict } from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { addTargetFlags } from '../targets.ts';
import type { Run } from '../verb.ts';

export function addRetry(program: Command, run: Run): void {
  const command = program.command('retry').description('have transactions tried again at once');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, (session) => act(session, retry, names, flags)),
  );
}

export const retry: Act = {
  verb: 'retry',
  question: (count) => `Have ${count} tried again at once`,
  lateIsFailure: false,
  before: (transaction) =>
    endedAlready(transaction, 'try again') ??
    (transaction.spec.suspend ? stillFailing('it is suspended: resume it first') : undefined),
  ask: (transaction, asking) => {
    // Two requests of the same moment are two.
    const token = `${new Date().toISOString()} ${randomUUID().slice(0, 8)}`;
    const annotations = { [RETRY_ANNOTATION]: token, ...reasonAnnotation('retry', asking.reason) };
    return patch(transaction, asking, { annotations });
  },
  judge: judgeAttempt,
};

/**
 * The controller takes a request by storing its token, with what is open due at once; what is due later again, or has another error,
 * has been answered since.
 */
function judgeAttempt(now: OrderTransaction | undefined, asked: OrderTransaction): Verdict | undefined {
  if (now === undefined) return settled(GONE);
  const { spec, status = {} } = now;
  if (isFinal(status.phase)) return settled(status.phase);
  if (spec.suspend) return stillFailing('it was suspended meanwhile');
  const token = asked.metadata.annotations?.[RETRY_ANNOTATION];
  const isTaken = token !== undefined && status.lastHandledRetryAt === storedRetryToken(token);
  // Somebody has asked again since: what follows is the answer to both.
  const isOvertaken = now.metadata.annotations?.[RETRY_ANNOTATION] !== token;
  if (!isTaken && !isOvertaken) return undefined;
  if (isAboutHold(status.message)) return stillFailing(status.message ?? '');
  const open: readonly (Branch | Message)[] = [
    ...branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision)),
    ...messagesOf(status).filter((message) => message.delivery === 'Reliable' && messageIsOpen(message)),
  ];
  const isAnswered = open.some(
    ({ lastError, nextAttemptTime }) => lastError !== undefined && nextAttemptTime !== undefined,
  );
  return isAnswered && status.waitingFor ? stillFailing(status.message ?? '') : undefined;
}

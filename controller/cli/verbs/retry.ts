/**
 * retry: what is open is tried again at once, and the answer of that attempt is waited for.
 */
import type { Command } from 'commander';
import { randomUUID } from 'node:crypto';
import type { Branch, Message, OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { BROKER_AWAY } from '../../src/transaction/outcome.ts';
import { isAboutHold } from '../../src/transaction/hold.ts';
import { branchesOf, branchIsOpen, isFinal, messageIsOpen, messagesOf } from '../../src/transaction/phase.ts';
import { RETRY_ANNOTATION } from '../../src/transaction/requests.ts';
import {
  endedAlready,
  GONE,
  heldBack,
  patch,
  reasonAnnotation,
  settled,
  stillFailing,
  tooLate,
  type Act,
  type Verdict,
} from '../act.ts';
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
  before: (transaction, isDry) => {
    const { spec, status } = transaction;
    if (!isFinal(status?.phase) && spec.suspend) return heldBack('it is suspended: resume it first');
    // Really asked, its stored sentence may be older than a release.
    if (isDry && isAboutHold(status?.message)) return heldBack(status?.message ?? '');
    return endedAlready(transaction, 'try again');
  },
  ask: (transaction, asking) => {
    // Two requests of the same moment are two.
    const token = `${new Date().toISOString()} ${randomUUID().slice(0, 8)}`;
    const annotations = { [RETRY_ANNOTATION]: token, ...reasonAnnotation('retry', asking.reason) };
    return patch(transaction, asking, { annotations });
  },
  judge: judgeAttempt,
  judgeLate: judgeSilence,
};

/**
 * The controller takes a request by storing its token, with what is open due at once: what is due later again has been answered since.
 * Who asks again takes the token's place, so what has been taken since we asked is our request or a later one, whose attempt answers both.
 * That a message was published again says nothing of its consumer, whose receipt is the answer.
 */
function judgeAttempt(now: OrderTransaction | undefined, asked: OrderTransaction): Verdict | undefined {
  if (now === undefined) return tooLate(GONE);
  const { spec, status = {} } = now;
  if (isFinal(status.phase)) return settled(status.phase);
  if (spec.suspend) return heldBack('it was suspended meanwhile');
  if (!isTaken(now, asked)) return undefined;
  if (isAboutHold(status.message)) return heldBack(status.message ?? '');
  const failing = failingPart(status);
  const isAnswered = failing?.lastError !== undefined && failing.nextAttemptTime !== undefined;
  return isAnswered && !isSilence(failing) ? stillFailing(status.message ?? '') : undefined;
}

/** A receipt that never comes, or a Redis that nothing is sent to while it is away, is never written down as an answer. */
function judgeSilence(now: OrderTransaction, asked: OrderTransaction): Verdict | undefined {
  const { status = {} } = now;
  const failing = failingPart(status);
  const isOfMessage = failing !== undefined && isMessage(failing) && failing.lastError !== undefined;
  return isOfMessage && isTaken(now, asked) ? stillFailing(status.message ?? '') : undefined;
}

type Status = NonNullable<OrderTransaction['status']>;

function isTaken({ status }: OrderTransaction, asked: OrderTransaction): boolean {
  return status?.lastHandledRetryAt !== asked.status?.lastHandledRetryAt;
}

/** What the stored sentence is about. */
function failingPart(status: Status): Branch | Message | undefined {
  const open: readonly (Branch | Message)[] = [
    ...branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision)),
    ...messagesOf(status).filter((message) => message.delivery === 'Reliable' && messageIsOpen(message)),
  ];
  return open.find(({ name }) => name === status.waitingFor);
}

function isMessage(part: Branch | Message): part is Message {
  return 'delivery' in part;
}

/** Neither its consumer nor Redis has said anything about it. */
function isSilence(part: Branch | Message): boolean {
  return isMessage(part) && part.state !== 'Refused' && part.lastError !== BROKER_AWAY;
}

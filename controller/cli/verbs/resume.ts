/**
 * resume: a suspended transaction goes on.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { conditionIsTrue } from '../../src/transaction/conditions.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import {
  endedAlready,
  GONE,
  missed,
  patch,
  reasonAnnotation,
  settled,
  stillFailing,
  tooLate,
  type Act,
} from '../act.ts';
import { act, addActingFlags, type ActingFlags } from '../acting.ts';
import { deadlineOf, whenIs } from '../deadline.ts';
import { flowsIfReadable } from '../reach.ts';
import { addTargetFlags } from '../targets.ts';
import type { Run } from '../verb.ts';

export function addResume(program: Command, run: Run): void {
  const command = program.command('resume').description('let suspended transactions go on');
  addActingFlags(addTargetFlags(command)).action((names: string[], flags: ActingFlags) =>
    run(command, async (session) => {
      const flows = (await flowsIfReadable(session)) ?? [];
      return act(session, resuming(flows, session.now), names, flags);
    }),
  );
}

/**
 * @param flows whose deadlines are known; where they may not be read none is
 * @param now by the API server's clock
 */
export function resuming(flows: readonly TransactionFlow[], now: () => number): Act {
  const deadlineMsOf = (transaction: OrderTransaction): number | undefined => {
    const { metadata, spec } = transaction;
    const flow = flows.find(
      (each) => each.metadata.name === spec.flow && each.metadata.namespace === metadata.namespace,
    );
    return flow && deadlineOf(transaction, flow);
  };
  const isOverdue = (transaction: OrderTransaction): boolean => (deadlineMsOf(transaction) ?? Infinity) <= now();
  return {
    verb: 'resume',
    question: (count) => `Let ${count} go on`,
    lateIsFailure: false,
    before: (transaction) =>
      endedAlready(transaction, 'resume') ?? (transaction.spec.suspend ? undefined : tooLate('it is not suspended')),
    note: (transaction) =>
      isOverdue(transaction) ? 'past its deadline: it is cancelled, unless every participant has tried' : undefined,
    ask: (transaction, asking) =>
      patch(transaction, asking, {
        annotations: reasonAnnotation('resume', asking.reason),
        spec: { suspend: false, ...(asking.me !== undefined && { resumedBy: asking.me }) },
      }),
    judge: (seen, asked) => {
      if (seen === undefined) return tooLate(GONE);
      const { spec, status = {} } = seen;
      const isExpired = status.decisionReason === 'DeadlineExceeded' && asked.status?.decision === undefined;
      if (isExpired) return missed(EXPIRED);
      if (isFinal(status.phase)) return settled(status.phase);
      if (spec.suspend) return stillFailing('it was suspended again');
      if (conditionIsTrue(status, 'Suspended')) return undefined;
      // Whether it is confirmed or cancelled shows with the decision.
      if (isOverdue(seen)) return undefined;
      const deadlineMs = deadlineMsOf(seen);
      return settled(
        deadlineMs === undefined ? 'it goes on' : `it goes on; its deadline is ${whenIs(deadlineMs, now())}`,
      );
    },
    judgeLate: (seen) =>
      !seen.spec.suspend && !conditionIsTrue(seen.status, 'Suspended')
        ? {
            result: 'timed out',
            sentence: 'it goes on past its deadline: it is cancelled, unless every participant tries',
          }
        : undefined,
  };
}

const EXPIRED = 'its deadline passed while it was suspended: it is cancelled (DeadlineExceeded)';

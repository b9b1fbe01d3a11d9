/**
 * A transaction's story for people who read logs and traces: decisions, troubles and ends.
 *
 * 1. The log is quiet where all goes well: a Confirm is a line of level debug, and so is an end. A Cancel is one of level info, a
 *    trouble and an alarm are warnings; each once, however long it lasts.
 * 2. Each line has the transaction's name and the id of its trace; none has a participant's or a consumer's own words, which may
 *    repeat what they were sent. Those stand in the transaction's status.
 * 3. In the trace a transaction is one span from its creation to its end, and a decision one without length.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { SpanKind, startSpan } from '../../../services/tracing/src/spans.ts';
import { transactionContext, transactionTraceparent } from '../../../services/tracing/src/transaction-trace.ts';
import type { TransactionObserver } from '../reconcile/ports.ts';
import type { Log } from '../runtime/log.ts';
import { conditionIsTrue, findCondition } from '../transaction/conditions.ts';
import { REFUSED } from '../transaction/outcome.ts';
import { branchesOf, isAboutHold, isFinal, phaseOf } from '../transaction/phase.ts';

/** @returns to be told of each status that this process has stored, and of what it was stored over */
export function story(log: Log): TransactionObserver['stored'] {
  const says = {
    decided(transaction: OrderTransaction): void {
      const { decision, decisionReason: reason, decidedAt } = transaction.status ?? {};
      const level = decision === 'Confirm' ? 'debug' : 'info';
      log[level]({ ...identityOf(transaction), decision, reason }, 'decided');
      span(transaction, 'decide', { 'ordertx.decision': decision ?? '', 'ordertx.reason': reason ?? '' }, decidedAt);
    },
    troubled(transaction: OrderTransaction): void {
      const { waitingFor } = transaction.status ?? {};
      log.warn(
        { ...identityOf(transaction), waitingFor, ...ownWords(transaction) },
        'it cannot go on, and is tried again',
      );
    },
    stuck(transaction: OrderTransaction): void {
      const { waitingFor } = transaction.status ?? {};
      const reason = findCondition(transaction.status, 'Stuck')?.reason;
      log.warn(
        { ...identityOf(transaction), waitingFor, reason, ...ownWords(transaction) },
        'it is stuck: a person should look',
      );
    },
    ended(transaction: OrderTransaction): void {
      const phase = phaseOf(transaction);
      log.debug({ ...identityOf(transaction), phase }, 'ended');
      const { creationTimestamp } = transaction.metadata;
      span(transaction, 'transaction', { 'ordertx.phase': phase }, transaction.status?.finishedAt, creationTimestamp);
    },
  };
  return ({ status: before }, after) => {
    const { status } = after;
    if (status?.decision !== before?.decision) says.decided(after);
    if (conditionIsTrue(status, 'Stuck') && !conditionIsTrue(before, 'Stuck')) says.stuck(after);
    else if (status?.waitingFor && !before?.waitingFor && !isAboutHold(status.message)) says.troubled(after);
    if (isFinal(status?.phase) && !isFinal(before?.phase)) says.ended(after);
  };
}

function identityOf({ metadata, spec }: OrderTransaction): Readonly<Record<string, unknown>> {
  const { traceId } = transactionContext(metadata);
  return {
    transaction: `${metadata.namespace ?? ''}/${metadata.name}`,
    trace: traceId,
    flow: spec.flow,
    order: spec.orderId,
  };
}

/** Alarms whose sentence quotes somebody. */
const QUOTING: ReadonlySet<string> = new Set(['ConfirmRefused', 'CancelRefused', 'ConfirmedBefore', 'MessageRefused']);

/** The sentence, where it is the controller's own. */
function ownWords({ status = {} }: OrderTransaction): { readonly sentence?: string } {
  const quotes =
    QUOTING.has(findCondition(status, 'Stuck')?.reason ?? '') ||
    branchesOf(status).some(({ state, lastError }) => state === 'Refused' || lastError?.startsWith(REFUSED) === true) ||
    status.messages?.some(({ state, lastError }) => state === 'Refused' && lastError !== undefined) === true;
  return quotes || status.message === undefined ? {} : { sentence: status.message };
}

/** Both ends are the API server's times, as they stand in the object. */
function span(
  transaction: OrderTransaction,
  what: string,
  attributes: Readonly<Record<string, string>>,
  endedAt: string | undefined,
  startedAt = endedAt,
): void {
  const { metadata, spec } = transaction;
  const end = Date.parse(endedAt ?? '') || Date.now();
  const start = Math.min(end, Date.parse(startedAt ?? '') || end);
  startSpan(`${what} ${spec.flow}`, {
    kind: SpanKind.INTERNAL,
    parent: transactionTraceparent(metadata),
    startTime: start,
    attributes: {
      'ordertx.flow': spec.flow,
      'ordertx.order': spec.orderId,
      'ordertx.transaction': `${metadata.namespace ?? ''}/${metadata.name}`,
      ...attributes,
    },
  }).end(undefined, end);
}

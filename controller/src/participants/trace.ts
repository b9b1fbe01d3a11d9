/**
 * The span of one call, by OpenTelemetry's conventions for HTTP clients, below the one that created the transaction.
 *
 * Without an SDK nothing is recorded here, but each call has a span id of its own all the same, never its parent's: the participants'
 * spans hang together by it.
 */
import { randomUUID } from 'node:crypto';
import { SpanKind, startSpan } from '../../../services/tracing/src/spans.ts';
import { formatTraceparent } from '../../../services/tracing/src/traceparent.ts';
import { transactionContext } from '../../../services/tracing/src/transaction-trace.ts';
import type { BranchCall } from '../reconcile/ports.ts';
import type { Outcome } from '../transaction/outcome.ts';
import type { Exchange } from './exchange.ts';

export interface CallTrace {
  /** The value of the traceparent header. */
  readonly traceparent: string;
  end(outcome: Outcome, result?: Exchange): void;
}

/** Where it goes. */
export interface CallAddress {
  /** `http://host:port`. */
  readonly origin: string;
  /** What stands before `/try`, `/confirm`, `/cancel`. */
  readonly path: string;
}

export function startTrace(
  { transaction, participant, operation, attempt }: BranchCall,
  { origin, path }: CallAddress,
): CallTrace {
  const above = transactionContext(transaction.metadata);
  const target = `${path}/${operation}`;
  const { hostname, port, protocol } = new URL(origin);
  const span = startSpan(`POST ${target}`, {
    kind: SpanKind.CLIENT,
    parent: formatTraceparent(above),
    attributes: {
      'http.request.method': 'POST',
      'url.full': origin + target,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      ...(attempt > 1 && { 'http.request.resend_count': attempt - 1 }),
      'ordertx.flow': transaction.spec.flow,
      'ordertx.order': transaction.spec.orderId,
      'ordertx.transaction': `${transaction.metadata.namespace ?? ''}/${transaction.metadata.name}`,
      'ordertx.branch': participant.name,
      'ordertx.operation': operation,
      'ordertx.attempt': attempt,
    },
  });
  const own = span.isOwn ? span.traceparent : undefined;
  return {
    traceparent: own ?? formatTraceparent({ ...above, spanId: newSpanId() }),
    end(outcome, result) {
      const status = result?.kind === 'answered' ? result.answer.status : undefined;
      span.set({
        'ordertx.outcome': outcome.kind,
        ...(status !== undefined && { 'http.response.status_code': status }),
      });
      span.end(errorOf(outcome, status));
    },
  };
}

/** A business no is an answer like another; what needs somebody's attention is a call without one. */
function errorOf(outcome: Outcome, status: number | undefined): { type: string; message?: string } | undefined {
  if (outcome.kind !== 'unknown' && outcome.kind !== 'unsent') return undefined;
  return { type: status === undefined ? outcome.kind : String(status), message: outcome.detail };
}

/** The half of a random UUID that has the fewest fixed bits, and is never zero: Node keeps random bytes ready for UUIDs. */
function newSpanId(): string {
  return randomUUID().replaceAll('-', '').slice(16);
}

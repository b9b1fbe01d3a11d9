/**
 * The trace a call belongs to (W3C Trace Context).
 *
 * Each call is a span of its own below the one that created the transaction, with an OpenTelemetry SDK or without:
 * without one nothing is recorded here, but the participants' spans still hang together.
 *
 * 1. The creator's context is the annotation `ordertx.dev/traceparent`. Where that is missing or malformed, one is
 *    derived from the transaction's uid: the same on every retry, after every restart and in every controller.
 * 2. Each call has a span id of its own, never its parent's.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import type { Span, SpanContext } from '@opentelemetry/api';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { BranchCall } from '../reconcile/ports.ts';
import type { Outcome } from '../transaction/outcome.ts';

export const TRACEPARENT_ANNOTATION = 'ordertx.dev/traceparent';

export interface CallTrace {
  /** The value of the traceparent header. */
  readonly traceparent: string;
  end(outcome: Outcome): void;
}

export function startTrace({ transaction, participant, operation, attempt }: BranchCall): CallTrace {
  const parent = parentOf(transaction);
  const span = trace.getTracer('ordertx-controller').startSpan(
    `${operation} ${participant.name}`,
    {
      kind: SpanKind.CLIENT,
      attributes: {
        'ordertx.flow': transaction.spec.flow,
        'ordertx.order': transaction.spec.orderId,
        'ordertx.branch': participant.name,
        'ordertx.operation': operation,
        'ordertx.attempt': attempt,
      },
    },
    trace.setSpanContext(ROOT_CONTEXT, parent),
  );
  return { traceparent: traceparentOf(span, parent), end: (outcome) => endSpan(span, outcome) };
}

/** Without an SDK the API's span is the parent's again: it gets an id here. */
function traceparentOf(span: Span, parent: SpanContext): string {
  const own = span.spanContext();
  const isRecorded = own.traceId !== INVALID_TRACE_ID && own.spanId !== parent.spanId;
  return isRecorded ? format(own) : format({ ...parent, spanId: newSpanId() });
}

/** The half of a random UUID that has the fewest fixed bits, and is never zero: Node keeps random bytes ready for UUIDs. */
function newSpanId(): string {
  return randomUUID().replaceAll('-', '').slice(16);
}

function endSpan(span: Span, outcome: Outcome): void {
  if (span.isRecording()) {
    span.setAttribute('ordertx.outcome', outcome.kind);
    // A business no is an answer like another; what needs somebody's attention is a call without one.
    if (outcome.kind === 'unknown' || outcome.kind === 'unsent')
      span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.detail });
  }
  span.end();
}

function format({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

const INVALID_TRACE_ID = '0'.repeat(32);
const INVALID_SPAN_ID = '0'.repeat(16);

/** Later versions may append fields, but begin like version 00 (Trace Context, 3.2.4). */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;

export function parentOf({ metadata }: OrderTransaction): SpanContext {
  return parseTraceparent(metadata.annotations?.[TRACEPARENT_ANNOTATION]) ?? derivedFrom(metadata.uid);
}

function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (traceId === INVALID_TRACE_ID || spanId === INVALID_SPAN_ID) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

/**
 * A uid is 128 bits in hexadecimal, as a trace id is. Sampled: nobody decided otherwise, and participants that follow
 * their caller would else never record such a transaction.
 */
function derivedFrom(uid: string | undefined): SpanContext {
  const hex = uid?.replaceAll('-', '').toLowerCase() ?? '';
  const traceId = /^[0-9a-f]{32}$/.test(hex) ? hex : randomBytes(16).toString('hex');
  return { traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

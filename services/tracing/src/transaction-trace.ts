/**
 * The trace that a transaction belongs to.
 *
 * 1. The creator's context is the annotation `ordertx.dev/traceparent`. Where that is missing or malformed, one is derived from the
 *    transaction's uid: the same on every retry, after every restart and in every controller.
 * 2. A derived one is sampled: nobody decided otherwise, and participants that follow their caller would else never record it.
 */
import { randomBytes } from 'node:crypto';
import { TraceFlags, type SpanContext } from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

export const TRACEPARENT_ANNOTATION = 'ordertx.dev/traceparent';

/** As much of a stored transaction as says it. */
export interface TracedTransaction {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
}

export function transactionContext({ annotations, uid }: TracedTransaction): SpanContext {
  return parseTraceparent(annotations?.[TRACEPARENT_ANNOTATION]) ?? derivedFrom(uid);
}

export function transactionTraceparent(metadata: TracedTransaction): string {
  return formatTraceparent(transactionContext(metadata));
}

/** A uid is 128 bits in hexadecimal, as a trace id is. */
function derivedFrom(uid: string | undefined): SpanContext {
  const hex = uid?.replaceAll('-', '').toLowerCase() ?? '';
  const traceId = /^[0-9a-f]{32}$/.test(hex) ? hex : randomBytes(16).toString('hex');
  return { traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

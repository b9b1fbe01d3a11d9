/**
 * Spans of messages, by OpenTelemetry's conventions for messaging: `send` of a publication, `process` of its handling.
 *
 * The event's traceparent is its publication's, so the handling hangs below it, and what the handling starts (a payment, another
 * message) below the handling.
 */
import { SpanKind, startSpan, type OpenSpan } from '../../../tracing/src/spans.ts';
import type { HandlingOutcome } from './metrics.ts';
import type { Judged } from './judge.ts';

/** The message as its handler gets it continues the span; where nothing is traced it stays as it came. */
export function traced(judged: Judged, stream: string): { readonly judged: Judged; readonly span: OpenSpan } {
  const message = judged.kind === 'message' ? judged.message : undefined;
  const id = message?.id ?? judged.sender?.id;
  const span = startSpan(`process ${stream}`, {
    kind: SpanKind.CONSUMER,
    parent: message?.traceparent,
    attributes: {
      'messaging.system': 'redis',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': stream,
      ...(id !== undefined && { 'messaging.message.id': id }),
      ...(message !== undefined && { 'cloudevents.event_type': message.type }),
    },
  });
  if (judged.kind !== 'message' || !span.isOwn) return { judged, span };
  return { judged: { ...judged, message: { ...judged.message, traceparent: span.traceparent } }, span };
}

const NO_ERRORS: ReadonlySet<HandlingOutcome> = new Set<HandlingOutcome>([
  'delivered',
  'replayed',
  'foreign',
  'not-yet',
]);

export function endSpan(span: OpenSpan, outcome: HandlingOutcome): void {
  span.set({ 'ordertx.outcome': outcome });
  span.end(NO_ERRORS.has(outcome) ? undefined : { type: outcome });
}

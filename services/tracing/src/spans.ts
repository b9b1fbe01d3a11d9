/**
 * Spans of OpenTelemetry, with their parents in the open: a traceparent comes in, and what goes on below gets one.
 *
 * Between the steps of an order's transaction lie databases, an API server, a broker and restarts, so the context is handed on as text,
 * as it stands in headers, annotations and messages, and not through the process.
 *
 * Without an SDK (start.ts) nothing is recorded and nothing gets a span of its own: what is below continues what is above.
 */
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type TimeInput,
} from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

export { SpanKind };

export interface SpanSettings {
  readonly kind: SpanKind;
  /** The traceparent of what it is part of; without a usable one it begins a trace. */
  readonly parent: string | undefined;
  readonly attributes: Attributes;
  /** Default: now. */
  readonly startTime?: TimeInput;
}

export interface OpenSpan {
  /** It has an id of its own, which is to be handed on. */
  readonly isOwn: boolean;
  /** What is to be handed on: its own, or without one its parent's as it came. */
  readonly traceparent: string | undefined;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** @param error what went wrong, in words without ids, payloads and secrets; its type is low in number (`500`, `timeout`) */
  end(error?: { readonly type: string; readonly message?: string }, endTime?: TimeInput): void;
}

export function startSpan(name: string, { kind, parent, attributes, startTime }: SpanSettings): OpenSpan {
  const above = parseTraceparent(parent);
  const context = above === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, above);
  const options = { kind, attributes, ...(startTime !== undefined && { startTime }) };
  const span = trace.getTracer('ordertx').startSpan(name, options, context);
  const own = span.spanContext();
  const isOwn = isSpanContextValid(own) && own.spanId !== above?.spanId;
  return {
    isOwn,
    traceparent: isOwn ? formatTraceparent(own) : parent,
    rename: (better) => void span.updateName(better),
    set: (more) => void span.setAttributes(more),
    end(error, endTime) {
      if (error !== undefined && span.isRecording()) {
        span.setAttribute('error.type', error.type);
        span.setStatus({
          code: SpanStatusCode.ERROR,
          ...(error.message !== undefined && { message: error.message }),
        });
      }
      span.end(endTime);
    },
  };
}

/** The traceparent of a call, without an OpenTelemetry SDK and with one. */
import { afterEach, expect, test } from '@jest/globals';
import { INVALID_SPAN_CONTEXT, trace, type Context, type SpanContext } from '@opentelemetry/api';
import { TRACEPARENT_ANNOTATION } from '../../../services/tracing/src/transaction-trace.ts';
import { branchCallTo, participantAt, TRANSACTION } from './loopback-participant.ts';
import { startTrace } from './trace.ts';

function traceparent(annotation?: string, uid: string | undefined = TRANSACTION.metadata.uid): string {
  const annotations = annotation === undefined ? undefined : { [TRACEPARENT_ANNOTATION]: annotation };
  const transaction = { ...TRANSACTION, metadata: { ...TRANSACTION.metadata, uid, annotations } };
  const started = startTrace(branchCallTo(participantAt('http://127.0.0.1:1'), { transaction }), {
    ...{ origin: 'http://127.0.0.1:1', path: '/tcc/create-order' },
  });
  started.end({ kind: 'succeeded' });
  return started.traceparent;
}

afterEach(() => trace.disable());

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE_ID}-00f067aa0ba902b7`;
const FROM_UID = /^00-2f7a7f6e3f0a4c579d7c0c9f8f1f7a11-[0-9a-f]{16}-01$/;

test("a call continues the creator's trace with a span of its own", () => {
  const first = traceparent(`${PARENT}-01`);
  const second = traceparent(`${PARENT}-01`);
  expect(first).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
  expect(first).not.toContain('00f067aa0ba902b7');
  expect(second).not.toBe(first);
});

test("the creator's choice not to sample is kept", () => {
  expect(traceparent(`${PARENT}-00`)).toMatch(/-00$/);
});

test('a later version of the format is read as far as it is known', () => {
  expect(traceparent(`cc-${TRACE_ID}-00f067aa0ba902b7-01-more`)).toMatch(
    new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`),
  );
});

test('without an annotation the trace is derived from the uid, so every call of the transaction shares it', () => {
  expect(traceparent()).toMatch(FROM_UID);
  expect(traceparent()).toMatch(FROM_UID);
});

test.each([
  '',
  'nonsense',
  PARENT,
  `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
  `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
  `00-${TRACE_ID.toUpperCase()}-00f067aa0ba902b7-01`,
  `${PARENT}-01\r\nEvil: header`,
])('a malformed annotation counts as none: %j', (annotation) => {
  expect(traceparent(annotation)).toMatch(FROM_UID);
});

test('without a usable uid there is still a valid trace', () => {
  expect(traceparent(undefined, 'not-a-uuid')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

/** As much of an SDK as a call meets: each span continues its parent's trace with the id given. */
function installSdk(spanId: string): { parents: (SpanContext | undefined)[]; ended: number } {
  const seen = { parents: [] as (SpanContext | undefined)[], ended: 0 };
  const startSpan = (_name: string, _options: unknown, context: Context) => {
    const parent = trace.getSpanContext(context);
    seen.parents.push(parent);
    const span = trace.wrapSpanContext({ ...(parent ?? INVALID_SPAN_CONTEXT), spanId });
    return Object.assign(span, { isRecording: () => false, end: () => (seen.ended += 1) });
  };
  const startActiveSpan = () => {
    throw new Error('a call starts its span on its own');
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
  return seen;
}

test("with an SDK the participant continues the SDK's span, which continues the creator's", () => {
  const sdk = installSdk('1111111111111111');
  expect(traceparent(`${PARENT}-01`)).toBe(`00-${TRACE_ID}-1111111111111111-01`);
  expect(sdk.parents).toMatchObject([{ traceId: TRACE_ID, spanId: '00f067aa0ba902b7', isRemote: true }]);
  expect(sdk.ended).toBe(1);
});

/** What is handed on below a span: without an SDK what came, with one the span's own. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { SpanKind, startSpan } from './spans.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const settings = { kind: SpanKind.INTERNAL, attributes: {} };

describe('without an SDK', () => {
  test.each([PARENT, `00-${TRACE_ID}-00f067aa0ba902b7-00`, 'nonsense', undefined])(
    '%s is handed on as it came',
    (parent) => {
      const span = startSpan('work', { ...settings, parent });
      expect(span).toMatchObject({ isOwn: false, traceparent: parent });
      span.set({ a: 1 });
      span.rename('better');
      span.end({ type: '500' });
    },
  );
});

describe('with an SDK', () => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    const sampler = new ParentBasedSampler({ root: new AlwaysOnSampler() });
    const spanProcessors = [new SimpleSpanProcessor({ exporter })];
    trace.setGlobalTracerProvider(new TracerProvider({ sampler, spanProcessors }));
  });
  afterAll(() => trace.disable());

  test('a span continues its parent, and is what is handed on', () => {
    const span = startSpan('work', { ...settings, parent: PARENT });
    span.end({ type: 'timeout', message: 'no answer' });
    const [recorded] = exporter.getFinishedSpans().slice(-1);
    expect(recorded?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
    expect(span.traceparent).toBe(`00-${TRACE_ID}-${recorded?.spanContext().spanId ?? ''}-01`);
    expect(recorded).toMatchObject({
      attributes: { 'error.type': 'timeout' },
      status: { code: 2, message: 'no answer' },
    });
  });

  test('what its parent has chosen not to record is not recorded, and those below are told so', () => {
    const before = exporter.getFinishedSpans().length;
    const span = startSpan('work', { ...settings, parent: `00-${TRACE_ID}-00f067aa0ba902b7-00` });
    span.end();
    expect(span.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
    expect(exporter.getFinishedSpans()).toHaveLength(before);
  });

  test.each(['nonsense', undefined])('below %s it begins a trace', (parent) => {
    const span = startSpan('work', { ...settings, parent });
    span.end();
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(exporter.getFinishedSpans().at(-1)?.parentSpanContext).toBeUndefined();
  });
});

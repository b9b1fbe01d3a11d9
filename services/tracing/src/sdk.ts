/**
 * OpenTelemetry's SDK, put together: spans are gathered, and sent to the collector as OTLP over HTTP.
 *
 * A collector that is away costs the spans that do not fit the queue, a line in the log when it begins and when it is over, and nothing
 * else: nothing waits for it, not even the end of the process.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { SamplerName, TracingValues } from './settings.ts';
import type { Tracing, TracingIdentity, TracingLog } from './tracing.ts';

/** What is left at the end has so long to be sent. */
const CLOSE_MS = 1_500;
/** One request to the collector; and its repetitions, where it says that it cannot just now. */
const EXPORT_MS = 5_000;
const SPANS_WAITING_MAX = 4_096;

export function startSdk(
  url: string,
  values: TracingValues,
  { service, version, instance, log }: TracingIdentity,
): Tracing {
  const { otlpHeaders, otelServiceName, otelResourceAttributes, spansDelayMs } = values;
  const otlp = new OTLPTraceExporter({
    ...{ url, timeoutMillis: EXPORT_MS },
    ...(otlpHeaders !== undefined && { headers: { ...otlpHeaders } }),
  });
  const resource = defaultResource().merge(
    resourceFromAttributes({
      'service.name': otelServiceName ?? service,
      'service.version': version,
      'service.instance.id': instance,
      ...otelResourceAttributes,
      ...(otelServiceName !== undefined && { 'service.name': otelServiceName }),
    }),
  );
  const processor = new BatchSpanProcessor({
    ...{ exporter: telling(otlp, log), scheduledDelayMillis: spansDelayMs, maxQueueSize: SPANS_WAITING_MAX },
    exportTimeoutMillis: 2 * EXPORT_MS,
  });
  const sampler = samplerOf(values.tracesSampler, values.tracesSamplerArg);
  const provider = new TracerProvider({ resource, sampler, spanProcessors: [processor] });
  trace.setGlobalTracerProvider(provider);
  return {
    async close() {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, delay(CLOSE_MS)]);
    },
  };
}

/** Says once that spans cannot be sent, and once that they can again. */
function telling(exporter: OTLPTraceExporter, log: TracingLog): SpanExporter {
  let isAway = false;
  return {
    export(spans, told) {
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed !== isAway) {
          isAway = failed;
          if (failed)
            log.warn({ err: result.error }, 'traces cannot be sent to the collector: they are dropped until they can');
          else log.info({}, 'traces are sent again');
        }
        // What failed is told here: the processor would print it as well, with all that an error of its has.
        told({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}

function samplerOf(name: SamplerName, share: number): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(share);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) });
  }
}

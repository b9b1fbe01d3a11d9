/**
 * The settings of traces: OpenTelemetry's usual variables, as far as they are read here.
 *
 * Every process spreads them into its own. Traces are on where an endpoint is named.
 */
import { z } from 'zod';

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

const httpUrl = z.url({ protocol: /^https?$/, message: 'must be an http or https URL' });

/** `key=value` pairs separated by commas, percent-encoded, as OpenTelemetry writes them. */
const pairs = z.string().transform((text, context): Readonly<Record<string, string>> => {
  const entries = text.split(',').filter((entry) => entry.trim() !== '');
  const read = entries.map((entry) => entry.split('=').map((part) => decoded(part.trim())));
  if (read.every(([key, value, ...more]) => key && value !== undefined && more.length === 0))
    return Object.fromEntries(read as [string, string][]);
  context.addIssue({ code: 'custom', message: 'must be key=value pairs separated by commas' });
  return z.NEVER;
});

/** Undefined makes the pair a bad one. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export const tracingSettings = {
  otlpEndpoint: {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    description:
      'The OpenTelemetry collector that traces are sent to, http://host:4318; /v1/traces is put behind it. Without it and without OTEL_EXPORTER_OTLP_TRACES_ENDPOINT nothing is traced, and the SDK is not even loaded.',
    optional: true,
    schema: httpUrl,
  },
  otlpTracesEndpoint: {
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    description: 'The same as a whole URL, path included; it wins.',
    optional: true,
    schema: httpUrl,
  },
  otlpHeaders: {
    name: 'OTEL_EXPORTER_OTLP_HEADERS',
    description: 'Headers of each request to the collector, key=value, separated by commas.',
    optional: true,
    secret: true,
    schema: pairs,
  },
  otlpProtocol: {
    name: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    description: 'How traces are sent; http/json is the one there is.',
    default: 'http/json',
    schema: z.literal('http/json', 'must be http/json: collectors take it at the same port as http/protobuf'),
  },
  otelDisabled: {
    name: 'OTEL_SDK_DISABLED',
    description: 'With true nothing is traced, whatever else is set.',
    default: 'false',
    schema: z.enum(['true', 'false'], 'must be true or false'),
  },
  otelServiceName: {
    name: 'OTEL_SERVICE_NAME',
    description: "The service's name in traces. Without it: ordertx-controller, or the service's own name.",
    optional: true,
    schema: z.string().min(1),
  },
  otelResourceAttributes: {
    name: 'OTEL_RESOURCE_ATTRIBUTES',
    description: 'What else is known of this process, key=value, separated by commas.',
    optional: true,
    schema: pairs,
  },
  tracesSampler: {
    name: 'OTEL_TRACES_SAMPLER',
    description: `Which traces are recorded: ${SAMPLERS.join(', ')}. Those that begin with parentbased_ keep to what their caller has decided, so that a trace is whole or not there.`,
    default: 'parentbased_always_on',
    schema: z.enum(SAMPLERS, `must be one of ${SAMPLERS.join(', ')}`),
  },
  tracesSamplerArg: {
    name: 'OTEL_TRACES_SAMPLER_ARG',
    description: 'For a sampler with traceidratio: the share of traces, 0 to 1.',
    default: '1',
    schema: z.string().transform(Number).pipe(z.number('must be a number from 0 to 1').min(0).max(1)),
  },
  spansDelayMs: {
    name: 'OTEL_BSP_SCHEDULE_DELAY',
    description:
      'How long spans are gathered before they are sent, in milliseconds; a process that is killed loses them.',
    default: '5000',
    schema: z.string().transform(Number).pipe(z.int('must be a whole number from 1 to 60000').min(1).max(60_000)),
  },
} as const;

type Output<S> = S extends { readonly schema: z.ZodType<infer T, string> } ? T : never;

export type TracingValues = {
  readonly [K in keyof typeof tracingSettings]: (typeof tracingSettings)[K] extends { readonly optional: true }
    ? Output<(typeof tracingSettings)[K]> | undefined
    : Output<(typeof tracingSettings)[K]>;
};

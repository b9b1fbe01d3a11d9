/**
 * Turns traces on, where a collector is named. The SDK is loaded only then.
 */
import type { TracingValues } from './settings.ts';
import type { Tracing, TracingIdentity } from './tracing.ts';

const OFF: Tracing = { close: () => Promise.resolve() };

/** To be called before anything is traced. */
export async function startTracing(values: TracingValues, identity: TracingIdentity): Promise<Tracing> {
  const url = tracesUrl(values);
  if (url === undefined) return OFF;
  const { startSdk } = await import('./sdk.ts');
  return startSdk(url, values, identity);
}

/** Undefined where nothing is to be traced. */
export function tracesUrl({ otelDisabled, otlpEndpoint, otlpTracesEndpoint }: TracingValues): string | undefined {
  if (otelDisabled === 'true') return undefined;
  if (otlpTracesEndpoint !== undefined) return otlpTracesEndpoint;
  return otlpEndpoint === undefined ? undefined : `${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`;
}

/** When traces are on, and that the SDK is not even loaded while they are off. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { readSettings } from '../../kit/src/settings.ts';
import { tracingSettings, type TracingValues } from './settings.ts';

const started: string[] = [];
jest.unstable_mockModule('./sdk.ts', () => {
  started.push('loaded');
  return {
    startSdk: (url: string) => {
      started.push(url);
      return { close: () => Promise.resolve() };
    },
  };
});
const { startTracing, tracesUrl } = await import('./start.ts');

const IDENTITY = {
  service: 'order',
  version: '1',
  instance: 'one',
  log: { info: () => undefined, warn: () => undefined },
};

function values(environment: Readonly<Record<string, string>>): TracingValues {
  const read = readSettings(tracingSettings, environment);
  if (read.kind === 'bad') throw new Error(JSON.stringify(read.problems));
  return read.values;
}

afterEach(() => void started.splice(0));

test.each<[string, Readonly<Record<string, string>>]>([
  ['no endpoint is named', {}],
  ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_SDK_DISABLED: 'true' }],
])('where %s nothing is loaded', async (_what, environment) => {
  await (await startTracing(values(environment), IDENTITY)).close();
  expect(started).toEqual([]);
});

test('where one is named the SDK is started with it', async () => {
  await startTracing(values({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }), IDENTITY);
  expect(started).toEqual(['loaded', 'http://collector:4318/v1/traces']);
});

test('the endpoint of traces is a whole URL, and wins', () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in',
  };
  expect(tracesUrl(values(environment))).toBe('https://traces.example/in');
});

describe('what is not usable is told by name', () => {
  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'api-key'],
    ['OTEL_SDK_DISABLED', 'yes'],
    ['OTEL_RESOURCE_ATTRIBUTES', '%zz=1'],
    ['OTEL_TRACES_SAMPLER', 'some'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_TRACES_SAMPLER_ARG', 'half'],
    ['OTEL_BSP_SCHEDULE_DELAY', '0'],
  ])('%s=%s', (name, value) => {
    expect(readSettings(tracingSettings, { [name]: value })).toMatchObject({ kind: 'bad', problems: [{ name }] });
  });

  test('and headers, which may be secret, are not repeated', () => {
    expect(JSON.stringify(readSettings(tracingSettings, { OTEL_EXPORTER_OTLP_HEADERS: 'Pa55word' }))).not.toContain(
      'Pa55word',
    );
  });
});

test('headers and attributes are pairs, percent-encoded', () => {
  const { otlpHeaders, otelResourceAttributes } = values({
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%2Cb, x=y',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  expect(otlpHeaders).toEqual({ 'api-key': 'a,b', x: 'y' });
  expect(otelResourceAttributes).toEqual({ 'deployment.environment.name': 'test' });
});

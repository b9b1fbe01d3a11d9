/**
 * /metrics as its readers ask for it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express from 'express';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { HistogramWithExemplars } from './exemplars.ts';
import { serveMetrics } from './exposition.ts';

/** As Prometheus 2 and 3 ask. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const registry = new Registry();
let server: Server;
let url: string;

beforeAll(async () => {
  const registers = [registry];
  new Counter({ name: 'parcels_total', help: 'Parcels.', labelNames: ['size'], registers }).inc({ size: 'small' }, 3);
  new Gauge({ name: 'shelves', help: 'Shelves, "all" of them.', registers }).set(7);
  const walks = { name: 'walk_seconds', help: 'Walks.', labelNames: ['floor'], buckets: [0.1, 1] };
  const histogram = new HistogramWithExemplars(registry, walks);
  histogram.observe({ floor: 'a' }, 0.5, { trace_id: 'abc', walker: 'x'.repeat(120), shoe: 'left' });
  server = express()
    .get('/metrics', serveMetrics(registry, { service: 'store' }))
    .listen(0);
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
});
afterAll(() => {
  server.close();
});

async function scrape(accept?: string): Promise<{ readonly type: string | null; readonly text: string }> {
  const answer = await fetch(url, { headers: accept === undefined ? {} : { accept } });
  return { type: answer.headers.get('content-type'), text: await answer.text() };
}

describe('the format', () => {
  test.each([['*/*'], ['text/plain'], ['text/plain;version=0.0.4'], ['text/html, */*;q=0.8'], ['application/json']])(
    '%s gets text, without exemplars',
    async (accept) => {
      const { type, text } = await scrape(accept);
      expect(type).toBe(TEXT);
      expect(text).toContain('parcels_total{size="small",service="store"} 3\n');
      expect(text).not.toContain('# EOF');
      expect(text).not.toContain('trace_id');
    },
  );

  // What an exemplar has no room for is left out.
  test.each([[PROMETHEUS], [PROMETHEUS_3], ['application/openmetrics-text']])(
    '%s gets OpenMetrics, with exemplars',
    async (accept) => {
      const { type, text } = await scrape(accept);
      expect(type).toBe(OPEN);
      expect(text).toContain('# TYPE parcels counter\nparcels_total{size="small",service="store"} 3\n');
      expect(text).toMatch(
        /walk_seconds_bucket\{le="1",service="store",floor="a"\} 1 # \{trace_id="abc",shoe="left"\} 0\.5 \d+/,
      );
      expect(text.endsWith('\n# EOF\n')).toBe(true);
    },
  );

  test('one reader changes nothing for another, whoever comes first or at once', async () => {
    const before = await scrape();
    const [open, text] = await Promise.all([scrape(PROMETHEUS), scrape(), scrape(PROMETHEUS)]);
    expect(open.text).toContain('# TYPE parcels counter');
    expect(text).toEqual(before);
    expect(text.text).toContain('# TYPE parcels_total counter');
    expect(await scrape()).toEqual(before);
  });
});

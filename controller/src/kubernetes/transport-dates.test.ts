/** What an API server says of time: when it answered, and when to come again. A plain HTTP server on loopback stands in. */
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { DatedAnswer } from '../runtime/remote-clock.ts';
import { HttpTransport } from './transport.ts';

const open: { readonly server: Server; readonly transport: HttpTransport }[] = [];

async function apiServer(answer: (response: ServerResponse, number: number) => void) {
  const requestsMs: number[] = [];
  const server = createServer((request, response) => {
    request.resume();
    requestsMs.push(performance.now());
    answer(response, requestsMs.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
    { name: 'u' },
  );
  const dated: DatedAnswer[] = [];
  const transport = new HttpTransport({ kubeConfig, userAgent: 'tests', onDated: (each) => dated.push(each) });
  open.push({ server, transport });
  return { transport, dated, requestsMs };
}

afterEach(async () => {
  for (const { server, transport } of open.splice(0)) {
    await transport.close();
    server.closeAllConnections();
    server.close();
  }
});

const ask = { method: 'GET', path: '/api' } as const;

test('an answer’s date is passed on with when it was asked for and came', async () => {
  const { transport, dated } = await apiServer((response) =>
    response.writeHead(200, { date: 'Sun, 22 Nov 2026 10:00:30 GMT' }).end('{}'),
  );
  const beforeMs = performance.now();
  await transport.request(ask);
  expect(dated).toEqual([
    { dateMs: Date.UTC(2026, 10, 22, 10, 0, 30), sentMs: expect.any(Number), receivedMs: expect.any(Number) },
  ]);
  expect(dated[0]!.sentMs).toBeGreaterThanOrEqual(beforeMs);
  expect(dated[0]!.receivedMs).toBeGreaterThan(dated[0]!.sentMs);
});

test('the date of an error is not: a proxy on the way gives errors too', async () => {
  const { transport, dated } = await apiServer((response) => response.writeHead(404).end('{}'));
  await transport.request(ask);
  expect(dated).toEqual([]);
});

test.each(['0', '-1', '', ' ', 'soon', 'NaN', '1e1', 'Sun, 22 Nov 2026 10:00:30 GMT'])(
  'a 429 with Retry-After %j is asked again by the usual back-off, not at once',
  async (retryAfter) => {
    const { transport, requestsMs } = await apiServer((response, number) =>
      number === 1 ? response.writeHead(429, { 'retry-after': retryAfter }).end('{}') : response.end('{}'),
    );
    expect((await transport.request(ask)).kind).toBe('ok');
    expect(requestsMs).toHaveLength(2);
    expect(requestsMs[1]! - requestsMs[0]!).toBeGreaterThanOrEqual(45);
  },
);

test('a Retry-After beyond the request’s own limit is not waited for: the 429 is the answer', async () => {
  const { transport, requestsMs } = await apiServer((response) =>
    response.writeHead(429, { 'retry-after': '9999999999' }).end('{}'),
  );
  expect(await transport.request(ask)).toMatchObject({ kind: 'error', error: { status: 429 } });
  expect(requestsMs).toHaveLength(1);
});

/** Requests to a real API server, and what becomes of them when the network between is bad. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../local/deadline.ts';
import {
  abandonTransaction,
  adminKubeConfig,
  adminTransport,
  createTransaction,
} from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { settle } from '../runtime/manual-clock.ts';
import { pathOf, TRANSACTIONS } from './stored-object.ts';
import { HttpTransport } from './transport.ts';

let namespace: string;
let proxy: TcpProxy;
let transport: HttpTransport;
const codes: string[] = [];
const direct = adminTransport();

beforeAll(async () => {
  namespace = await freshNamespace('transport');
  proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  transport = new HttpTransport({
    kubeConfig: adminKubeConfig(proxy.port),
    userAgent: 'ordertx-tests',
    onAnswer: ({ code, method }) => codes.push(`${method} ${code}`),
  });
});

afterEach(() => {
  proxy.heal();
  codes.length = 0;
});

afterAll(async () => {
  await transport.close();
  await direct.close();
  await proxy.close();
});

describe('answers are values', () => {
  test('a 2xx carries the object', async () => {
    const created = await createTransaction(transport, namespace, 'answers');
    expect(created.metadata.uid).toMatch(/-/);
    expect(codes).toEqual(['POST 201']);
  });

  test('an error carries the API server’s reason, its sentence and the object it is about', async () => {
    const path = pathOf(TRANSACTIONS, namespace, 'nobody');
    const answer = await transport.request({ method: 'GET', path });
    expect(answer).toEqual({
      kind: 'error',
      error: {
        status: 404,
        reason: 'NotFound',
        message: 'ordertransactions.ordertx.dev "nobody" not found',
        objectName: 'nobody',
      },
    });
  });

  test('a 404 for something the API server does not serve is about no object', async () => {
    const answer = await transport.request({ method: 'GET', path: '/apis/ordertx.dev/v1alpha1/namespaces/a/things/b' });
    expect(answer.kind === 'error' && [answer.error.status, answer.error.objectName]).toEqual([404, undefined]);
  });

  test('an API server that is away is not an exception', async () => {
    proxy.break('cut');
    const path = pathOf(TRANSACTIONS, namespace, 'answers');
    const answer = await transport.request({ method: 'PUT', path, body: {} });
    expect(answer).toEqual({ kind: 'unanswered', message: expect.stringMatching(/^the API server gave no answer/) });
    expect(codes).toEqual(['PUT <error>']);
  });
});

describe('sending again', () => {
  test('a read is sent again until the network is back', async () => {
    proxy.break('cut');
    const reading = transport.request({ method: 'GET', path: pathOf(TRANSACTIONS, namespace) });
    await waitFor(async () => codes.length >= 2, { what: 'a second attempt', deadlineMs: 5_000 });
    proxy.heal();
    expect((await reading).kind).toBe('ok');
  });

  test('a write whose answer is lost is sent once, and has happened', async () => {
    const name = 'lost-answer';
    const path = pathOf(TRANSACTIONS, namespace);
    const body = {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'OrderTransaction',
      metadata: { name },
      spec: { flow: 'f', orderId: 'o', payload: {} },
    };
    // So that the write needs no new connection, which could not be made any more; the pool takes this one back a turn later.
    await transport.request({ method: 'GET', path });
    await settle();
    proxy.break('answers-lost');
    const answer = await transport.request({ method: 'POST', path, body, timeoutMs: 500 });
    expect(answer).toEqual({ kind: 'unanswered', message: 'the API server did not answer in time' });
    const stored = await direct.request({ method: 'GET', path: pathOf(TRANSACTIONS, namespace, name) });
    expect(stored.kind).toBe('ok');
    expect(codes).toEqual(['GET 200', 'POST <error>']);
    await abandonTransaction(direct, namespace, name);
  });

  test('a request that waits for a connection ends within its time limit as well', async () => {
    proxy.cutOnce();
    proxy.break('answers-lost');
    const startedMs = performance.now();
    const path = pathOf(TRANSACTIONS, namespace);
    const answer = await transport.request({ method: 'PUT', path, body: {}, timeoutMs: 300 });
    expect(answer.kind).toBe('unanswered');
    // Before the connection is given up, which takes five seconds.
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });

  test('a request ends when its caller aborts it', async () => {
    proxy.break('answers-lost');
    const abort = new AbortController();
    const request = transport.request({ method: 'GET', path: '/version', signal: abort.signal });
    await waitFor(async () => proxy.openConnections() > 0, { what: 'the request to be sent', deadlineMs: 5_000 });
    abort.abort();
    expect((await request).kind).toBe('unanswered');
  });
});

describe('connections', () => {
  test('are made once and used by every later request', async () => {
    const path = pathOf(TRANSACTIONS, namespace);
    for (let i = 0; i < 10; i += 1) await transport.request({ method: 'GET', path });
    const before = proxy.connectionsMade();
    for (let i = 0; i < 50; i += 1) await transport.request({ method: 'GET', path });
    expect(proxy.connectionsMade() - before).toBe(0);
  });

  test('are as many as run at once, and no more than 64', async () => {
    const path = pathOf(TRANSACTIONS, namespace);
    await Promise.all(Array.from({ length: 200 }, () => transport.request({ method: 'GET', path })));
    expect(proxy.openConnections()).toBeGreaterThan(10);
    expect(proxy.openConnections()).toBeLessThanOrEqual(64);
  });
});

test('a merge patch is sent as what the API server takes it for', async () => {
  await createTransaction(transport, namespace, 'patched');
  const body = { metadata: { annotations: { tried: 'yes' } } };
  const answer = await transport.request({ method: 'PATCH', path: pathOf(TRANSACTIONS, namespace, 'patched'), body });
  expect(answer.kind).toBe('ok');
});

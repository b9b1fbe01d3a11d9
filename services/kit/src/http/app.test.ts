/**
 * What every service's HTTP side does with good and broken requests; the database is one that nobody listens for.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Pool } from 'pg';
import { z } from 'zod';
import { memoryLog } from '../../testing/memory-log.ts';
import { until } from '../../testing/until.ts';
import { createPool } from '../postgres/pool.ts';
import { createApp } from './app.ts';
import { listen, type RunningServer } from './listen.ts';
import { problem, ProblemError } from './problem.ts';
import { route, type RouteRequest } from './route.ts';

const { log, lines } = memoryLog();
let pool: Pool;
let server: RunningServer;
let waiting: RouteRequest<unknown, unknown, unknown> | undefined;

const item = z.strictObject({ name: z.string().max(20), count: z.int().min(0).max(10) });
const routes = [
  route({
    method: 'put',
    path: '/shelves/:shelfId/items',
    summary: 'Puts an item on a shelf',
    params: z.strictObject({ shelfId: z.string().regex(/^[a-z]+$/, 'must be lower-case letters') }),
    query: z.strictObject({ dry: z.enum(['yes', 'no']).optional() }),
    body: z.strictObject({ items: z.array(item).max(3) }),
    responses: {
      200: { description: 'What is there now', schema: z.strictObject({ shelf: z.string(), count: z.int() }) },
    },
    handle: ({ params, body }) => ({ status: 200, body: { shelf: params.shelfId, count: body.items.length } }),
  }),
  route({
    method: 'post',
    path: '/shelves/:shelfId/dust',
    summary: 'Dusts a shelf',
    responses: { 204: { description: 'Dusted' } },
    handle: ({ log: routeLog }) => {
      routeLog.info('dusting');
      return { status: 204 };
    },
  }),
  route({
    method: 'get',
    path: '/bug',
    summary: 'A bug',
    responses: {},
    handle: () => Promise.reject(new Error('secret inside')),
  }),
  route({
    method: 'get',
    path: '/thrown',
    summary: 'Thrown',
    responses: {},
    handle: () => {
      throw new ProblemError(problem(409, { detail: 'no', code: 'nope', extra: { orderId: 'o1' } }));
    },
  }),
  route({
    method: 'get',
    path: '/patience',
    summary: 'Waits until it is told not to',
    responses: {},
    handle: async (request) => {
      waiting = request;
      if (!request.signal.aborted) await once(request.signal, 'abort');
      return { status: 202 };
    },
  }),
];

beforeAll(async () => {
  pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test', log });
  const app = createApp({ name: 'shelves', version: '1', log, pool });
  app.add(...routes);
  server = await listen(app, { port: 0, graceMs: 100 });
});
afterAll(async () => {
  await server.close();
  await pool.end();
});

async function ask(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  const response = await fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    /** The text where it is not JSON. */
    body: (response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as unknown,
  };
}

const ITEMS = '/shelves/a/items';

describe('a declared route', () => {
  test('gets checked values and answers JSON', async () => {
    const answer = await ask('PUT', `${ITEMS}?dry=yes`, '{"items":[{"name":"cup","count":1}]}');
    expect(answer).toMatchObject({ status: 200, type: 'application/json', body: { shelf: 'a', count: 1 } });
  });

  test('without a body schema takes no body, or an empty object', async () => {
    expect((await ask('POST', '/shelves/a/dust')).status).toBe(204);
    expect((await ask('POST', '/shelves/a/dust', '{}')).status).toBe(204);
    expect(await ask('POST', '/shelves/a/dust', '{"wet":true}')).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('wet') },
    });
    expect(await ask('POST', '/shelves/a/dust', '[1]')).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('body') },
    });
  });

  test.each([
    ['an unknown field', '{"items":[{"name":"cup","count":1,"colour":"red"}]}', 'items[0].colour'],
    ['a wrong type', '{"items":[{"name":"cup","count":"1"}]}', 'items[0].count'],
    ['a negative number', '{"items":[{"name":"cup","count":-1}]}', 'items[0].count'],
    ['a huge number', '{"items":[{"name":"cup","count":1e999}]}', 'items[0].count'],
    [
      'a number with more digits than are kept',
      '{"items":[{"name":"cup","count":9007199254740993}]}',
      'items[0].count: the number 9007199254740993 cannot',
    ],
    ['the same in a field nobody knows', '{"items":[],"trace":{"no":[9007199254740993]}}', 'trace.no[0]: the number'],
    ['a missing field', '{"items":[{"count":1}]}', 'items[0].name'],
    ['a list instead of an object', '[]', 'body'],
    ['a bare value', '7', 'body'],
    ['null', 'null', 'body'],
    ['__proto__', '{"items":[],"__proto__":{"admin":true}}', '__proto__'],
    ['broken JSON', '{"items":', 'body'],
    ['a body that is not there', '', 'body'],
    ['deep nesting', `{"items":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'levels deep'],
  ])('answers 400 to %s and names it', async (_name, body, field) => {
    const answer = await ask('PUT', ITEMS, body);
    const problemBody = { status: 400, title: 'Invalid Request', detail: expect.stringContaining(field) };
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json', body: problemBody });
  });

  test('names a wrong path parameter and a wrong query parameter', async () => {
    expect(await ask('PUT', '/shelves/A1/items', '{"items":[]}')).toMatchObject({
      status: 400,
      body: { detail: 'shelfId: must be lower-case letters' },
    });
    expect(await ask('PUT', `${ITEMS}?wet=1`, '{"items":[]}')).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('wet') },
    });
    expect(await ask('PUT', '/shelves/%E0%A4%A/items', '{"items":[]}')).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      body: { detail: "path: Failed to decode param '%E0%A4%A'" },
    });
  });

  test('answers 413 to a body over the limit and 415 to one that is not JSON', async () => {
    expect(await ask('PUT', ITEMS, JSON.stringify({ items: 'x'.repeat(200_000) }))).toMatchObject({
      status: 413,
      type: 'application/problem+json',
    });
    expect(await ask('PUT', ITEMS, 'a=1', { 'content-type': 'application/x-www-form-urlencoded' })).toMatchObject({
      status: 415,
    });
    expect(
      await ask('PUT', ITEMS, '{"items":[]}', { 'content-type': 'application/json; charset=klingon' }),
    ).toMatchObject({ status: 415 });
  });

  test('keeps at most a few issues of a hostile body', async () => {
    const fields = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`f${i}`, 1]));
    const answer = await ask('PUT', ITEMS, JSON.stringify({ items: [], ...fields }));
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body).length).toBeLessThan(2_000);
  });

  test('is told when its caller has gone', async () => {
    const caller = connect(server.port, '127.0.0.1');
    caller.write('GET /patience HTTP/1.1\r\nhost: x\r\n\r\n');
    await until('the handler runs', () => waiting !== undefined);
    caller.destroy();
    await until('the handler is told', () => waiting?.signal.aborted === true);
  });
});

describe('errors', () => {
  test('a path that is not there is 404, a method that is not there 405 with Allow', async () => {
    expect(await ask('GET', '/nothing')).toMatchObject({
      status: 404,
      type: 'application/problem+json',
      body: { title: 'Not Found' },
    });
    const answer = await ask('DELETE', ITEMS);
    expect(answer).toMatchObject({ status: 405, type: 'application/problem+json' });
    expect(answer.headers.get('allow')).toBe('PUT');
    expect((await ask('POST', '/healthz')).headers.get('allow')).toBe('GET');
  });

  test('a bug is 500, is logged, and tells nothing of its inside', async () => {
    const answer = await ask('GET', '/bug');
    expect(answer).toMatchObject({ status: 500, type: 'application/problem+json' });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
    expect(lines.find(({ level }) => level === 'error')).toMatchObject({ err: { message: 'secret inside' } });
  });

  test('a thrown problem is the answer', async () => {
    expect(await ask('GET', '/thrown')).toMatchObject({
      status: 409,
      body: { code: 'nope', detail: 'no', orderId: 'o1', title: 'Conflict' },
    });
  });
});

describe('what every service has', () => {
  test('/healthz is well while /readyz is not, as long as the database does not answer', async () => {
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 200 });
    expect(await ask('GET', '/readyz')).toMatchObject({ status: 503, type: 'application/problem+json' });
  });

  test('/metrics measures by declared route and code, never by what the caller wrote', async () => {
    await ask('PUT', '/shelves/zzz/items', '{"items":[]}');
    await ask('GET', '/whatever/zzz');
    const { body, type } = await ask('GET', '/metrics');
    expect(type).toContain('text/plain');
    expect(body).toMatch(
      /http_request_duration_seconds_count\{[^}]*method="PUT",route="\/shelves\/:shelfId\/items",code="200"[^}]*\} \d+/,
    );
    expect(body).toMatch(/http_request_duration_seconds_count\{[^}]*route="none",code="404"/);
    expect(body).not.toContain('zzz');
  });

  test('/openapi.json says what the routes check', async () => {
    const { body } = await ask('GET', '/openapi.json');
    expect(body).toMatchObject({
      openapi: '3.1.0',
      paths: {
        '/shelves/{shelfId}/items': {
          put: {
            parameters: [
              { name: 'shelfId', in: 'path', required: true },
              { name: 'dry', in: 'query', required: false },
            ],
            requestBody: { content: { 'application/json': { schema: { properties: { items: { maxItems: 3 } } } } } },
            responses: {
              200: { content: { 'application/json': { schema: { properties: { count: { type: 'integer' } } } } } },
              default: {
                content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
              },
            },
          },
        },
      },
    });
  });

  test("a request's traceparent stands on its log lines; a malformed one is left out", async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    lines.length = 0;
    await ask('POST', '/shelves/a/dust', undefined, { traceparent });
    await ask('POST', '/shelves/a/dust', undefined, { traceparent: 'x'.repeat(2_000) });
    expect(lines.filter(({ msg }) => msg === 'dusting').map((line) => line.traceparent)).toEqual([
      traceparent,
      undefined,
    ]);
  });
});

test('closing tells waiting handlers, lets them answer, and then takes nothing more', async () => {
  const app = createApp({ name: 'shelves', version: '1', log, pool });
  app.add(...routes);
  const own = await listen(app, { port: 0, graceMs: 60_000 });
  waiting = undefined;
  const answer = fetch(`${own.url}/patience`);
  await until('the handler runs', () => waiting !== undefined);
  await own.close();
  expect((await answer).status).toBe(202);
  await expect(fetch(`${own.url}/healthz`)).rejects.toThrow();
});

test('on SIGTERM a process answers what runs, closes its parts in order and exits with 0', async () => {
  const program = `
    const kit = await import(${JSON.stringify(new URL('../index.ts', import.meta.url).href)});
    const log = kit.createLog({ name: 'shelves', level: 'info' });
    const pool = kit.createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test', log });
    const app = kit.createApp({ name: 'shelves', version: '1', log, pool });
    app.add(kit.route({ method: 'get', path: '/slow', summary: '', responses: {}, async handle({ signal }) {
      process.kill(process.pid, 'SIGTERM');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { status: 200, body: 'done' };
    } }));
    const server = await kit.listen(app, { port: 0 });
    const say = (what) => () => process.stdout.write(what + '\\n');
    kit.closeOnSignal(app, [server.close, () => Promise.reject(new Error('bad part')), say('parts closed'), () => pool.end()]);
    say('at ' + server.url)();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'close');
  try {
    await until('it listens', () => output.includes('at http'));
    const response = await fetch(`${/at (http\S+)/.exec(output)?.[1]}/slow`);
    expect(response.status).toBe(200);
    await until('it has ended', () => child.exitCode !== null);
  } finally {
    child.kill('SIGKILL');
  }
  expect(await exit).toEqual([0, null]);
  expect(output.indexOf('a part did not close well')).toBeGreaterThan(0);
  expect(output).toContain('parts closed');
});

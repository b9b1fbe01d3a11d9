/**
 * Bodies as routes get them: left out, as bytes for a signature, compressed, and unreadable.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Pool } from 'pg';
import { z } from 'zod';
import { memoryLog } from '../../testing/memory-log.ts';
import { NESTING_MAX } from '../../../protocol/src/index.ts';
import { createPool } from '../postgres/pool.ts';
import { createApp } from './app.ts';
import { BODY_BYTES_MAX } from './body.ts';
import { listen, type RunningServer } from './listen.ts';
import { route } from './route.ts';

const { log } = memoryLog();
const JSON_TYPE = { 'content-type': 'application/json' };
const wish = z.strictObject({ colour: z.string().optional() });

const routes = [
  route({
    method: 'post',
    path: '/wishes',
    summary: 'Takes a wish, or none',
    body: wish,
    bodyOptional: true,
    responses: { 200: { description: 'The wish, and a digest of the bytes' } },
    handle: ({ body, rawBody }) => ({ status: 200, body: { body, digest: digestOf(rawBody) } }),
  }),
  route({
    method: 'post',
    path: '/orders',
    summary: 'Takes a wish',
    body: wish,
    responses: { 204: { description: 'Taken' } },
    handle: () => ({ status: 204 }),
  }),
];

let pool: Pool;
let server: RunningServer;

beforeAll(async () => {
  pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test', log });
  const app = createApp({ name: 'wishes', version: '1', log, pool });
  app.add(...routes);
  server = await listen(app, { port: 0, graceMs: 100 });
});
afterAll(async () => {
  await server.close();
  await pool.end();
});

function digestOf(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

async function post(path: string, body?: string | Buffer, headers: Record<string, string> = JSON_TYPE) {
  const sent = body === undefined ? {} : { headers, body: typeof body === 'string' ? body : new Uint8Array(body) };
  const answer = await fetch(server.url + path, { method: 'POST', ...sent });
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as unknown };
}

test('a body that is nested too deep is a problem that names the field and the limit', async () => {
  for (const [open, shut, field] of [
    ['[', ']', 'body'],
    ['{"colour":', '}', Array(8).fill('colour').join('.')],
  ] as const) {
    const nested = (levels: number): string => `${open.repeat(levels)}"red"${shut.repeat(levels)}`;
    for (const levels of [NESTING_MAX + 1, 5_000])
      expect(await post('/wishes', nested(levels))).toMatchObject({
        ...{ status: 400, body: { detail: `${field}: is nested more than ${NESTING_MAX} levels deep` } },
      });
    expect(await post('/wishes', nested(NESTING_MAX))).toMatchObject({
      ...{ status: 400, body: { detail: expect.not.stringContaining('nested') } },
    });
  }
});

test('a body that may be left out counts as an empty object, and its bytes as none', async () => {
  const none = { status: 200, body: { body: {}, digest: digestOf('') } };
  expect(await post('/wishes')).toEqual(none);
  expect(await post('/wishes', '', {})).toEqual(none);
});

test('a body that may be left out is checked where it is not, and one that may not is asked for', async () => {
  expect(await post('/wishes', '{"color":"red"}')).toMatchObject({
    ...{ status: 400, body: { detail: expect.stringContaining('color') } },
  });
  expect(await post('/wishes', 'null')).toMatchObject({
    ...{ status: 400, body: { detail: expect.stringContaining('body') } },
  });
  expect(await post('/orders')).toMatchObject({ status: 400, body: { detail: expect.stringContaining('body') } });
});

test('/openapi.json says which bodies may be left out', async () => {
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    readonly paths: Readonly<
      Record<string, { readonly post: { readonly requestBody: { readonly required: boolean } } }>
    >;
  };
  expect(document.paths['/wishes']?.post.requestBody.required).toBe(false);
  expect(document.paths['/orders']?.post.requestBody.required).toBe(true);
});

test('the bytes are those that came: blanks, escapes and key order included', async () => {
  for (const text of [' {"colour" :\n"red"}', String.raw`{"colour":"\u0072ed"}`, '{"colour":"blue","colour":"red"}']) {
    expect(await post('/wishes', text)).toEqual({
      status: 200,
      body: { body: { colour: 'red' }, digest: digestOf(text) },
    });
  }
});

test('the bytes of a compressed body are those that were compressed', async () => {
  const text = '{"colour":"émeraude"}';
  expect(await post('/wishes', gzipSync(text), { ...JSON_TYPE, 'content-encoding': 'gzip' })).toEqual({
    ...{ status: 200, body: { body: { colour: 'émeraude' }, digest: digestOf(text) } },
  });
});

test.each([
  ['not what its content-encoding says', '{}', 'gzip', 400, 'content-encoding'],
  ['cut off', gzipSync('{"colour":"red"}').subarray(0, 15), 'gzip', 400, 'content-encoding'],
  ['in an encoding nobody knows', '{}', 'snappy', 415, 'snappy'],
  ['small until it is inflated', gzipSync(`"${'x'.repeat(BODY_BYTES_MAX)}"`), 'gzip', 413, String(BODY_BYTES_MAX)],
])('a body that is %s is a problem of the body', async (_, body, encoding, status, word) => {
  const { status: answered, body: problem } = await post('/wishes', body, {
    ...JSON_TYPE,
    'content-encoding': encoding,
  });
  expect({ answered, problem }).toMatchObject({ answered: status, problem: { status } });
  expect(problem).toMatchObject({ detail: expect.stringMatching(new RegExp(`^body: .*${word}`)) });
});

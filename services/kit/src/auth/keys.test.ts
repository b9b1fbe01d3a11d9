/** A key set that is away, comes back, is rotated, or can be had from several places; served over loopback. */
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT, type CryptoKey, type JWK, type JWTVerifyGetKey } from 'jose';
import { KEPT_MS_MAX, keySet } from './keys.ts';

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

interface JwksServer {
  readonly url: string;
  readonly asked: () => number;
  serve(keys: readonly Key[]): void;
  /** Answers 503 from now on. */
  break(): void;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function jwksServer(first: readonly Key[] | undefined): Promise<JwksServer> {
  let keys = first;
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    if (keys === undefined) response.writeHead(503).end();
    else response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    asked: () => asked,
    serve: (next) => void (keys = next),
    break: () => void (keys = undefined),
  };
}

/** The kind of what a token of this key is. */
async function told(keys: JWTVerifyGetKey, { kid, privateKey }: Key): Promise<string> {
  const token = await new SignJWT().setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
  return jwtVerify(token, keys).then(
    () => 'good',
    (error: unknown) => (error as Error).name,
  );
}

const MINUTE_MS = 60_000;

test('a set that was read once counts for a day while it cannot be read again, and no longer', async () => {
  const key = await newKey('one');
  const server = await jwksServer([key]);
  let nowMs = 0;
  const warnings: unknown[] = [];
  const keys = keySet({ urls: [server.url] }, { now: () => nowMs, warn: (error) => void warnings.push(error) });
  expect(await told(keys, key)).toBe('good');
  server.break();
  for (nowMs of [11 * MINUTE_MS, 12 * 60 * MINUTE_MS, KEPT_MS_MAX]) expect(await told(keys, key)).toBe('good');
  expect(warnings).not.toEqual([]);
  nowMs = KEPT_MS_MAX + 1;
  expect(await told(keys, key)).toBe('KeysUnavailable');
  server.serve([key]);
  expect(await told(keys, key)).toBe('good');
});

test('a key that was taken out counts for ten minutes more, as long as the set can be read', async () => {
  const [old, next] = [await newKey('old'), await newKey('next')];
  const server = await jwksServer([old]);
  let nowMs = 0;
  const keys = keySet({ urls: [server.url] }, { now: () => nowMs });
  expect(await told(keys, old)).toBe('good');
  server.serve([next]);
  nowMs = 9 * MINUTE_MS;
  expect(await told(keys, old)).toBe('good');
  nowMs = 11 * MINUTE_MS;
  expect(await told(keys, old)).toBe('JWKSNoMatchingKey');
});

test('a key nobody has seen makes it look again, at most every five seconds, however many tokens come', async () => {
  const [key, next, stranger] = [await newKey('one'), await newKey('next'), await newKey('stranger')];
  const server = await jwksServer([key]);
  let nowMs = 0;
  const keys = keySet({ urls: [server.url] }, { now: () => nowMs });
  expect(await told(keys, key)).toBe('good');
  for (let turn = 0; turn < 20; turn++) expect(await told(keys, stranger)).toBe('JWKSNoMatchingKey');
  expect(server.asked()).toBe(1);
  server.serve([key, next]);
  nowMs = 5_000;
  expect(await told(keys, next)).toBe('good');
  expect(server.asked()).toBe(2);
});

test('whose key it is nobody knows while the set cannot be read; those that are known go on', async () => {
  const [key, next] = [await newKey('one'), await newKey('next')];
  const server = await jwksServer([key]);
  let nowMs = 0;
  const keys = keySet({ urls: [server.url] }, { now: () => nowMs });
  expect(await told(keys, key)).toBe('good');
  server.break();
  nowMs = 6_000;
  expect(await told(keys, next)).toBe('KeysUnavailable');
  expect(await told(keys, key)).toBe('good');
});

test('of several addresses one that answers is enough, also for the first set', async () => {
  const key = await newKey('one');
  const [away, there] = [await jwksServer(undefined), await jwksServer([key])];
  const gone = await jwksServer([key]);
  servers.at(-1)?.close();
  const keys = keySet({ urls: [gone.url, away.url, there.url] });
  expect(await told(keys, key)).toBe('good');
});

test('without any set ever nobody knows', async () => {
  const away = await jwksServer(undefined);
  expect(await told(keySet({ urls: [away.url] }), await newKey('one'))).toBe('KeysUnavailable');
});

test('a file that has gone, or is half written, leaves what it said before, for a day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keys-'));
  const path = join(folder, 'jwks.json');
  const key = await newKey('one');
  await writeFile(path, JSON.stringify({ keys: [key.jwk] }));
  let nowMs = 0;
  const keys = keySet({ file: path }, { now: () => nowMs });
  expect(await told(keys, key)).toBe('good');
  await writeFile(path, '{"keys": ');
  expect(await told(keys, key)).toBe('good');
  await rm(folder, { recursive: true });
  nowMs = KEPT_MS_MAX;
  expect(await told(keys, key)).toBe('good');
  nowMs += 1;
  expect(await told(keys, key)).toBe('KeysUnavailable');
});

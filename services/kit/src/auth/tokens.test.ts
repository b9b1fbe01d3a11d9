/**
 * Whose tokens open the participant routes.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { tokenCheck, type TokenRules } from './tokens.ts';

const ISSUER = 'https://kubernetes.default.svc';
const AUDIENCE = 'ordertx/127.0.0.1:4001';
const SUBJECT = 'system:serviceaccount:default:ordertx-controller';

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}
async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

let folder: string;
let key: Key;
let rules: TokenRules;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keys-'));
  key = await newKey('one');
  rules = { audience: AUDIENCE, issuer: ISSUER, subject: SUBJECT, keys: { file: await keyFile('jwks.json', [key]) } };
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function keyFile(name: string, keys: readonly Key[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  return path;
}

interface Claims {
  readonly by?: Key;
  readonly issuer?: string;
  readonly audience?: string | string[];
  readonly subject?: string;
  readonly expiresIn?: string | null;
  readonly notBefore?: string;
}
async function bearer(claims: Claims = {}): Promise<string> {
  const by = claims.by ?? key;
  const token = new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: by.kid })
    .setIssuer(claims.issuer ?? ISSUER)
    .setAudience(claims.audience ?? AUDIENCE)
    .setSubject(claims.subject ?? SUBJECT);
  if (claims.expiresIn !== null) token.setExpirationTime(claims.expiresIn ?? '10m');
  if (claims.notBefore !== undefined) token.setNotBefore(claims.notBefore);
  return `Bearer ${await token.sign(by.privateKey)}`;
}

describe('a token', () => {
  test("of the controller's service account for this service is good", async () => {
    expect(await tokenCheck(rules)(await bearer())).toEqual({ kind: 'good' });
  });

  test('for several audiences is good if ours is one of them', async () => {
    expect(await tokenCheck(rules)(await bearer({ audience: ['api', AUDIENCE] }))).toEqual({ kind: 'good' });
  });

  test.each<[string, Claims, string]>([
    ['for another audience', { audience: 'ordertx/127.0.0.1:4002' }, 'audience'],
    ['that has expired', { expiresIn: '-1m' }, 'expired'],
    ['that never expires', { expiresIn: null }, 'expiry'],
    ['that is not valid yet', { notBefore: '5m' }, 'not valid yet'],
    ['of another service account', { subject: 'system:serviceaccount:default:order' }, 'subject'],
    ['from another issuer', { issuer: 'https://evil.example' }, 'issuer'],
  ])('%s is bad', async (_name, claims, word) => {
    const authorization = await bearer(claims);
    const check = await tokenCheck(rules)(authorization);
    expect(check).toEqual({ kind: 'bad', detail: expect.stringContaining(word) });
    for (const part of authorization.slice('Bearer '.length).split('.'))
      expect(JSON.stringify(check)).not.toContain(part);
  });

  test('by another key is bad, whether it takes our key id or its own', async () => {
    for (const kid of ['one', 'two']) {
      const stranger = await newKey(kid);
      expect(await tokenCheck(rules)(await bearer({ by: stranger }))).toMatchObject({
        kind: 'bad',
        detail: expect.stringContaining('signature'),
      });
    }
  });

  test.each([
    [undefined, 'missing'],
    ['', 'must be'],
    ['Basic dXNlcjpwYXNz', 'must be'],
    ['Bearer ', 'must be'],
    ['Bearer a b', 'must be'],
    ['Bearer nonsense', 'not a usable'],
    // {"alg":"none"} . {"sub": ...} . no signature
    [`Bearer ${btoa('{"alg":"none"}')}.${btoa(`{"sub":"${SUBJECT}"}`)}.`, 'not a usable'],
  ])('%j is bad', async (authorization, word) => {
    expect(await tokenCheck(rules)(authorization)).toEqual({ kind: 'bad', detail: expect.stringContaining(word) });
  });
});

test.each([
  ['behind', { notBefore: '25s' }],
  ['ahead', { expiresIn: '-25s' }],
])('a clock that is a little %s of the one that dated the token does not make it bad', async (_how, claims) => {
  expect(await tokenCheck(rules)(await bearer(claims))).toEqual({ kind: 'good' });
});

describe('a token that was good', () => {
  test('is checked again after a minute', async () => {
    const path = await keyFile('gone.json', [key]);
    const authorization = await bearer();
    let nowMs = Date.now();
    const check = tokenCheck({ ...rules, keys: { file: path } }, () => nowMs);
    expect((await check(authorization)).kind).toBe('good');
    await keyFile('gone.json', [await newKey('two')]);
    await utimes(path, 1, 1);
    nowMs += 59_000;
    expect((await check(authorization)).kind).toBe('good');
    nowMs += 2_000;
    expect((await check(authorization)).kind).toBe('bad');
  });

  test('is bad once it has expired, however lately it was good', async () => {
    let nowMs = Date.now();
    const check = tokenCheck(rules, () => nowMs);
    const authorization = await bearer({ expiresIn: '20s' });
    expect((await check(authorization)).kind).toBe('good');
    nowMs += 20_000 + 31_000;
    expect(await check(authorization)).toEqual({ kind: 'bad', detail: 'the token has expired' });
  });

  test('says nothing about another one, be it of the same claims', async () => {
    const check = tokenCheck(rules);
    const authorization = await bearer();
    expect((await check(authorization)).kind).toBe('good');
    expect((await check(authorization.slice(0, -4))).kind).toBe('bad');
    expect((await check(await bearer({ by: await newKey('one') }))).kind).toBe('bad');
  });

  test('is forgotten once sixty-four others have come since', async () => {
    const path = await keyFile('many.json', [key]);
    const check = tokenCheck({ ...rules, keys: { file: path } });
    const authorizations = await Promise.all(Array.from({ length: 65 }, () => bearer()));
    for (const authorization of authorizations) expect((await check(authorization)).kind).toBe('good');
    await keyFile('many.json', [await newKey('two')]);
    await utimes(path, 1, 1);
    const kinds = await Promise.all(authorizations.map(async (authorization) => (await check(authorization)).kind));
    expect(kinds.filter((kind) => kind === 'good')).toHaveLength(64);
  });
});

describe('the key set', () => {
  test('a file that is not there, or not a key set, makes tokens unknown, not bad; once it is there they are good', async () => {
    const path = join(folder, 'later.json');
    const check = tokenCheck({ ...rules, keys: { file: path } });
    expect((await check(await bearer())).kind).toBe('unknown');
    await writeFile(path, '{"keys": ');
    expect((await check(await bearer())).kind).toBe('unknown');
    await keyFile('later.json', [key]);
    await utimes(path, 1, 1);
    expect((await check(await bearer())).kind).toBe('good');
  });

  test('a file that is replaced brings the new key and takes the old one away', async () => {
    const path = await keyFile('rotated.json', [key]);
    const check = tokenCheck({ ...rules, keys: { file: path } });
    expect((await check(await bearer())).kind).toBe('good');
    const next = await newKey('next');
    await keyFile('rotated.json', [next]);
    await utimes(path, 1, 1);
    expect((await check(await bearer({ by: next }))).kind).toBe('good');
    expect((await check(await bearer())).kind).toBe('bad');
  });

  test('from a url works, and is asked once for many tokens', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    const check = tokenCheck({ ...rules, keys: { urls: [url] } });
    const checks = await Promise.all([bearer(), bearer(), bearer()].map(async (token) => check(await token)));
    server.close();
    server.closeAllConnections();
    expect(checks).toEqual([{ kind: 'good' }, { kind: 'good' }, { kind: 'good' }]);
    expect(asked).toBe(1);
  });

  test.each([500, 404, 302, 200])(
    'from a url that answers %d with something else makes tokens unknown',
    async (status) => {
      const server = createServer((_request, response) =>
        response.writeHead(status, { location: '/' }).end('no keys here'),
      ).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const check = await tokenCheck({ ...rules, keys: { urls: [url] } })(await bearer());
      server.close();
      server.closeAllConnections();
      expect(check.kind).toBe('unknown');
    },
  );
});

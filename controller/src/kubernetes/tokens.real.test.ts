/** Tokens from a real TokenRequest API, checked as a participant checks them. */
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { KeySet } from './jwks.ts';
import { pathOf, SERVICE_ACCOUNTS } from './stored-object.ts';
import { ServiceAccountTokens } from './tokens.ts';
import type { ApiRequest, Transport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
let clock: ManualClock;
let requests: number;

const counted: Transport = {
  host: direct.host,
  request: <T>(request: ApiRequest) => {
    requests += 1;
    return direct.request<T>(request);
  },
  stream: (path, query, signal) => direct.stream(path, query, signal),
  close: () => direct.close(),
};

beforeEach(async () => {
  namespace = await freshNamespace('tokens');
  clock = new ManualClock(Date.now());
  requests = 0;
  const body = { metadata: { name: 'controller' } };
  await expectOk(direct, { method: 'POST', path: pathOf(SERVICE_ACCOUNTS, namespace), body });
});

afterAll(() => direct.close());

const tokensOf = (transport: Transport = counted) =>
  new ServiceAccountTokens(transport, `${namespace}/controller`, clock);

test('a token is good for its audience, its issuer and its subject, by the key set that is served on', async () => {
  const token = await tokensOf().get('ordertx/order.shop');
  const keys = createLocalJWKSet((await new KeySet(direct, clock).read()) as JSONWebKeySet);
  const { payload } = await jwtVerify(token, keys, { issuer: world().issuer, audience: 'ordertx/order.shop' });
  expect(payload.sub).toBe(`system:serviceaccount:${namespace}:controller`);
  await expect(jwtVerify(token, keys, { audience: 'ordertx/inventory.shop' })).rejects.toThrow('aud');
});

test('callers at the same time share one request, and later ones its token', async () => {
  const tokens = tokensOf();
  const got = await Promise.all(Array.from({ length: 20 }, () => tokens.get('a')));
  expect(new Set([...got, await tokens.get('a')]).size).toBe(1);
  expect(requests).toBe(1);
  await tokens.get('b');
  expect(requests).toBe(2);
});

test('a token is renewed at four fifths of its life, while the old one still serves', async () => {
  const tokens = tokensOf();
  const first = await tokens.get('a');
  const lifeMs = decodeJwt(first).exp! * 1000 - clock.now();
  await clock.advance(0.79 * lifeMs);
  expect(await tokens.get('a')).toBe(first);
  expect(requests).toBe(1);
  await clock.advance(0.02 * lifeMs);
  expect(await tokens.get('a')).toBe(first);
  // The API server's clock did not move with ours, so what it grants now expires as early as the first one.
  await waitFor(async () => requests > 1, { what: 'the renewal', deadlineMs: 5_000, everyMs: 10 });
});

test('while the API server is away, a token serves to its end, and the key set without end', async () => {
  const proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  const cutOff = adminTransport(proxy.port);
  const [tokens, keySet] = [tokensOf(cutOff), new KeySet(cutOff, clock)];
  const [token, keys] = [await tokens.get('a'), await keySet.read()];
  proxy.break('cut');
  const lifeMs = decodeJwt(token).exp! * 1000 - clock.now();
  await clock.advance(0.9 * lifeMs);
  expect(await tokens.get('a')).toBe(token);
  await clock.advance(0.1 * lifeMs);
  await expect(tokens.get('a')).rejects.toThrow('no token for the audience a');
  expect(await keySet.read()).toEqual(keys);
  await Promise.all([cutOff.close(), proxy.close()]);
});

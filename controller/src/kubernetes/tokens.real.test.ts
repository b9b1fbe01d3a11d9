/** Tokens from a real TokenRequest API, checked as a participant checks them. */
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
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
/** The shortest that the API server grants, and what is asked for. */
const LIFE_MS = 600_000;

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
  await clock.advance(0.79 * LIFE_MS);
  expect(await tokens.get('a')).toBe(first);
  expect(requests).toBe(1);
  await clock.advance(0.02 * LIFE_MS);
  expect(await tokens.get('a')).toBe(first);
  const renewed = await waitFor(async () => ((await tokens.get('a')) === first ? undefined : tokens.get('a')), {
    what: 'the renewal',
    deadlineMs: 5_000,
    everyMs: 10,
  });
  expect(requests).toBe(2);
  await clock.advance(0.79 * LIFE_MS);
  expect(await tokens.get('a')).toBe(renewed);
  expect(requests).toBe(2);
});

test.each([
  ['50 minutes behind', -3_000_000],
  ['20 minutes ahead', 1_200_000],
])('a clock that is %s costs no request and no token', async (_how, byMs) => {
  clock.setWall(byMs);
  const tokens = tokensOf();
  const first = await tokens.get('a');
  await clock.advance(0.5 * LIFE_MS);
  clock.setWall(-2 * byMs);
  expect(await tokens.get('a')).toBe(first);
  await clock.advance(0.29 * LIFE_MS);
  expect(await tokens.get('a')).toBe(first);
  expect(requests).toBe(1);
  await clock.advance(0.3 * LIFE_MS);
  expect(await tokens.get('a')).not.toBe(first);
});

test('one that is not accepted is never handed out again, and the next is asked for at once', async () => {
  const tokens = tokensOf();
  const first = await tokens.get('a');
  await tokens.get('b');
  expect(tokens.drop('a', first)).toBe(true);
  // Of many calls with the same token the first drops it; the others find it gone, and not the one that came since.
  expect(tokens.drop('a', first)).toBe(true);
  const second = await tokens.get('a');
  expect(second).not.toBe(first);
  expect(tokens.drop('a', first)).toBe(true);
  expect(await tokens.get('a')).toBe(second);
  expect(requests).toBe(3);
});

test('a participant that accepts none does not become a flood of requests', async () => {
  const tokens = tokensOf();
  for (let call = 0; call < 600; call += 1) {
    const token = await tokens.get('a');
    if (tokens.drop('a', token)) await tokens.get('a');
    await clock.advance(100);
  }
  expect(requests).toBeLessThanOrEqual(1 + 60 / 10);
});

test('while the API server gives none, callers of the same moment hear so from one request', async () => {
  const refused = new ServiceAccountTokens(counted, `${namespace}/nobody`, clock);
  const ask = () => refused.get('a').catch((error: unknown) => (error as Error).message);
  const first = await Promise.all(Array.from({ length: 20 }, ask));
  expect(new Set([...first, await ask()])).toEqual(new Set([expect.stringContaining('not found')]));
  expect(requests).toBe(1);
  await clock.advance(1_000);
  await ask();
  expect(requests).toBe(2);
});

test('while the API server is away, a token serves to its end, and the key set without end', async () => {
  const proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  const cutOff = adminTransport(proxy.port);
  const [tokens, keySet] = [tokensOf(cutOff), new KeySet(cutOff, clock)];
  const [token, keys] = [await tokens.get('a'), await keySet.read()];
  proxy.break('cut');
  await clock.advance(0.9 * LIFE_MS);
  expect(await tokens.get('a')).toBe(token);
  await clock.advance(0.1 * LIFE_MS);
  await expect(tokens.get('a')).rejects.toThrow('no token for the audience a');
  expect(await keySet.read()).toEqual(keys);
  await Promise.all([cutOff.close(), proxy.close()]);
});

test('a new key is known within a minute, although the clock was set back an hour', async () => {
  let asked = 0;
  const answering: Transport = {
    ...counted,
    request: async <T>(request: ApiRequest) => {
      asked += 1;
      return direct.request<T>(request);
    },
  };
  const keySet = new KeySet(answering, clock);
  await keySet.read();
  clock.setWall(-3_600_000);
  await keySet.read();
  expect(asked).toBe(1);
  await clock.advance(60_000);
  await keySet.read();
  expect(asked).toBe(2);
});

/**
 * With callers checked, the participant routes of every service open to the controller's token for that service, and to no
 * other token; and a controller with its token drives an order to its end.
 *
 * The services' key set holds the API server's keys and one of ours: with it the test signs what no API server would, an
 * expired token for example. One that is right but for the key used is taken, so it is the expiry that is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWK } from 'jose';
import { CONTROLLER_ACCOUNT, ORDER_ACCOUNT } from '../../local/access.ts';
import { kubectl } from '../../local/cluster.ts';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { ParticipantName } from '../../local/services.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
/** The shortest that the API server gives. */
const TOKEN_SECONDS = 600;
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };
const SERVICES: readonly ParticipantName[] = ['order', 'inventory'];

let folder: string;
let shop: Shop;
let ours: CryptoKey;
let strangers: CryptoKey;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokens-'));
  const keySetFile = join(folder, 'jwks.json');
  const pair = await generateKeyPair('ES256');
  ours = pair.privateKey;
  strangers = (await generateKeyPair('ES256')).privateKey;
  const own: JWK = { ...(await exportJWK(pair.publicKey)), kid: 'ours', alg: 'ES256', use: 'sig' };
  await writeFile(keySetFile, JSON.stringify({ keys: [...(await clusterKeys()), own] }));
  shop = await openShop('tokens', { keySetFile });
  await shop.stock('tea', 100);
}, SETUP_MS);

afterAll(async () => {
  await shop.close();
  await rm(folder, { recursive: true });
}, TEST_MS);

async function clusterKeys(): Promise<readonly JWK[]> {
  const printed = await kubectl(world(), 'get', '--raw', '/openid/v1/jwks');
  return (JSON.parse(printed) as { keys: JWK[] }).keys;
}

function audienceOf(service: ParticipantName): string {
  return `ordertx/${new URL(shop.services[service].url).host}`;
}

/** As the API server gives it to whoever may ask for tokens of this account. */
async function requested(account: string, audience: string): Promise<string> {
  const path = `/api/v1/namespaces/${shop.namespace}/serviceaccounts/${account}/token`;
  const { status, body } = await shop.admin.request('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [audience], expirationSeconds: TOKEN_SECONDS },
  });
  expect(status).toBe(201);
  return (body as { status: { token: string } }).status.token;
}

function claims(service: ParticipantName) {
  return { iss: world().issuer, aud: [audienceOf(service)], sub: shop.access.controllerSubject };
}

async function signed(service: ParticipantName, key: CryptoKey, expires: string): Promise<string> {
  return new SignJWT(claims(service))
    .setProtectedHeader({ alg: 'ES256', kid: 'ours' })
    .setExpirationTime(expires)
    .sign(key);
}

/** Asks to confirm what was never tried: whoever is let in hears 409 and has changed nothing. */
async function call(service: ParticipantName, token: string | undefined): Promise<{ status: number; detail: string }> {
  const answer = await fetch(`${shop.services[service].url}/tcc/create-order/confirm`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'ordertx-transaction': `${shop.namespace}/create-o1`,
      'ordertx-branch': service,
      'ordertx-operation': 'confirm',
      'ordertx-attempt': '1',
      'ordertx-reason': 'AllTried',
      'idempotency-key': `${shop.namespace}/create-o1/${service}/confirm`,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ orderId: 'o1', userId: 'u1', lines: [TEA], totalCents: 900 }),
  });
  const { detail = '', code = '' } = (await answer.json()) as { detail?: string; code?: string };
  if (answer.status === 409) expect(code).toBe('no-try');
  return { status: answer.status, detail };
}

describe.each(SERVICES)('%s', (service) => {
  const other = service === 'order' ? 'inventory' : 'order';

  test("lets in the controller's token for it", async () => {
    expect(await call(service, await requested(CONTROLLER_ACCOUNT, audienceOf(service)))).toMatchObject({
      status: 409,
    });
    expect(await call(service, await signed(service, ours, '5m'))).toMatchObject({ status: 409 });
  });

  const refused: readonly { what: string; why: string; token: () => Promise<string | undefined> }[] = [
    { what: 'no token', why: 'is missing', token: async () => undefined },
    { what: 'what is no token', why: 'not a usable JSON Web Token', token: async () => 'not-a-token' },
    {
      what: 'a token for another audience',
      why: 'another audience',
      token: () => requested(CONTROLLER_ACCOUNT, 'ordertx/elsewhere'),
    },
    {
      what: "the controller's token for another service",
      why: 'another audience',
      token: () => requested(CONTROLLER_ACCOUNT, audienceOf(other)),
    },
    {
      what: "another service account's token",
      why: 'another subject',
      token: () => requested(ORDER_ACCOUNT, audienceOf(service)),
    },
    { what: 'an expired token', why: 'has expired', token: () => signed(service, ours, '-1m') },
    { what: 'a token by another key', why: 'by no key of the set', token: () => signed(service, strangers, '5m') },
    {
      what: 'an unsigned token',
      why: 'not a usable JSON Web Token',
      token: async () => new UnsecuredJWT(claims(service)).setExpirationTime('5m').encode(),
    },
  ];
  test.each(refused)('refuses $what: 401, and says why', async ({ why, token }) => {
    const { status, detail } = await call(service, await token());
    expect(status).toBe(401);
    expect(detail).toContain(why);
  });
});

describe('an order', () => {
  test(
    'waits, with a sentence, while the controller sends no tokens, and goes to its end when it does',
    async () => {
      const silent = await shop.startController({ env: { ORDERTX_AUTH: 'off' } });
      const { body } = await shop.order([TEA]);
      const sentence = 'the try at order is not done: answered 401: it does not accept the token';
      await shop.transactionWhen(body.transaction, `to say "${sentence}"`, ({ status }) =>
        (status?.message ?? '').startsWith(sentence),
      );
      expect(await shop.orderStatus(body.orderId)).toBe('INIT');
      await silent.part.process.stop();

      const controller = await shop.startController();
      expect((await shop.final(body.transaction)).status).toMatchObject({ phase: 'Succeeded', message: '' });
      expect(await shop.orderStatus(body.orderId)).toBe('PENDING_PAYMENT');
      expect(await shop.violations()).toEqual([]);
      await controller.part.process.stop();
    },
    TEST_MS,
  );

  test(
    'whose participants cannot even be called, for want of a token, is not cancelled by its deadline',
    async () => {
      // Before the controller: one that hears of a transaction sooner than of its flow calls it Stuck for that.
      await shop.putFlow('brief', { timeoutSeconds: 2, stuckAfterSeconds: 8 });
      const tokenless = await shop.startController({
        env: { ORDERTX_SERVICE_ACCOUNT: `${shop.namespace}/nobody`, ORDERTX_AUTH: 'on' },
      });
      const { name, orderId } = await shop.begin('brief', [TEA]);
      const { status } = await shop.transactionWhen(
        name,
        'to be tried in vain long after its deadline',
        (each) => findCondition(each.status, 'Stuck')?.status === 'True',
      );
      expect(status?.decision).toBeUndefined();
      expect(status?.message).toContain('is not called: the API server gave no token for it');
      await tokenless.part.process.stop();

      const controller = await shop.startController();
      expect((await shop.final(name)).status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
      expect(await shop.orderStatus(orderId)).toBe('PENDING_PAYMENT');
      await controller.part.process.stop();
    },
    TEST_MS,
  );
});

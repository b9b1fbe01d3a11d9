/**
 * What keeps a call from reaching the fence: the token, the headers, whose branch and whose namespace it is.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { BRANCH, openSeatService, TRANSACTION, type SeatService } from '../../testing/seat-service.ts';
import type { TokenSettings } from '../auth/tokens.ts';

const OPEN_MS = 30_000;
const RULES = {
  audience: 'ordertx/seats.shop',
  issuer: 'https://issuer.example',
  subject: 'system:serviceaccount:default:controller',
};

describe('with ORDERTX_AUTH=off', () => {
  let seatService: SeatService;
  beforeAll(async () => {
    seatService = await openSeatService();
  }, OPEN_MS);
  afterAll(async () => {
    await seatService.close();
  });
  beforeEach(async () => {
    await seatService.pool.query('truncate ordertx_fence, reservations, told');
  });

  test.each([
    ['ordertx-transaction', 'no-slash'],
    ['ordertx-branch', ''],
    ['ordertx-operation', 'confirm'],
    ['ordertx-attempt', '0'],
    ['ordertx-attempt', '1.5'],
    ['idempotency-key', `${TRANSACTION}/${BRANCH}/confirm`],
  ])('%s missing, or %j, is 400 and names the header', async (name, wrong) => {
    for (const value of [undefined, wrong]) {
      const answer = await seatService.call('try', { headers: { [name]: value } });
      expect(answer).toMatchObject({ status: 400, state: null, detail: expect.stringContaining(`${name}: `) });
    }
    expect(await seatService.storedState()).toBeUndefined();
  });

  test.each([
    ['ordertx-reason', 'two words'],
    ['ordertx-detail', '%zz'],
    ['ordertx-detail', 'x'.repeat(513)],
  ])('%s malformed on a cancel is 400 and names the header', async (name, value) => {
    const answer = await seatService.call('cancel', { headers: { [name]: value } });
    expect(answer).toMatchObject({ status: 400, state: null, detail: expect.stringContaining(`${name}: `) });
  });

  test('a cancel without reason and detail gets through all the same', async () => {
    const headers = { 'ordertx-reason': undefined, 'ordertx-detail': undefined };
    expect(await seatService.call('cancel', { headers })).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.told()).toMatchObject([{ reason: '', detail: '' }]);
  });

  test("another service's branch is 421", async () => {
    const headers = { 'ordertx-branch': 'inventory', 'idempotency-key': `${TRANSACTION}/inventory/try` };
    expect(await seatService.call('try', { headers })).toMatchObject({ status: 421, state: null });
  });

  test('a transaction of a namespace that is not served is 403, for every operation', async () => {
    for (const operation of ['try', 'confirm', 'cancel'] as const) {
      expect(await seatService.call(operation, { transaction: 'stranger/book-b1' })).toMatchObject({
        status: 403,
        state: null,
      });
    }
    expect((await seatService.pool.query('select 1 from ordertx_fence')).rowCount).toBe(0);
  });

  test('the transaction stands on the log lines of a call that is an alarm', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await seatService.call('confirm', { headers: { traceparent } });
    const line = {
      level: 'error',
      code: 'no-try',
      transaction: TRANSACTION,
      branch: BRANCH,
      operation: 'confirm',
      traceparent,
    };
    expect(seatService.logLines.at(-1)).toMatchObject(line);
  });

  test('calls are counted by path, operation and outcome', async () => {
    await seatService.call('try');
    await seatService.call('try');
    await seatService.call('confirm');
    await seatService.call('cancel');
    const text = await (await fetch(`${seatService.url}/metrics`)).text();
    const counted = (operation: string, outcome: string) =>
      new RegExp(
        `ordertx_fence_calls_total\\{path="/tcc/book-seats",operation="${operation}",outcome="${outcome}",[^}]*\\} [1-9]`,
      ).test(text);
    expect([
      counted('try', 'done'),
      counted('try', 'replayed'),
      counted('confirm', 'done'),
      counted('cancel', 'already-confirmed'),
    ]).toEqual([true, true, true, true]);
  });
});

describe('with tokens', () => {
  let seatService: SeatService;
  let folder: string;
  let good: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'guard-'));
    const file = join(folder, 'jwks.json');
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    await writeFile(file, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }));
    const token = new SignJWT().setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('10m');
    good = `Bearer ${await token.setIssuer(RULES.issuer).setAudience(RULES.audience).setSubject(RULES.subject).sign(privateKey)}`;
    seatService = await openSeatService({ tokens: { auth: 'on', ...RULES, keys: { file } } });
  }, OPEN_MS);
  afterAll(async () => {
    await seatService.close();
    await rm(folder, { recursive: true });
  });

  test('a call without one is 401 on every operation, says so, and stores nothing', async () => {
    for (const operation of ['try', 'confirm', 'cancel'] as const) {
      const answer = await seatService.call(operation);
      expect(answer).toMatchObject({ status: 401, state: null, detail: expect.stringContaining('bearer token') });
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(await seatService.storedState()).toBeUndefined();
  });

  test("a call with the controller's passes, one with a bent signature does not", async () => {
    const bent = good.slice(0, -8) + good.slice(-8).split('').reverse().join('');
    expect(await seatService.call('try', { headers: { authorization: bent } })).toMatchObject({ status: 401 });
    expect(await seatService.call('try', { headers: { authorization: good } })).toMatchObject({
      status: 200,
      state: 'Tried',
    });
  });

  test('the other routes need none', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
      expect((await fetch(seatService.url + path)).status).toBe(200);
    }
  });
});

test(
  'a key set that cannot be read is 503, not 401: nobody knows about the token',
  async () => {
    const tokens: TokenSettings = { auth: 'on', ...RULES, keys: { file: '/nowhere/jwks.json' } };
    const seatService = await openSeatService({ tokens });
    const answer = await seatService.call('try', { headers: { authorization: 'Bearer a.b.c' } });
    const unsigned = btoa(JSON.stringify({ alg: 'RS256' }));
    const other = await seatService.call('try', { headers: { authorization: `Bearer ${unsigned}.e30.eA` } });
    await seatService.close();
    expect(answer.status).toBe(401);
    expect(other).toMatchObject({ status: 503, state: null });
  },
  OPEN_MS,
);

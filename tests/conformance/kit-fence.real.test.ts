/**
 * The kit's own fence, on a real Postgres and with tokens checked, keeps every promise that the tool knows of.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import {
  BRANCH,
  NAMESPACE,
  openSeatService,
  PATH,
  PAYLOAD,
  type SeatService,
} from '../../services/kit/testing/seat-service.ts';
import { runInventory, TEST_NAMESPACE } from '../services/running.ts';
import { CHECKS } from './conformance.ts';
import { runTool } from './run-tool.ts';

const OPEN_MS = 30_000;
const RULES = {
  audience: 'ordertx/seats.shop',
  issuer: 'https://issuer.example',
  subject: 'system:serviceaccount:default:controller',
};
/** More than all tries of a run take. */
const SEATS = 100_000;

let folder: string;
let seatService: SeatService;
let token: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const file = join(folder, 'jwks.json');
  await writeFile(file, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }));
  const claims = new SignJWT().setIssuer(RULES.issuer).setAudience(RULES.audience).setSubject(RULES.subject);
  token = await claims.setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('10m').sign(privateKey);
  seatService = await openSeatService({ tokens: { auth: 'on', ...RULES, keys: { file } } });
  await seatService.pool.query('update shows set free = $1', [SEATS]);
  await writeFile(join(folder, 'seats.json'), JSON.stringify(PAYLOAD));
}, OPEN_MS);
afterAll(async () => {
  await seatService.close();
  await rm(folder, { recursive: true });
});

test('passes every check, and afterwards no seat is held that was not sold', async () => {
  const payload = join(folder, 'seats.json');
  const run = await runTool(
    '--url',
    seatService.url + PATH,
    '--namespace',
    NAMESPACE,
    '--payload',
    payload,
    '--token',
    token,
  );
  expect(run.lines[0]).toContain(`branch ${BRANCH} (its /openapi.json)`);
  expect([...run.named('WRONG'), ...run.named('NOT DRIVEN')]).toEqual([]);
  expect(run.named('ok')).toHaveLength(CHECKS.length);
  expect(run.code).toBe(0);
  const { rows } = await seatService.pool.query<{ state: string; seats: number }>(
    'select state, sum(seats)::integer as seats from reservations group by state',
  );
  expect(rows).toEqual([{ state: 'sold', seats: SEATS - (await seatService.freeSeats()) }]);
});

test('a service whose try needs something in stock says so, and passes once it is there', async () => {
  const inventory = await runInventory();
  const options = ['--url', inventory.url, '--namespace', TEST_NAMESPACE] as const;
  const empty = await runTool(...options);
  expect(empty.code).toBe(1);
  expect(empty.named('WRONG')).toEqual([]);
  expect(empty.text).toMatch(/with --payload \(409.*conformance/);
  await fetch(`${inventory.url}/stock/conformance`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stocked: 1_000 }),
  });
  const stocked = await runTool(...options);
  await inventory.close();
  expect([...stocked.named('WRONG'), ...stocked.named('NOT DRIVEN')]).toEqual([]);
  expect(stocked.code).toBe(0);
});

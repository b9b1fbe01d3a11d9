/** The order service's client of the API server, with credentials that change. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeKubeconfig } from '../../../../local/control-plane/kubeconfig.ts';
import { TEAPOTS } from '../../../../tests/services/order-client.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';
import { apiServer, loadKubeConfig, ownNamespace, type ApiServer } from './api-server.ts';
import { toTransaction, type NewTransaction } from './creation.ts';

let namespace: string;
let kubeconfig: string;
let api: ApiServer;

beforeAll(async () => {
  namespace = await freshNamespace('creds');
  kubeconfig = join(await mkdtemp(join(tmpdir(), 'order-creds-')), 'kubeconfig');
  await access(world().token);
  api = apiServer(kubeconfig);
});
afterAll(async () => {
  await api.close();
  await rm(join(kubeconfig, '..'), { recursive: true });
});

async function access(token: string): Promise<void> {
  const { apiServerUrl: url, certificate } = world();
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'order', namespace });
}

function transaction(orderId: string, inNamespace = namespace): NewTransaction {
  return toTransaction({
    transaction: `${inNamespace}/create-${orderId}`,
    flow: 'create-order',
    payload: { orderId, ...TEAPOTS, totalCents: 2500 },
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  });
}

test('a transaction is created, and exists the second time', async () => {
  expect(await api.create(transaction('o1'))).toEqual({ kind: 'created' });
  expect(await api.create(transaction('o1'))).toEqual({ kind: 'exists' });
});

test('a transaction that breaks the schema is refused, in the words of the API server', async () => {
  const bad = transaction('o2');
  const result = await api.create({ ...bad, spec: { ...bad.spec, flow: '' } });
  expect(result).toMatchObject({ kind: 'refused', error: expect.stringContaining('spec.flow') });
});

test('missing rights or a missing namespace are no fault of the transaction: it is sent again', async () => {
  expect(await api.create(transaction('o3', 'nowhere'))).toMatchObject({
    kind: 'unavailable',
    error: expect.stringContaining('404'),
  });
});

test('credentials that were replaced after a 401 are used by the next call', async () => {
  await access('a-token-that-was-revoked');
  const late = apiServer(kubeconfig);
  expect(await late.create(transaction('o4'))).toMatchObject({
    kind: 'unavailable',
    error: expect.stringContaining('401'),
  });
  await access(world().token);
  expect(await late.create(transaction('o4'))).toEqual({ kind: 'created' });
  await late.close();
});

test('a kubeconfig that cannot be read just now says so, and is read again', async () => {
  await writeFile(kubeconfig, '{');
  const early = apiServer(kubeconfig);
  expect(await early.create(transaction('o5'))).toMatchObject({ kind: 'unavailable' });
  await access(world().token);
  expect(await early.create(transaction('o5'))).toEqual({ kind: 'created' });
  await early.close();
});

test("the kubeconfig's context says where transactions are created", () => {
  expect(ownNamespace(loadKubeConfig(kubeconfig))).toBe(namespace);
});

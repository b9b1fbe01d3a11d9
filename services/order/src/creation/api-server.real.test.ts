/** The order service's client of the API server, with credentials that change. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { grantAccess } from '../../../../local/access.ts';
import type { Cluster } from '../../../../local/cluster.ts';
import { connect } from '../../../../local/control-plane/api.ts';
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

async function cluster(): Promise<Cluster> {
  const { apiServerUrl: url, ...rest } = world();
  return { url, ...rest, admin: connect({ url, ...rest }) };
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

test('a namespace that is missing or being deleted is told apart from an API server that is away', async () => {
  expect(await api.create(transaction('o3', 'nowhere'))).toMatchObject({
    kind: 'namespace-gone',
    error: expect.stringContaining('404'),
  });
  const going = await freshNamespace('going');
  const { apiServerUrl: url, certificate, token } = world();
  const admin = connect({ url, token, certificate });
  await admin.request('DELETE', `/api/v1/namespaces/${going}`);
  await admin.close();
  expect(await api.create(transaction('o3', going))).toMatchObject({
    kind: 'namespace-gone',
    error: expect.stringContaining('is being terminated'),
  });
});

test('missing rights are no fault of the transaction: it is sent again', async () => {
  const stranger = await freshNamespace('rights');
  const { orderKubeconfig } = await grantAccess(await cluster(), stranger, join(kubeconfig, '..'));
  const without = apiServer(orderKubeconfig);
  expect(await without.create(transaction('o3'))).toMatchObject({
    kind: 'unavailable',
    error: expect.stringContaining('403'),
  });
  await without.close();
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

/**
 * The audit rules of docs/operating/audit.md: what people do is recorded, what the controller and the order service do all day is not.
 * The API server is started as kind-config.yaml has it, but for paths.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import { auditRules } from '../../scripts/audit-policy.ts';
import { adminAccess } from '../crds/stored-transaction.ts';
import { someoneWith } from '../crds/someone.ts';
import { kindConfig } from '../kind/kind-config.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 20_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

interface Line {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly impersonatedUser?: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly name?: string };
  readonly requestObject?: unknown;
  readonly responseStatus?: { readonly code: number };
}

let folder: string;
let own: OwnControlPlane;
let shop: Shop;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ordertx-audit-'));
  const policy = join(folder, 'policy.yaml');
  await writeFile(policy, auditRules().replaceAll('serviceaccount:shop:', 'serviceaccount:default:'));
  const { extraArgs, extraEnvs } = kindConfig().apiServer;
  const elsewhere: Readonly<Record<string, string>> = {
    'audit-policy-file': policy,
    'audit-log-path': join(folder, 'audit.log'),
  };
  own = await openControlPlane({
    apiserverFlags: extraArgs.map(({ name, value }) => `--${name}=${elsewhere[name] ?? value}`),
    apiserverEnv: Object.fromEntries(extraEnvs.map(({ name, value }) => [name, value])),
  });
  shop = await openShop('audit', { cluster: own.cluster });
  await shop.stock('tea', 100);
  await shop.applyFlow();
  await shop.putFlow('silent', { origins: { inventory: 'http://127.0.0.1:9' }, timeoutSeconds: 3_600 });
  await shop.startController({
    allowEndpoints: [...Object.values(shop.origins), 'http://127.0.0.1:9'],
    env: { ORDERTX_LEADER_ELECTION: 'on' },
  });
}, SETUP_MS);
afterAll(async () => {
  await shop.close();
  await own.close();
  await rm(folder, { recursive: true, force: true });
}, TEST_MS);

async function lines(): Promise<readonly Line[]> {
  const written = await readFile(join(folder, 'audit.log'), 'utf8');
  return written
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** What is recorded of one transaction: who, how, what was asked, and the answer. */
async function recordOf(name: string): Promise<readonly unknown[]> {
  return (await lines())
    .filter(({ objectRef }) => objectRef?.resource === 'ordertransactions' && objectRef.name === name)
    .map(({ user, impersonatedUser, verb, requestObject, responseStatus }) => [
      impersonatedUser?.username ?? user.username,
      ...[verb, verb === 'create' ? 'whole' : requestObject, responseStatus?.code],
    ]);
}

test('the API server takes the flags and the environment that kind-config.yaml gives it', async () => {
  const { pid } = own.plane.apiserver.process;
  if (process.platform === 'linux') {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    expect(environment).toContain('GOGC=400');
  }
  const { body } = await own.admin.request('GET', '/metrics');
  expect(String(body)).toContain('apiserver_audit_event_total');
});

test(
  'an order leaves no line, however many writes and Leases it took',
  async () => {
    const { status, body } = await shop.order([TEA], 20);
    expect(status).toBe(201);
    const { metadata } = await shop.final(body.transaction);
    expect(await recordOf(metadata.name)).toEqual([]);
    const { body: leases } = await own.admin.request('GET', '/apis/coordination.k8s.io/v1/namespaces/default/leases');
    expect((leases as { items: readonly object[] }).items.length).toBeGreaterThan(0);
    const users = new Set((await lines()).map(({ user }) => user.username));
    expect([...users].filter((name) => name.startsWith('system:serviceaccount:'))).toEqual([]);
  },
  TEST_MS,
);

test(
  'what people ask for is recorded with their names, and so is what they are refused; what the controller makes of it is not',
  async () => {
    const alice = await someoneWith(adminAccess(own.cluster), 'default', 'alice', 'get', 'patch', 'suspend');
    const { name } = await shop.begin('silent', [TEA]);
    const suspend = { spec: { suspend: true } };
    const cancel = { spec: { cancelRequested: true } };
    await alice.request('PATCH', shop.pathOf('ordertransactions', name), suspend);
    await shop.transactionWhen(
      name,
      'to be suspended',
      ({ status }) => status?.conditions?.some((each) => each.type === 'Suspended' && each.status === 'True') === true,
    );
    await waitFor(async () => (await shop.kubectl('get', 'events')).includes('alice suspended it'), {
      what: 'the Event of the suspension',
      deadlineMs: SEEN_MS,
    });
    await alice.request('PATCH', shop.pathOf('ordertransactions', name), cancel);
    await shop.patch(name, cancel);
    await alice.close();
    expect(await recordOf(name)).toEqual([
      ['admin', 'create', 'whole', 201],
      ['alice', 'patch', suspend, 200],
      ['alice', 'patch', cancel, 403],
      ['admin', 'patch', cancel, 200],
    ]);
    const resources = new Set(
      (await lines()).map(({ objectRef }) => [objectRef?.resource, objectRef?.subresource].join('/')),
    );
    for (const left of ['ordertransactions/status', 'events/', 'leases/', 'serviceaccounts/token'])
      expect(resources).not.toContain(left);
  },
  TEST_MS,
);

test("what is done with the controller's account and is not its work is recorded, and so is a guard that goes", async () => {
  const { name } = await shop.begin('silent', [TEA]);
  const stolen = 'system:serviceaccount:default:ordertx-controller';
  const printed = await shop
    .kubectl('--as', stolen, 'annotate', 'otx', name, 'ordertx.dev/abandon=by nobody')
    .catch((error: unknown) => String(error));
  expect(printed).toContain('forbidden');
  expect(await recordOf(name)).toContainEqual([stolen, 'patch', undefined, 403]);
  const binding = 'ordertransactions-late-warning';
  await shop.kubectl('delete', 'validatingadmissionpolicybinding', binding);
  expect(await lines()).toContainEqual(
    expect.objectContaining({
      verb: 'delete',
      user: expect.objectContaining({ username: 'admin' }),
      objectRef: expect.objectContaining({ name: binding }),
    }),
  );
});

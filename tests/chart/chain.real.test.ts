/**
 * The chart without a kubelet: installed into a real API server, its processes run under its own accounts and with the environment that it
 * renders: with the users of Redis that it has written down, and a role of each database that owns nothing. The whole chain works with
 * exactly the rights that it gives, and with none besides.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { inheritedEnvironment, openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { adminLine, hashOf } from '../broker/rendered-acl.ts';
import { RIGHTS } from '../broker/redis-users.ts';
import { startSecuredPostgres, type SecuredPostgres } from '../broker/secured-postgres.ts';
import { checkInvariants } from '../invariants/check-invariants.ts';
import { PageWalk } from '../world/page-commands.ts';
import { freshNamespace, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm } from './chart.ts';
import { Release, type PodSpec } from './release-processes.ts';

const SETUP_MS = 900_000;
const TEST_MS = 90_000;
const FULLNAME = 'shop-ordertx';
const SERVICES = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'];
const OTX = 'ordertransactions';

let group: ProcessGroup;
let helm: Helm;
let admin: ApiServer;
let namespace: string;
let release: Release;
let postgres: SecuredPostgres;
const clients: ApiServer[] = [];

const PASSWORD = randomUUID();
const USERS = Object.keys(RIGHTS.users);
const VALUES = over(REQUIRED, {
  crds: { enabled: false },
  databases: { migrations: { existingSecret: 'owners' } },
  redis: {
    acl: {
      passwordHashes: Object.fromEntries(USERS.map((user) => [user, [hashOf(PASSWORD)]])),
      extraUsers: [adminLine('admin', PASSWORD)],
    },
  },
  services: {
    order: { prices: 'trusted', quotes: { existingSecret: '' } },
    payment: { provider: { auth: 'off', existingSecret: '' } },
  },
});

beforeAll(async () => {
  const { apiServerUrl: url, token, certificate, kubeconfig } = world();
  [group, helm, namespace] = await Promise.all([openProcessGroup(), openHelm(4), freshNamespace('chart')]);
  admin = connect({ url, token, certificate });
  const file = await helm.valuesFile(VALUES);
  await helm.run(['install', 'shop', CHART, '--namespace', namespace, '-f', file], kubeconfig);
  release = new Release({ group, admin, namespace, fullname: FULLNAME });
  // As whoever runs Redis would: with the users that the release has written down.
  const acl = await release.secret(`${FULLNAME}-redis-acl`, 'users.acl');
  const redis = await startRedis(group, { url: '', users: { acl, admin: 'admin', password: PASSWORD } });
  postgres = await startSecuredPostgres(group);
  const byService = (role: 'serving' | 'owner') =>
    Object.fromEntries(SERVICES.map((name) => [name, postgres.url(name, role)]));
  const secrets = {
    ...{ databases: byService('serving'), owners: byService('owner') },
    redis: Object.fromEntries(USERS.map((user) => [user, redis.url.replace('//admin:', `//${user}:`)])),
  };
  for (const [name, stringData] of Object.entries(secrets)) {
    await admin.request('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData });
  }
  await release.start();
}, SETUP_MS);

afterAll(async () => {
  await group.close();
  for (const client of clients) await client.close();
  await helm.run(['uninstall', 'shop', '--namespace', namespace, '--ignore-not-found'], world().kubeconfig);
  await admin.close();
  await helm.close();
}, TEST_MS);

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(
  url: string,
  method = 'GET',
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

async function until(what: string, url: string, is: (body: Answer['body']) => boolean): Promise<void> {
  await waitFor(async () => is((await ask(url)).body), { what, deadlineMs: TEST_MS / 2 });
}

const path = (plural: string, name = '', within = namespace) =>
  `/apis/ordertx.dev/v1alpha1/namespaces/${within}/${plural}${name && `/${name}`}`;

test(
  'an order is placed, paid, shipped and received, and another that cannot be served is cancelled',
  async () => {
    const { url: orders } = release.part('order');
    await ask(`${release.part('inventory').adminUrl}/stock/tea`, 'PUT', { stocked: 3 });
    const place = (quantity: number) =>
      ask(
        `${orders}/orders`,
        'POST',
        { userId: 'u1', lines: [{ skuId: 'tea', quantity, unitPriceCents: 450 }] },
        { 'idempotency-key': randomUUID(), prefer: 'wait=20' },
      );
    const placed = await place(2);
    expect(placed).toMatchObject({ status: 201, body: { status: 'PENDING_PAYMENT' } });
    expect(await place(2)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('tea') } });

    const orderId = String(placed.body.orderId);
    const { url: payments } = release.part('payment');
    const payment = await ask(`${payments}/payments`, 'POST', { orderId });
    expect(payment).toMatchObject({ status: 201, body: { amountCents: 900 } });
    await ask(`${payments}/payments/${String(payment.body.paymentId)}/pay`, 'POST', {});
    await until('the order to be paid', `${orders}/orders/${orderId}`, ({ status }) => status === 'PAID');

    const { url: wms, adminUrl: warehouse } = release.part('wms');
    await until('the outbound', `${wms}/shipments/${orderId}`, ({ state }) => state === 'OUTBOUND');
    await ask(`${warehouse}/shipments/${orderId}/ship`, 'POST', {});
    await until('the order to be shipped', `${orders}/orders/${orderId}`, ({ status }) => status === 'SHIPPED');
    expect(await ask(`${orders}/orders/${orderId}/receipt`, 'POST', {})).toMatchObject({ status: 200 });
    await until('the points', `${release.part('member').url}/members/u1`, ({ points }) => points === 9);

    const all = async () =>
      ((await admin.request('GET', path(OTX))).body as { readonly items: OrderTransaction[] }).items;
    await waitFor(async () => (await all()).every(({ status }) => status?.finishedAt !== undefined), {
      what: 'every transaction to end',
      deadlineMs: TEST_MS / 2,
    });
    const transactions = await all();
    expect(transactions.map(({ status }) => status?.phase).toSorted()).toEqual(['Cancelled', 'Succeeded', 'Succeeded']);
    const urls = { order: postgres.url('order', 'reader'), inventory: postgres.url('inventory', 'reader') };
    expect(await checkInvariants({ databases: urls, transactions })).toEqual([]);
  },
  TEST_MS,
);

test('operators’ routes and the controller’s are served at the admin port only', async () => {
  // Reading is for everybody.
  expect((await ask(`${release.part('inventory').url}/stock/tea`, 'PUT', { stocked: 9 })).status).toBe(405);
  expect((await ask(`${release.part('order').url}/tcc/create-order/try`, 'POST', {})).status).toBe(404);
  // There, callers are known by a token.
  expect((await ask(`${release.part('order').adminUrl}/tcc/create-order/try`, 'POST', {})).status).toBe(401);
});

test(
  'what `helm test` runs passes, as its own account',
  async () => {
    const file = await helm.valuesFile(VALUES);
    const text = await helm.run([
      'template',
      'shop',
      CHART,
      '--namespace',
      namespace,
      '-f',
      file,
      '--show-only',
      'templates/tests/check.yaml',
    ]);
    const objects = objectsOf(text);
    for (const object of objects.filter(({ kind }) => !['Pod', 'ConfigMap'].includes(kind))) {
      const collection = object.kind === 'ServiceAccount' ? '/api/v1' : '/apis/rbac.authorization.k8s.io/v1';
      const at = `${collection}/namespaces/${namespace}/${object.kind.toLowerCase()}s`;
      expect((await admin.request('POST', at, object)).status).toBe(201);
    }
    const pod = objects.find(({ kind }) => kind === 'Pod')?.spec as PodSpec;
    const folder = await release.accountFolder(pod.serviceAccountName);
    const env = {
      ...(await release.environmentOf(pod)),
      ...{ API_SERVER: world().apiServerUrl, ACCOUNT_FOLDER: folder, NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt') },
    };
    const script = join(CHART, 'files', 'test', 'check.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
    expect(stdout.match(/^ok: .*readyz answers$/gm)).toHaveLength(8);
    expect(stdout).toContain('ok: an end without a decision is refused (dry run)');
    expect(stdout).toContain('ok: the deletion of an unfinished transaction is refused (dry run)');
    expect(stdout).toContain('ok: the probe is gone');
  },
  TEST_MS,
);

describe('an account may do nothing but what its process does', () => {
  const OTHERS = 'default';
  const create = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: 'tried' } };
  const body = { ...create, spec: { flow: 'create-order', orderId: 'o1', payload: {} } };
  type Try = readonly [
    what: string,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    at: () => string,
    body?: object,
  ];
  const core = (plural: string, name = '', within = namespace) =>
    `/api/v1/namespaces/${within}/${plural}${name && `/${name}`}`;
  const leases = (within: string) => `/apis/coordination.k8s.io/v1/namespaces/${within}/leases`;

  const tries: readonly (readonly [account: string, Try])[] = [
    ['controller', ['create a transaction', 'POST', () => path(OTX), body]],
    ['controller', ['write a transaction’s spec', 'PATCH', () => path(OTX, 'kept'), { spec: { suspend: true } }]],
    ['controller', ['replace a transaction', 'PUT', () => path(OTX, 'kept'), body]],
    ['controller', ['delete an unfinished transaction', 'DELETE', () => path(OTX, 'kept')]],
    ['controller', ['read transactions elsewhere', 'GET', () => path(OTX, '', OTHERS)]],
    [
      'controller',
      [
        'create a flow',
        'POST',
        () => path('transactionflows'),
        { metadata: { name: 'x' }, spec: { participants: [] } },
      ],
    ],
    ['controller', ['delete a flow', 'DELETE', () => path('transactionflows', 'create-order')]],
    [
      'controller',
      ['have another account’s token', 'POST', () => core('serviceaccounts', `${FULLNAME}-order/token`), { spec: {} }],
    ],
    ['controller', ['read secrets', 'GET', () => core('secrets')]],
    ['controller', ['read Leases elsewhere', 'GET', () => leases(OTHERS)]],
    [
      'controller',
      [
        'change a CRD',
        'PATCH',
        () => '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ordertransactions.ordertx.dev',
        {},
      ],
    ],
    ['order', ['read transactions', 'GET', () => path(OTX)]],
    ['order', ['read one', 'GET', () => path(OTX, 'kept')]],
    ['order', ['change one', 'PATCH', () => path(OTX, 'kept'), { spec: { cancelRequested: true } }]],
    ['order', ['write its status', 'PATCH', () => path(OTX, 'kept/status'), { status: { phase: 'Succeeded' } }]],
    ['order', ['delete one', 'DELETE', () => path(OTX, 'kept')]],
    ['order', ['create one elsewhere', 'POST', () => path(OTX, '', OTHERS), body]],
    ['order', ['create a suspended one', 'POST', () => path(OTX), { ...body, spec: { ...body.spec, suspend: true } }]],
    [
      'order',
      ['change a flow', 'PATCH', () => path('transactionflows', 'create-order'), { spec: { timeoutSeconds: 1 } }],
    ],
    ['order', ['read secrets', 'GET', () => core('secrets')]],
    ['inventory', ['create a transaction', 'POST', () => path(OTX), body]],
    ['payment', ['create a transaction', 'POST', () => path(OTX), body]],
    ['wms', ['read transactions', 'GET', () => path(OTX)]],
  ];

  beforeAll(async () => {
    const kept = { ...body, metadata: { name: 'kept' }, spec: { ...body.spec, flow: 'none-of-ours' } };
    expect((await admin.request('POST', path(OTX), kept)).status).toBe(201);
  });

  test.each(tries.map(([account, [what, ...rest]]) => [account, what, rest] as const))(
    '%s may not %s',
    async (account, _what, [method, at, given]) => {
      const client = await release.as(`${FULLNAME}-${account}`);
      clients.push(client);
      const separator = at().includes('?') ? '&' : '?';
      const dryRun = method === 'GET' ? '' : `${separator}dryRun=All`;
      const { status, body: answer } = await client.request(method, `${at()}${dryRun}`, given);
      expect({ status, answer }).toMatchObject({ status: 403 });
    },
  );
});

describe('people', () => {
  const ROLES = ['view', 'operator', 'admin'] as const;
  const change = (spec: object) => ({ spec });
  const GIVE_UP = { metadata: { annotations: { 'ordertx.dev/abandon': 'tried by a test' } } };
  const FLOW = () => path('transactionflows', 'create-order');
  const KEPT = () => path(OTX, 'kept');

  let as: Readonly<Record<(typeof ROLES)[number], ApiServer>>;

  beforeAll(async () => {
    const { apiServerUrl: url, token, certificate } = world();
    const opened = ROLES.map(async (role) => {
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`;
      await admin.request('POST', rbac, {
        metadata: { name: `people-${role}` },
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: `${namespace}.${FULLNAME}.${role}`,
        },
        subjects: [{ kind: 'User', name: `a-${role}`, apiGroup: 'rbac.authorization.k8s.io' }],
      });
      const client = connect({ url, token, certificate, as: `a-${role}` });
      clients.push(client);
      await waitFor(async () => (await client.request('GET', path(OTX))).status === 200, {
        what: `the rights of ${role}`,
        deadlineMs: 20_000,
      });
      return [role, client] as const;
    });
    as = Object.fromEntries(await Promise.all(opened)) as typeof as;
  });

  type Act = readonly [
    what: string,
    at: () => string,
    given: object,
    may: Readonly<Record<(typeof ROLES)[number], boolean>>,
  ];
  const ON_CALL = { view: false, operator: true, admin: true };
  const IN_CHARGE = { view: false, operator: false, admin: true };
  const acts: readonly Act[] = [
    ['try again', KEPT, { metadata: { annotations: { 'ordertx.dev/retry-requested-at': 'now' } } }, ON_CALL],
    ['suspend', KEPT, change({ suspend: true }), ON_CALL],
    ['cancel', KEPT, change({ cancelRequested: true }), ON_CALL],
    ['give up', KEPT, GIVE_UP, IN_CHARGE],
    ['change a flow', FLOW, change({ timeoutSeconds: 31 }), IN_CHARGE],
  ];

  test.each(acts)('who may %s', async (_what, at, given, may) => {
    const answers = await Promise.all(
      ROLES.map(async (role) => [role, (await as[role].request('PATCH', `${at()}?dryRun=All`, given)).status] as const),
    );
    expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(ROLES.map((role) => [role, may[role] ? 200 : 403])));
  });
});

test(
  'the release is removed by its page: the running controller lets the flows go, and the release takes everything else along',
  async () => {
    const env = { ...inheritedEnvironment(), KUBECONFIG: world().kubeconfig, HOME: group.folder };
    const run = { kubectl: world().kubectl, plugins: dirname(helm.program), env };
    const walk = new PageWalk('docs/operating/uninstalling.md', {
      ...run,
      names: { '--namespace shop': `--namespace ${namespace}` },
    });
    await admin.request('PATCH', path(OTX, 'kept'), {
      metadata: { annotations: { 'ordertx.dev/abandon': 'the release is removed' } },
    });
    expect((await admin.request('DELETE', path(OTX, 'kept'))).status).toBe(200);

    expect(await walk.next('kubectl wait')).toMatchObject({ code: 0 });
    const { body } = await admin.request('GET', path('transactionflows', 'create-order'));
    expect(body).toMatchObject({ metadata: { finalizers: ['ordertx.dev/in-use'] } });
    expect(await walk.next('kubectl delete txflow')).toMatchObject({ code: 0 });
    expect(await walk.next('helm uninstall ordertx', { 'uninstall ordertx': 'uninstall shop' })).toMatchObject({
      code: 0,
    });
    const deployments = await admin.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments`);
    expect(deployments.body).toMatchObject({ items: [] });
  },
  TEST_MS,
);

/**
 * Two releases of the controller in one namespace, each with its own rights, Leases and Redis: each carries the transactions of its own
 * namespaces, and who looks sees which one is gone. What two releases cannot share is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { FLOWS, LEASES, pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { buildPlugin, type Plugin } from '../cli/plugin.ts';
import { adminTransport, createTransaction, expectOk } from '../world/api-client.ts';
import { freshNamespace, freshRedis, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm } from './chart.ts';
import { environment, named } from './objects.ts';
import { Release } from './release-processes.ts';

const SETUP_MS = 900_000;
const TEST_MS = 90_000;
const NAMES = { ordertx: 'ordertx', west: 'west-ordertx' } as const;
type Name = keyof typeof NAMES;

let group: ProcessGroup;
let helm: Helm;
let admin: ApiServer;
let plugin: Plugin;
let participant: Server;
let home: string;
/** The first release's, the second one's, and one that both watch, which they should not. */
let north: string;
let south: string;
let both: string;
const transport = adminTransport();
const releases = new Map<Name, Release>();
/** Whose calls the participant takes in the namespace that both watch: it has one ORDERTX_CONTROLLER_SUBJECT. */
let taken: Name = 'ordertx';
/** Who called for which namespace. */
const calls = new Set<string>();

beforeAll(async () => {
  const { apiServerUrl: url, token, certificate } = world();
  [group, helm] = await Promise.all([openProcessGroup(), openHelm()]);
  [home = '', north = '', south = '', both = ''] = await Promise.all(
    ['home', 'north', 'south', 'both'].map((name) => freshNamespace(name)),
  );
  admin = connect({ url, token, certificate });
  plugin = await buildPlugin(home);
  participant = await startParticipant();
  const watched = { ordertx: [north, both], west: [south, both] };
  for (const name of ['ordertx', 'west'] as const) {
    await install(name, watched[name]);
    const { port } = participant.address() as AddressInfo;
    const others = Object.fromEntries([north, south, both].map((each) => [`credit.${each}.svc:8080`, port]));
    releases.set(name, new Release({ group, admin, namespace: home, fullname: NAMES[name], others }));
  }
  await Promise.all([...releases.values()].map((release) => release.start()));
}, SETUP_MS);

afterAll(async () => {
  participant.close();
  for (const name of ['ordertx', 'west'])
    await helm.run(['uninstall', name, '--namespace', home, '--ignore-not-found'], world().kubeconfig);
  await Promise.all([plugin.close(), transport.close(), admin.close(), helm.close(), group.close()]);
}, TEST_MS);

async function install(name: Name, watchNamespaces: readonly string[]): Promise<void> {
  const existingSecret = `redis-${name}`;
  const secret = { metadata: { name: existingSecret }, stringData: { controller: await freshRedis() } };
  expect(await admin.request('POST', `/api/v1/namespaces/${home}/secrets`, secret)).toMatchObject({ status: 201 });
  const file = await helm.valuesFile({ crds: { enabled: false }, watchNamespaces, redis: { existingSecret } });
  const values = ['-f', join(CHART, 'values-controller-only.yaml'), '-f', file];
  await helm.run(['install', name, CHART, '--namespace', home, ...values], world().kubeconfig);
}

/** Who a call's token says that it comes from. */
function callerOf({ headers }: IncomingMessage): string {
  const [, claims = ''] = (headers.authorization ?? '').split('.');
  const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly sub: string };
  return sub;
}

const accountOf = (name: Name) => `system:serviceaccount:${home}:${NAMES[name]}-controller`;

async function startParticipant(): Promise<Server> {
  const server = createServer((request, response) => {
    const [namespace = ''] = String(request.headers['ordertx-transaction']).split('/');
    const caller = callerOf(request);
    calls.add(`${namespace} ${caller}`);
    const isTaken = namespace !== both || caller === accountOf(taken);
    const state = request.url?.endsWith('/try') ? 'Tried' : 'Confirmed';
    const answer = () => response.writeHead(isTaken ? 200 : 401, { 'ordertx-state': state }).end();
    // Nobody is answered before both have called: else the one might be through before the other has heard of it.
    if (namespace === both && isTaken) void bothHaveCalled().then(answer);
    else answer();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const bothHaveCalled = () =>
  waitFor(async () => Object.keys(NAMES).every((name) => calls.has(`${both} ${accountOf(name as Name)}`)), {
    what: 'both to have called',
    deadlineMs: TEST_MS / 2,
  });

/** Begins a transaction of a flow of its own. */
async function begun(namespace: string, timeoutSeconds = 30): Promise<() => Promise<OrderTransaction>> {
  const participants = [
    { name: 'credit', endpoint: { service: { name: 'credit', port: 8080 } }, path: '/tcc/hold-credit' },
  ];
  const name = `hold-${timeoutSeconds}`;
  const flow = { metadata: { name }, spec: { timeoutSeconds, participants } };
  const body = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', ...flow };
  await expectOk(transport, { method: 'POST', path: pathOf(FLOWS, namespace), body });
  await createTransaction(transport, namespace, name, { flow: name });
  return () => expectOk(transport, { method: 'GET', path: pathOf(TRANSACTIONS, namespace, name) });
}

async function carried(namespace: string): Promise<OrderTransaction> {
  const read = await begun(namespace);
  return waitFor(
    async () => {
      const stored = await read();
      return stored.status?.finishedAt === undefined ? undefined : stored;
    },
    { what: `the transaction of ${namespace} to end`, deadlineMs: TEST_MS / 2 },
  );
}

describe('two releases in one namespace', () => {
  test(
    'each carry their own namespace’s transactions, and the other one’s not',
    async () => {
      for (const namespace of [north, south])
        expect(await carried(namespace)).toMatchObject({ status: { phase: 'Succeeded' } });
      expect([...calls].toSorted()).toEqual(
        [`${north} ${accountOf('ordertx')}`, `${south} ${accountOf('west')}`].toSorted(),
      );
    },
    TEST_MS,
  );

  test(
    'that watch one namespace both carry its transactions, and they end though its participant takes the calls of one',
    async () => {
      expect(await carried(both)).toMatchObject({ status: { phase: 'Succeeded' } });
      expect(calls).toContain(`${both} ${accountOf('west')}`);
    },
    TEST_MS,
  );

  test(
    'are told apart by who looks at their Leases, also where other software’s are called alike',
    async () => {
      const leases = pathOf(LEASES, home);
      const metadata = { name: 'backup-shard-0-of-1' };
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: {} };
      await expectOk(transport, { method: 'POST', path: leases, body });
      const seen = async () => (await plugin.run(['check'])).out;
      const lines = (out: string) => out.split('\n').filter((line) => line.startsWith('Lease '));
      expect(lines(await seen())).toEqual([
        expect.stringMatching(/^Lease ordertx-shard-0-of-1 +ok +held by controller-ordertx-controller-1$/),
        expect.stringMatching(/^Lease west-ordertx-shard-0-of-1 +ok +held by controller-west-ordertx-controller-1$/),
      ]);

      await releases.get('west')?.part('controller').part.process.stop();
      expect(lines(await seen())).toEqual([
        expect.stringMatching(/^Lease ordertx-shard-0-of-1 +ok +held by controller-ordertx-controller-1$/),
        expect.stringMatching(/^Lease west-ordertx-shard-0-of-1 +wrong .*: is a controller of west-ordertx running\?/),
      ]);
      expect((await plugin.run(['incidents'])).err).toContain(
        'no controller of west-ordertx holds its Lease any more: is a controller running?',
      );
      await expectOk(transport, { method: 'DELETE', path: pathOf(LEASES, home, metadata.name) });
    },
    TEST_MS,
  );

  test(
    'that watch one namespace: while the one is away that its participant answers, the other cancels at the deadline',
    async () => {
      taken = 'west';
      const read = await begun(both, 2);
      await waitFor(async () => (await read()).status?.decision === 'Cancel', {
        what: 'the decision of who is there',
        deadlineMs: TEST_MS / 2,
      });
      expect(await read()).toMatchObject({ status: { decisionReason: 'DeadlineExceeded' } });
    },
    TEST_MS,
  );
});

test.each<[string, string]>([
  ['ordertx', 'ordertx'],
  ['shop', 'shop-ordertx'],
  ['shop.eu', 'shop-eu-ordertx-'],
  [`a${'b'.repeat(52)}`, `a${'b'.repeat(35)}-`],
])('the Leases of the release %s begin with %s, in its rights as in its environment', async (release, beginning) => {
  const file = await helm.valuesFile(over(REQUIRED, { controller: { shards: 3 } }));
  const objects = objectsOf(await helm.run(['template', release, CHART, '--namespace', 'shop', '-f', file]));
  const { name } = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith('-controller'))
    ?.metadata ?? { name: '' };
  const prefix = environment(objects, name).ORDERTX_LEASE_PREFIX as string;
  expect(prefix.startsWith(beginning)).toBe(true);
  expect(`${prefix}-controller`).toBe(name);
  const { rules } = named(objects, 'Role', `${name}-home`) as unknown as {
    readonly rules: readonly { readonly resources: readonly string[]; readonly resourceNames?: readonly string[] }[];
  };
  const writes = rules.find(({ resources, resourceNames }) => resources.includes('leases') && resourceNames);
  expect(writes?.resourceNames).toEqual([0, 1, 2].map((shard) => `${prefix}-shard-${shard}-of-3`));
  expect(prefix).toMatch(/^[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?$/);
});

test(
  'a second shop in a namespace is refused: flows have fixed names, and are the first one’s',
  async () => {
    const shops = await freshNamespace('shops');
    const file = await helm.valuesFile(over(REQUIRED, { crds: { enabled: false } }));
    const install = (name: string) =>
      helm.run(['install', name, CHART, '--namespace', shops, '-f', file], world().kubeconfig);
    await install('first');
    const refused = await install('second').then(() => 'it was installed', String);
    expect(refused).toMatch(/TransactionFlow ".*" .*exists and cannot be imported/);
    await helm.run(['uninstall', 'first', '--namespace', shops], world().kubeconfig);
  },
  TEST_MS,
);

/**
 * docs/operating/controller-alone.md, followed: the chart's controller alone, in a namespace of its own, carries a transaction of a team's
 * namespace to a participant that checks tokens as the page says.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { inheritedEnvironment, openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { tokenCheck } from '../../services/kit/src/index.ts';
import { pageBlocks, runBlocks } from '../world/page-blocks.ts';
import { pageCommands } from '../world/page-commands.ts';
import { freshNamespace, freshRedis, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, type Helm, type Rendered } from './chart.ts';
import { environment, named, secretOf } from './objects.ts';
import { Release } from './release-processes.ts';

const SETUP_MS = 900_000;
const TEST_MS = 90_000;
const PAGE = 'docs/operating/controller-alone.md';
const [INSTALL = '', TOKEN = '', ROLE = '', MAY_CREATE = '', FLOW = '', ...REST] = pageBlocks(PAGE);

let group: ProcessGroup;
let helm: Helm;
let admin: ApiServer;
let release: Release;
let home: string;
let team: string;
let redisUrl: string;
let objects: readonly Rendered[];
let participant: Server;
/** What each call's token was found to be. */
const calls: string[] = [];

beforeAll(async () => {
  const { apiServerUrl: url, token, certificate } = world();
  [group, helm, home, team, redisUrl] = await Promise.all([
    openProcessGroup(),
    openHelm(),
    freshNamespace('alone'),
    freshNamespace('team'),
    freshRedis(),
  ]);
  admin = connect({ url, token, certificate });
  await mkdir(folder());
  await symlink(dirname(CHART), join(folder(), 'helm'));
  await typed(INSTALL);
  const { stdout } = await promisify(execFile)(helm.program, ['get', 'manifest', 'ordertx', '--namespace', home], {
    env: { ...inheritedEnvironment(), KUBECONFIG: world().kubeconfig },
  });
  objects = objectsOf(stdout);
  const port = await freePort();
  release = new Release({
    ...{ group, admin, namespace: home, fullname: 'ordertx' },
    others: { [`credit.${team}.svc:8080`]: port },
  });
  await release.start();
  participant = await startParticipant(port);
}, SETUP_MS);

afterAll(async () => {
  participant.close();
  await helm.run(['uninstall', 'ordertx', '--namespace', home, '--ignore-not-found'], world().kubeconfig);
  await Promise.all([admin.close(), helm.close(), group.close()]);
}, TEST_MS);

const folder = () => join(group.folder, 'typed');

async function typed(...blocks: readonly string[]): Promise<string> {
  const path = [dirname(helm.program), dirname(world().kubectl), dirname(process.execPath), '/usr/bin', '/bin'];
  return runBlocks(blocks, {
    cwd: folder(),
    env: {
      ...inheritedEnvironment(),
      ...{ KUBECONFIG: world().kubeconfig, HOME: group.folder, PATH: path.join(':') },
    },
    names: [
      ['redis://controller:PASSWORD@redis.example.com:6379', redisUrl],
      // The tests' cluster has the CRDs, and its namespaces are made by the tests.
      ['helm install ordertx helm/ordertx', 'helm install ordertx helm/ordertx --set crds.enabled=false'],
      ['kubectl create namespace ordertx', 'kubectl get namespace ordertx'],
      ['namespace ordertx', `namespace ${home}`],
      [/\bteam\b/g, team],
    ],
  });
}

/** The page's table, as the settings of a participant made with the kit. */
function told(): Readonly<Record<string, string>> {
  const page = readFileSync(join(dirname(CHART), '..', PAGE), 'utf8');
  const rows = [...page.matchAll(/^\| [^|]* \| `([^`]*)`[^|]* \| `(ORDERTX_\w+)` \|$/gm)];
  return Object.fromEntries(
    rows.map(([, value = '', setting = '']) => [
      setting,
      value
        .replaceAll(/\bteam\b/g, team)
        .replace('controller.ordertx:', `controller.${home}:`)
        .replace('serviceaccount:ordertx:', `serviceaccount:${home}:`),
    ]),
  );
}

async function startParticipant(port: number): Promise<Server> {
  const { ORDERTX_AUDIENCE: audience = '', ORDERTX_CONTROLLER_SUBJECT: subject = '' } = told();
  const keys = { urls: [`${release.part('controller').url}/jwks`] };
  const check = tokenCheck({ ...{ audience, subject, keys }, issuer: world().issuer });
  const server = createServer((request, response) => {
    void check(request.headers.authorization).then(({ kind }) => {
      calls.push(kind);
      const isTry = request.url?.endsWith('/try');
      response.writeHead(kind === 'good' ? 200 : 401, { 'ordertx-state': isTry ? 'Tried' : 'Confirmed' });
      response.end();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('who is to create transactions may, once he is bound to the role, and may not change them', async () => {
  await typed(ROLE);
  await waitFor(async () => (await typed(MAY_CREATE).catch(() => 'no')).startsWith('yes'), {
    what: 'the right to create transactions',
    deadlineMs: TEST_MS / 2,
  });
  for (const verb of ['patch', 'update', 'delete'])
    await expect(typed(MAY_CREATE.replace('can-i create', `can-i ${verb}`))).rejects.toThrow();
});

test(
  'his transaction is carried to a participant that takes the controller’s tokens and no others',
  async () => {
    await typed(FLOW, ...REST);
    const { body } = await admin.request(
      'GET',
      `/apis/ordertx.dev/v1alpha1/namespaces/${team}/ordertransactions/hold-o1001`,
    );
    expect(body).toMatchObject({ status: { phase: 'Succeeded' } });
    expect(calls.length).toBeGreaterThanOrEqual(2);
    expect(new Set(calls)).toEqual(new Set(['good']));
    const { port } = participant.address() as AddressInfo;
    expect((await fetch(`http://127.0.0.1:${port}/tcc/hold-credit/try`, { method: 'POST' })).status).toBe(401);
  },
  TEST_MS,
);

test('a token that somebody makes to try a participant with is as good', async () => {
  const { ORDERTX_AUDIENCE: audience = '', ORDERTX_CONTROLLER_SUBJECT: subject = '' } = told();
  const keys = { urls: [`${release.part('controller').url}/jwks`] };
  const token = (await typed(TOKEN)).trim();
  const check = tokenCheck({ ...{ audience, subject, keys }, issuer: world().issuer });
  expect(await check(`Bearer ${token}`)).toEqual({ kind: 'good' });
});

test('the key set is where the page says: at a Service of the release, and at its port', () => {
  const { hostname, port, pathname } = new URL(told().ORDERTX_JWKS_URL ?? '');
  const [name = '', namespace] = hostname.split('.');
  expect(namespace).toBe(home);
  expect(named(objects, 'Service', name).spec).toMatchObject({ ports: [{ port: Number(port) }] });
  expect(pathname).toBe('/jwks');
});

test(
  'a namespace that has lost the controller’s Role gets it again by an upgrade with the same values',
  async () => {
    const [again = ''] = pageCommands('helm/ordertx/UPGRADING.md').filter((each) => each.startsWith('helm upgrade'));
    const mayRead = (answer: string) =>
      waitFor(
        async () =>
          (await typed(
            `kubectl auth can-i list ordertransactions.ordertx.dev --namespace team --as system:serviceaccount:${home}:ordertx-controller || true`,
          )) === `${answer}\n`,
        { what: `whether the controller may read: ${answer}`, deadlineMs: TEST_MS / 2 },
      );
    await typed('kubectl delete role,rolebinding --namespace team --selector app.kubernetes.io/component=controller');
    await mayRead('no');
    await typed(
      again
        .replace('namespace shop', 'namespace ordertx --set crds.enabled=false')
        .replace('-f values.yaml', '-f helm/ordertx/values-controller-only.yaml -f .ordertx/values.yaml'),
    );
    await mayRead('yes');
  },
  TEST_MS,
);

test('what the values are for is what comes of them', () => {
  expect(environment(objects, 'ordertx-controller')).toMatchObject({
    ORDERTX_NAMESPACES: team,
    ORDERTX_ALLOW_ENDPOINTS: 'https://pay.example.com,score.risk',
  });
  const acl = secretOf(objects, 'ordertx-redis-acl')['users.acl'] ?? '';
  expect(acl).toMatch(/^user controller .*\(~ordertx:messages:loyalty \+xadd \+xrange\)/m);
  expect(acl).toMatch(/^user loyalty on .*\(~ordertx:messages:loyalty \+xreadgroup/m);
  const peers = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': team } } }];
  const { spec } = named(objects, 'NetworkPolicy', 'ordertx-controller') as unknown as {
    readonly spec: Readonly<Record<'ingress' | 'egress', readonly object[]>>;
  };
  expect(spec.egress).toContainEqual({ to: peers });
  expect(spec.ingress).toContainEqual({ ports: [{ port: 'http', protocol: 'TCP' }], from: peers });
});

test('of the shop there is nothing', () => {
  const kinds = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'TransactionFlow');
  expect(kinds.map(({ metadata }) => metadata.name)).toEqual(['ordertx-controller']);
});

/**
 * docs/operating/installing.md, as somebody follows it who has a cluster, a Postgres and a Redis: every `sh` block of the page in one shell.
 * Docker writes down what it was told, and psql and redis-cli are stood in for where a machine has none; all else is real.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { inheritedEnvironment, openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startPostgres } from '../../local/postgres.ts';
import { startRedis } from '../../local/redis.ts';
import { adminLine } from '../broker/rendered-acl.ts';
import { FakePrograms } from '../kind/fake-programs.ts';
import { pageBlocks, runBlocks } from '../world/page-blocks.ts';
import { freshNamespace, world } from '../world/world.ts';
import { objectsOf, openHelm, type Helm, type Rendered } from './chart.ts';
import type { Workload } from './objects.ts';

const SETUP_MS = 900_000;
const TEST_MS = 60_000;
const ROOT = join(import.meta.dirname, '..', '..');
const PASSWORD = 'of-the-admin';

let group: ProcessGroup;
let helm: Helm;
let admin: ApiServer;
let namespace: string;
let programs: FakePrograms;
let printed: string;
let deployments: readonly (Rendered & Workload)[];
const addresses = { postgres: '', redis: '' };

beforeAll(async () => {
  const { apiServerUrl: url, token, certificate } = world();
  [group, helm, namespace] = await Promise.all([openProcessGroup(), openHelm(), freshNamespace('installing')]);
  admin = connect({ url, token, certificate });
  const users = { acl: `user default off\n${adminLine('admin', PASSWORD)}\n`, admin: 'admin', password: PASSWORD };
  const [postgres, redis] = await Promise.all([
    startPostgres(group, { unsafeFast: true }),
    startRedis(group, { url: '', users }),
  ]);
  Object.assign(addresses, { postgres: `127.0.0.1:${postgres.port}`, redis: new URL(redis.url).host });
  programs = standIns();
  // Who makes passwords once more has one of each, as `--from-env-file` wants it.
  const blocks = pageBlocks('docs/operating/installing.md').flatMap((block) =>
    block.includes('>> $FILES') ? [block, block] : [block],
  );
  printed = await runBlocks(blocks, {
    env: {
      ...inheritedEnvironment(),
      ...{ KUBECONFIG: world().kubeconfig, HOME: group.folder, PATH: `${programs.path}:/usr/bin:/bin` },
    },
    names: [
      ['$PWD/.ordertx/install', join(group.folder, 'install')],
      ['postgres://postgres:PASSWORD@postgres.example.com:5432/postgres', postgres.url],
      ['redis://admin:PASSWORD@redis.example.com:6379', redis.url],
      ['postgres.example.com:5432', addresses.postgres],
      ['redis.example.com:6379', addresses.redis],
      // The tests' cluster has the CRDs, and its namespaces are made by the tests.
      ['helm install ordertx helm/ordertx', 'helm install ordertx helm/ordertx --set crds.enabled=false'],
      ['kubectl create namespace shop', `kubectl get namespace ${namespace}`],
      ['namespace shop', `namespace ${namespace}`],
      ['--clusterrole=shop.', `--clusterrole=${namespace}.`],
    ],
  });
  const { body } = await admin.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments`);
  deployments = (body as { readonly items: readonly (Rendered & Workload)[] }).items;
}, SETUP_MS);

afterAll(async () => {
  await helm.run(['uninstall', 'ordertx', '--namespace', namespace, '--ignore-not-found'], world().kubeconfig);
  programs.remove();
  await Promise.all([admin.close(), helm.close(), group.close()]);
}, TEST_MS);

function standIns(): FakePrograms {
  const program = (path: string) => `exec '${process.execPath}' '${join(ROOT, path)}' "$@"`;
  return new FakePrograms()
    .add('docker', `case "$*" in *.Size*) echo 1000000;; *RepoDigests*) echo "$4@sha256:${'0'.repeat(64)}";; esac`)
    .add('npm', `shift 2; shift; ${program('scripts/images/build.ts')}`)
    .add('psql', program('tests/broker/psql-program.ts'))
    .add('redis-cli', program('tests/broker/redis-cli-program.ts'))
    .add('helm', `exec '${helm.program}' "$@"`)
    .add('kubectl', `exec '${world().kubectl}' "$@"`);
}

const secret = async (name: string): Promise<Readonly<Record<string, string>>> => {
  const { body } = await admin.request('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`);
  const { data } = body as { readonly data: Readonly<Record<string, string>> };
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
};

const containers = () =>
  deployments.flatMap(({ spec }) => {
    const { initContainers = [], containers: own } = spec.template.spec;
    return [...initContainers, ...own];
  });

test('every image that a pod has was built and pushed under that very name', () => {
  expect(deployments).toHaveLength(8);
  const pushed = programs.told.flatMap((line) => /^docker push (.*)$/.exec(line)?.[1] ?? []);
  const built = programs.told.flatMap((line) => /^docker build .*--tag (\S+)/.exec(line)?.[1] ?? []);
  expect(new Set(containers().map(({ image }) => image))).toEqual(new Set(pushed));
  expect(built.map((name) => `registry.example.com/team/${name}`)).toEqual(pushed);
});

test('every secret that a pod asks for is there, with the key that it asks for', async () => {
  const wanted = containers().flatMap(({ env = [] }) =>
    env.flatMap(({ valueFrom }) => (valueFrom as { secretKeyRef?: { name: string; key: string } })?.secretKeyRef ?? []),
  );
  expect(wanted.length).toBeGreaterThan(20);
  const keys = new Map<string, readonly string[]>();
  for (const { name } of wanted) if (!keys.has(name)) keys.set(name, Object.keys(await secret(name)));
  expect(wanted.filter(({ name, key }) => keys.get(name)?.includes(key) !== true)).toEqual([]);
});

test('Postgres lets each service in as who serves and as who owns, and the controller into the archive', async () => {
  const all = [...Object.values(await secret('databases')), ...Object.values(await secret('owners'))];
  expect(all).toHaveLength(14);
  for (const connectionString of [...all, (await secret('archive')).archive ?? '']) {
    const client = new pg.Client({ connectionString });
    await client.connect();
    const { rows } = await client.query('select current_user as name');
    expect(rows).toEqual([{ name: new URL(connectionString).username }]);
    await client.end();
  }
});

test('Redis lets each process in as itself, and nobody without a name', async () => {
  const answer = async (url: string): Promise<string> => {
    const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0, enableReadyCheck: false });
    client.on('error', () => undefined);
    const said = await client.ping().catch(String);
    client.disconnect();
    return said;
  };
  const urls = Object.entries(await secret('redis'));
  expect(urls).toHaveLength(7);
  for (const [user, url] of urls) {
    expect(new URL(url).username).toBe(user);
    expect(await answer(url)).toBe('PONG');
    expect(await answer(url.replace(/[^:]*@/, 'another@'))).toMatch(/WRONGPASS|Connection is closed/);
  }
  expect(await answer(`redis://${addresses.redis}`)).toMatch(/NOAUTH|Connection is closed/);
});

test('the flows are there, and people have the roles that the page binds', async () => {
  expect(printed).toMatch(/^create-order /m);
  const rbac = `/apis/rbac.authorization.k8s.io/v1`;
  for (const role of ['view', 'operator', 'admin']) {
    const { body } = await admin.request('GET', `${rbac}/namespaces/${namespace}/rolebindings/ordertx-${role}`);
    const { name } = (body as { readonly roleRef: { readonly name: string } }).roleRef;
    expect((await admin.request('GET', `${rbac}/clusterroles/${name}`)).status).toBe(200);
  }
});

test('a render without a cluster has all that one of 1.36 with Prometheus would get', () => {
  const kinds = objectsOf(readFileSync(join(group.folder, 'install', 'release.yaml'), 'utf8')).map(({ kind }) => kind);
  for (const kind of ['CustomResourceDefinition', 'MutatingAdmissionPolicy', 'ServiceMonitor', 'PrometheusRule'])
    expect(kinds).toContain(kind);
});

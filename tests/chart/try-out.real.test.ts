/** What values-try.yaml renders: all of a release on one small node, with a Postgres and a Redis that are for trying out. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { waitFor } from '../../local/deadline.ts';
import { freshNamespace, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, over, type Helm, type Rendered, type Values } from './chart.ts';
import { named, secretOf, type Workload } from './objects.ts';

const VALUES = parse(readFileSync(join(CHART, 'values-try.yaml'), 'utf8')) as Values;
const SERVICES = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'];
const OFF = { enabled: false };
const ENFORCED_MS = 20_000;

let helm: Helm;
let objects: readonly Rendered[];
beforeAll(async () => {
  helm = await openHelm();
  objects = await helm.template(VALUES);
}, 900_000);
afterAll(() => helm.close());

const secret = (name: string) => secretOf(objects, name);

const workloads = (of: readonly Rendered[]) =>
  of.filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind)) as unknown as readonly (Rendered & Workload)[];

test('nothing of it is there unless it is asked for', async () => {
  const values = over(VALUES, { try: { enabled: false }, redis: { acl: { create: false } } });
  const kinds = (await helm.template(values)).map(({ kind }) => kind);
  expect(kinds).not.toContain('StatefulSet');
  expect(kinds).not.toContain('Secret');
});

test('is the same to the byte whenever it is rendered', async () => {
  expect(await helm.text(VALUES)).toBe(await helm.text(VALUES));
});

test('its notes say that its passwords are known', async () => {
  const file = join(CHART, 'values-try.yaml');
  const dryRun = ['--dry-run=client', '--hide-secret'];
  const printed = await helm.run(['install', 'shop', CHART, '-n', 'shop', '-f', file, ...dryRun]);
  expect(printed).toContain('the passwords of its Postgres and its Redis stand in the chart');
});

test('a secret that no value names is not made by guess', async () => {
  const failed = await helm.text(over(VALUES, { archive: { existingSecret: '' } })).then(() => 'it rendered', String);
  expect(failed).toContain(
    'try.enabled makes the secret that archive.existingSecret names, and it names none: helm/ordertx/values-try.yaml has all',
  );
});

test('all of it asks for less than one core, so that a node of two has room for it and for a rollout', () => {
  const milli = (cpu: string) => (cpu.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1_000);
  const asked = workloads(objects).map(({ metadata, spec }) => {
    const { containers, initContainers = [] } = spec.template.spec as unknown as {
      readonly containers: readonly WithResources[];
      readonly initContainers?: readonly WithResources[];
    };
    const own = containers.reduce((sum, { resources }) => sum + milli(resources.requests.cpu), 0);
    const most = Math.max(own, ...initContainers.map(({ resources }) => milli(resources.requests.cpu)));
    return [metadata.name, most * spec.replicas] as const;
  });
  expect(asked).toHaveLength(10);
  expect(asked.reduce((sum, [, each]) => sum + each, 0)).toBeLessThan(1_000);
});

interface WithResources {
  readonly resources: { readonly requests: { readonly cpu: string } };
}

test('images of Postgres and Redis are whole references: a digest counts before a tag, the release’s registry and tag do not', async () => {
  const digest = `sha256:${'0b'.repeat(32)}`;
  const rendered = await helm.template(
    over(VALUES, {
      imageRegistry: 'registry.example',
      imageTag: '9.9',
      try: { postgres: { image: { repository: 'mirror.example/postgres', digest } } },
    }),
  );
  const imagesOf = (name: string) => {
    const { containers, initContainers = [] } = (named(rendered, 'StatefulSet', name) as unknown as Workload).spec
      .template.spec;
    return [...initContainers, ...containers].map(({ image }) => image);
  };
  expect(imagesOf('shop-ordertx-try-postgres')).toEqual(Array(2).fill(`mirror.example/postgres@${digest}`));
  expect(imagesOf('shop-ordertx-try-redis')).toEqual(['docker.io/library/redis:7.4-bookworm']);
});

test('a name that is long is shortened: pods of a StatefulSet carry it in a label with 11 characters more', async () => {
  const file = await helm.valuesFile(VALUES);
  const longest = `a${'b'.repeat(51)}c`;
  const rendered = objectsOf(await helm.run(['template', longest, CHART, '--namespace', 'shop', '-f', file]));
  const sets = rendered.filter(({ kind }) => kind === 'StatefulSet').map(({ metadata }) => metadata.name);
  expect(sets).toHaveLength(2);
  for (const name of sets) {
    expect(name.length).toBeLessThanOrEqual(52);
    expect(named(rendered, 'Service', name).metadata.name).toBe(name);
  }
  const url = new URL(secretOf(rendered, 'ordertx-try-databases').order ?? '');
  expect(sets).toContain(url.hostname);
});

describe('who gets where', () => {
  test('every process is given a user and a role of its own, and every schema its owner', () => {
    const host = 'shop-ordertx-try-postgres:5432';
    for (const service of SERVICES) {
      const role = `ordertx_${service}`;
      expect(secret('ordertx-try-databases')[service]).toBe(
        `postgres://${role}:${role}-for-trying-out@${host}/${role}`,
      );
      expect(secret('ordertx-try-owners')[service]).toBe(
        `postgres://${role}_owner:${role}_owner-for-trying-out@${host}/${role}`,
      );
    }
    const redis = secret('ordertx-try-redis');
    expect(redis.order).toBe('redis://order:order-for-trying-out@shop-ordertx-try-redis:6379');
    expect(Object.keys(redis).toSorted()).toEqual(
      ['controller', ...SERVICES].filter((name) => name !== 'inventory').toSorted(),
    );
  });

  type Peer = { readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> } };
  type Policy = {
    readonly spec: {
      readonly ingress: readonly { readonly from: readonly Peer[]; readonly ports: readonly unknown[] }[];
    };
  };
  const COMPONENT = 'app.kubernetes.io/component';
  const letIn = (of: readonly Rendered[], store: string) => {
    const { spec } = named(of, 'NetworkPolicy', `shop-ordertx-try-${store}`) as unknown as Policy;
    expect(spec.ingress.map(({ ports }) => ports)).toEqual([[{ port: store, protocol: 'TCP' }]]);
    return spec.ingress[0]?.from.map(({ podSelector }) => podSelector.matchLabels[COMPONENT]).toSorted();
  };

  test('Postgres and Redis are reached by who needs them, and reach nobody', async () => {
    expect(letIn(objects, 'postgres')).toEqual(['controller', ...SERVICES].toSorted());
    expect(letIn(objects, 'redis')).toEqual(
      ['controller', ...SERVICES].filter((name) => name !== 'inventory').toSorted(),
    );
    for (const store of ['postgres', 'redis'])
      expect(named(objects, 'NetworkPolicy', `shop-ordertx-try-${store}`).spec).toMatchObject({
        policyTypes: ['Ingress', 'Egress'],
      });
    const fewer = await helm.template(over(VALUES, { services: { wms: OFF } }));
    expect(letIn(fewer, 'postgres')).not.toContain('wms');
    expect(letIn(fewer, 'redis')).not.toContain('wms');
  });

  test('processes are let out to these two, and to no other Postgres or Redis', () => {
    const { spec } = named(objects, 'NetworkPolicy', 'shop-ordertx-order') as unknown as {
      readonly spec: { readonly egress: readonly { readonly ports: readonly { readonly port: unknown }[] }[] };
    };
    const to = (port: number) => spec.egress.filter(({ ports }) => ports.some((each) => each.port === port));
    expect(to(5432)).toMatchObject([{ to: [{ podSelector: { matchLabels: { [COMPONENT]: 'try-postgres' } } }] }]);
    expect(to(6379)).toMatchObject([{ to: [{ podSelector: { matchLabels: { [COMPONENT]: 'try-redis' } } }] }]);
  });
});

test('a namespace that enforces Restricted takes every pod of it', async () => {
  const namespace = await freshNamespace('restricted');
  const kubectl = (...args: readonly string[]) =>
    promisify(execFile)(world().kubectl, ['--kubeconfig', world().kubeconfig, '--namespace', namespace, ...args]);
  await kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
  // Its admission goes by a watch of namespaces, which hears of the label a moment later.
  const refused = () => kubectl('run', 'root', '--image=any', '--dry-run=server').then(() => undefined, String);
  const refusal = await waitFor(refused, { what: 'the namespace to enforce it', deadlineMs: ENFORCED_MS });
  expect(refusal).toContain('violates PodSecurity "restricted:latest"');

  const file = await helm.valuesFile(VALUES);
  const manifest = objectsOf(await helm.run(['template', 'shop', CHART, '--namespace', namespace, '-f', file]));
  const pods = [
    ...workloads(manifest).map(({ metadata, spec }) => ({ name: metadata.name, spec: withClaims(spec) })),
    ...manifest.filter(({ kind }) => kind === 'Pod').map(({ metadata, spec }) => ({ name: metadata.name, spec })),
  ];
  expect(pods).toHaveLength(11);
  const list = pods.map(({ name, spec }) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }));
  const path = `${file}.pods.json`;
  await writeFile(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }));
  const { stdout } = await kubectl('create', '--dry-run=server', '-f', path);
  expect(stdout.trim().split('\n')).toHaveLength(11);
});

/** As a StatefulSet makes them: with a volume for each claim. */
function withClaims(spec: Workload['spec']): object {
  const { volumeClaimTemplates = [], template } = spec as typeof spec & {
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  return { ...template.spec, volumes: [...(template.spec.volumes ?? []), ...claims] };
}

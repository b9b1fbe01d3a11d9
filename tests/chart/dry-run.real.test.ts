/** Every object that the chart renders is taken by a real API server, over a matrix of values: tried, and nothing is kept. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { freshNamespace, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';

let helm: Helm;
let namespace: string;
let watched: string;

beforeAll(async () => {
  [helm, namespace, watched] = await Promise.all([openHelm(4), freshNamespace('chart'), freshNamespace('watched')]);
}, 900_000);
afterAll(() => helm.close());

const run = promisify(execFile);
const OFF = { enabled: false };
const WAREHOUSE = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'warehouse' } } }];
const ELSEWHERE = { enabled: false, elsewhere: { endpoint: { service: { name: 'stock', namespace: 'warehouse' } } } };

test.each<[string, Values]>([
  ['the defaults', {}],
  ['one of each', { controller: { replicas: 1 }, services: { order: { replicas: 1 }, inventory: { replicas: 1 } } }],
  [
    'services elsewhere',
    { services: { inventory: ELSEWHERE, wms: OFF, member: OFF }, networkPolicies: { participants: WAREHOUSE } },
  ],
  [
    'the controller alone',
    {
      flows: { create: false },
      services: { order: OFF, inventory: OFF, payment: OFF, dispatch: OFF, wms: OFF, member: OFF, notification: OFF },
    },
  ],
  ['what is for trying out', parse(readFileSync(join(CHART, 'values-try.yaml'), 'utf8')) as Values],
  [
    'everything said',
    {
      fullnameOverride: 'tx',
      imageRegistry: 'registry.example',
      imageTag: '1.0',
      imagePullPolicy: 'Always',
      imagePullSecrets: [{ name: 'pull' }],
      logLevel: 'debug',
      priorityClassName: 'system-cluster-critical',
      crds: { mutatingPolicies: 'alwaysRender' },
      flows: {
        settings: { 'create-order': { timeoutSeconds: 20, stuckAfterSeconds: 30, ttlSecondsAfterFinished: 60 } },
      },
      databases: { migrations: { existingSecret: 'owners' }, ca: { existingSecret: 'databases-ca' } },
      redis: {
        ca: { existingConfigMap: 'trusted' },
        clientCertificate: { existingSecret: 'redis-client' },
        acl: {
          passwordHashes: { order: ['0a'.repeat(32), '0b'.repeat(32)] },
          streams: ['loyalty'],
          extraUsers: [`user admin on #${'0c'.repeat(32)} ~* &* +@all`],
        },
      },
      networkPolicies: { participants: WAREHOUSE },
      archive: { existingSecret: 'archive', ca: { existingConfigMap: 'trusted' } },
      controller: {
        replicas: 3,
        shards: 4,
        allowEndpoints: ['http://more.example'],
        image: { digest: `sha256:${'0a'.repeat(32)}` },
        serviceAccount: { annotations: { 'example.dev/role': 'controller' } },
        extraEnv: [
          { name: 'LOG_LEVEL', value: 'trace' },
          { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        ],
        podLabels: { team: 'orders' },
        podAnnotations: { 'example.dev/scrape': 'yes' },
        nodeSelector: { disk: 'fast' },
        tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
        affinity: { nodeAffinity: {} },
      },
      services: {
        payment: { publicUrl: 'https://pay.example', refunds: { existingSecret: 'refunds' } },
        notification: { webhook: { existingSecret: 'sms' } },
      },
    },
  ],
])('%s', async (_, values) => {
  const file = await helm.valuesFile(over(over(REQUIRED, { watchNamespaces: [namespace, watched] }), values));
  const manifest = await helm.run(['template', 'shop', CHART, '--namespace', namespace, '-f', file]);
  const path = `${file}.manifest.yaml`;
  await writeFile(path, manifest);
  const apply = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', path];
  const { stdout, stderr } = await run(world().kubectl, ['--kubeconfig', world().kubeconfig, ...apply]);
  expect(stderr).not.toMatch(/warning/i);
  expect(stdout.trim().split('\n')).toHaveLength(objectsOf(manifest).length);
});

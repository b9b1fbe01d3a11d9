/** What pods of the chart's processes are like: how they end, and what values may add to them and may not. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, openHelm, over, REQUIRED, type Helm, type Rendered, type Values } from './chart.ts';
import type { PodSpec } from './objects.ts';

let helm: Helm;
beforeAll(async () => {
  helm = await openHelm();
}, 900_000);
afterAll(() => helm.close());

const render = (values: Values = {}) => helm.template(over(REQUIRED, values));

type Ending = {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [{ readonly lifecycle?: unknown }];
};

function podsOf(objects: readonly Rendered[]): readonly (PodSpec & Ending)[] {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment') as unknown as readonly {
    readonly spec: { readonly template: { readonly spec: PodSpec & Ending } };
  }[];
  expect(deployments).toHaveLength(8);
  return deployments.map(({ spec }) => spec.template.spec);
}

describe('a pod that is to end', () => {
  test('answers for a while yet, because who sends requests hears of its end later, and has as long to end as before', async () => {
    for (const { terminationGracePeriodSeconds, containers } of podsOf(await render())) {
      expect(containers[0].lifecycle).toEqual({ preStop: { sleep: { seconds: 5 } } });
      expect(terminationGracePeriodSeconds).toBe(35);
    }
  });

  test('does so for as long as values say, or not at all', async () => {
    for (const { terminationGracePeriodSeconds, containers } of podsOf(await render({ preStopSeconds: 20 }))) {
      expect(containers[0].lifecycle).toEqual({ preStop: { sleep: { seconds: 20 } } });
      expect(terminationGracePeriodSeconds).toBe(50);
    }
    for (const { terminationGracePeriodSeconds, containers } of podsOf(await render({ preStopSeconds: 0 }))) {
      expect(containers[0].lifecycle).toBeUndefined();
      expect(terminationGracePeriodSeconds).toBe(30);
    }
  });
});

describe('what is added to pods', () => {
  const refusal = (values: Values) => helm.text(over(REQUIRED, values)).then(() => 'it rendered', String);

  test.each<[Values, string]>([
    [
      { controller: { podLabels: { 'app.kubernetes.io/component': 'api' } } },
      'controller.podLabels has app.kubernetes.io/component, which the chart says itself: leave it out',
    ],
    [
      { services: { wms: { podAnnotations: { 'kubectl.kubernetes.io/default-container': 'proxy' } } } },
      'services.wms.podAnnotations has kubectl.kubernetes.io/default-container, which the chart says itself',
    ],
    [
      { services: { order: { extraEnv: [{ name: 'PORT', value: '80' }] } } },
      'services.order.extraEnv sets PORT, by which other objects of the release go: leave it out',
    ],
    [
      { controller: { extraEnv: [{ name: 'ORDERTX_SHARDS', value: '4' }] } },
      'controller.extraEnv sets ORDERTX_SHARDS, by which other objects of the release go: set controller.shards',
    ],
    [
      { controller: { extraEnv: [{ name: 'ORDERTX_LEASE_PREFIX', value: 'ordertx' }] } },
      'controller.extraEnv sets ORDERTX_LEASE_PREFIX, by which other objects of the release go: set fullnameOverride',
    ],
  ])('%j would say twice what the chart says, and is refused', async (values, sentence) => {
    expect(await refusal(values)).toContain(sentence);
  });
});

describe('who a pod runs as', () => {
  const users = (objects: readonly Rendered[]) => [
    ...podsOf(objects).map((spec) => spec as unknown as Secured),
    ...objects.filter(({ kind }) => kind === 'Pod').map(({ spec }) => spec as Secured),
  ];
  type Secured = { readonly securityContext: Readonly<Record<string, unknown>> };

  test('is said by number, or left to the cluster, which then says it itself', async () => {
    const fixed = users(await render());
    expect(fixed).toHaveLength(9);
    for (const { securityContext } of fixed)
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 });
    const openShift = parse(await readFile(join(CHART, 'values-openshift.yaml'), 'utf8')) as Values;
    for (const { securityContext } of users(await render(openShift)))
      expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  });
});

test('the release’s test finds a node where the controller does, and leaves no pod with rights when it fails', async () => {
  const place = { nodeSelector: { disk: 'fast' }, tolerations: [{ key: 'dedicated', operator: 'Exists' }] };
  const [pod] = (await render({ controller: place })).filter(({ kind }) => kind === 'Pod');
  expect(pod?.spec).toMatchObject(place);
  expect(pod?.metadata.annotations).toMatchObject({
    'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded,hook-failed',
    'helm.sh/hook-output-log-policy': 'hook-failed',
  });
});

test('flows are no hook for tools that apply what is rendered, and carry what these go by', async () => {
  const annotations = { 'argocd.argoproj.io/sync-wave': '1' };
  const flows = (await render({ flows: { hookOnInstall: false, annotations } })).filter(
    ({ kind }) => kind === 'TransactionFlow',
  );
  expect(flows).toHaveLength(3);
  for (const { metadata } of flows)
    expect(metadata.annotations).toEqual({ ...annotations, 'helm.sh/resource-policy': 'keep' });
});

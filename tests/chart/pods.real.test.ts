/** What pods of the chart's processes are like: how they end, and what values may add to them and may not. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openHelm, over, REQUIRED, type Helm, type Rendered, type Values } from './chart.ts';
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

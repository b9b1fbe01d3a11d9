/** Two copies of the chart in one release, under aliases of an umbrella chart: neither takes the other's pods for its own. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm, type Rendered } from './chart.ts';

let helm: Helm;
let umbrella: string;
beforeAll(async () => {
  helm = await openHelm();
  umbrella = await mkdtemp(join(tmpdir(), 'ordertx-umbrella-'));
  await mkdir(join(umbrella, 'charts'));
  await symlink(CHART, join(umbrella, 'charts', 'ordertx'));
  const dependencies = ['east', 'west_2'].map((alias) => ({ name: 'ordertx', version: '*', repository: '', alias }));
  await writeFile(
    join(umbrella, 'Chart.yaml'),
    JSON.stringify({ apiVersion: 'v2', name: 'umbrella', version: '1.0.0', dependencies }),
  );
}, 900_000);
afterAll(async () => {
  await rm(umbrella, { recursive: true, force: true });
  await helm.close();
});

type Labels = Readonly<Record<string, string>>;
type Selecting = Rendered & {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels } };
  };
};

test('names and selectors of the two have nothing in common', async () => {
  const second = { crds: { enabled: false }, flows: { create: false } };
  const file = await helm.valuesFile({ east: REQUIRED, west_2: over(REQUIRED, second) });
  const objects = objectsOf(await helm.run(['template', 'shop', umbrella, '--namespace', 'shop', '-f', file]));
  const ids = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  expect(new Set(ids).size).toBe(ids.length);

  const deployments = objects.filter(({ kind }) => kind === 'Deployment') as unknown as readonly Selecting[];
  expect(deployments).toHaveLength(16);
  expect(deployments.map(({ metadata }) => metadata.name)).toContain('shop-west-2-order');
  for (const { metadata, spec } of deployments) {
    const selected = deployments.filter(({ spec: { template } }) =>
      Object.entries(spec.selector.matchLabels).every(([name, value]) => template.metadata.labels[name] === value),
    );
    expect(selected.map((each) => each.metadata.name)).toEqual([metadata.name]);
  }
  const [policies, services] = ['NetworkPolicy', 'Service'].map((wanted) =>
    objects.filter(({ kind }) => kind === wanted).map((object) => JSON.stringify(object.spec)),
  );
  for (const specs of [policies ?? [], services ?? []]) {
    const [east, west] = ['"east"', '"west_2"'].map((name) => specs.filter((spec) => spec.includes(name)));
    expect(east).toHaveLength(specs.length / 2);
    expect(west).toHaveLength(specs.length / 2);
  }
});

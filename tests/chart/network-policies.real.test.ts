/** What the chart's network policies let through: the paths that there are, and nobody by naming nobody. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';
import { named } from './objects.ts';

let helm: Helm;
beforeAll(async () => {
  helm = await openHelm();
}, 900_000);
afterAll(() => helm.close());

const render = (values: Values = {}) => helm.template(over(REQUIRED, values));

const OFF = { enabled: false };
const ALONE = {
  services: { order: OFF, inventory: OFF, payment: OFF, dispatch: OFF, wms: OFF, member: OFF, notification: OFF },
};

describe('network policies', () => {
  type Rule = { readonly from?: readonly unknown[] | null; readonly to?: readonly unknown[] | null };
  type Spec = { readonly ingress?: readonly Rule[]; readonly egress?: readonly Rule[] };

  test.each<[string, Values]>([
    ['by default', {}],
    ['of the controller alone', { ...ALONE, flows: { create: false } }],
    ['of no participant but one', { services: { inventory: { enabled: false } }, flows: { create: false } }],
  ])('%s let nobody in or out by naming nobody: to Kubernetes such a rule is everybody', async (_, values) => {
    const policies = (await render(values)).filter(({ kind }) => kind === 'NetworkPolicy');
    expect(policies.length).toBeGreaterThan(1);
    for (const { metadata, ...rest } of policies) {
      const spec = rest.spec as Spec;
      const unnamed = (spec.ingress ?? []).filter(({ from }) => (from ?? []).length === 0);
      expect([metadata.name, unnamed]).toEqual([metadata.name, []]);
      const empty = (spec.egress ?? []).filter((rule) => 'to' in rule && (rule.to ?? []).length === 0);
      expect([metadata.name, empty]).toEqual([metadata.name, []]);
    }
  });
});

test('names are resolved where and by what ports values say: a cache on every node, or pods that listen elsewhere', async () => {
  const resolvers = async (values: Values) => {
    const { spec } = named(await render(values), 'NetworkPolicy', 'shop-ordertx') as unknown as {
      readonly spec: { readonly egress: readonly object[] };
    };
    return spec.egress[0];
  };
  const at = (port: number) => [
    { port, protocol: 'UDP' },
    { port, protocol: 'TCP' },
  ];
  const cluster = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } };
  expect(await resolvers({})).toEqual({ ports: at(53), to: [cluster] });
  const cache = { ipBlock: { cidr: '169.254.20.10/32' } };
  const dns = { ports: [53, 5353], to: [cluster, cache] };
  expect(await resolvers({ networkPolicies: { dns } })).toEqual({
    ports: [...at(53), ...at(5353)],
    to: [cluster, cache],
  });
});

/** What the chart renders, from values alone: objects that say what the values say. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm, type Rendered, type Values } from './chart.ts';
import { container, environment, named, type Workload } from './objects.ts';

let helm: Helm;
let helm3: Helm;

beforeAll(async () => {
  [helm, helm3] = await Promise.all([openHelm(4), openHelm(3)]);
}, 900_000);
afterAll(() => Promise.all([helm.close(), helm3.close()]));

const render = (values: Values = {}, ...args: readonly string[]) => helm.template(over(REQUIRED, values), ...args);

type Flow = {
  readonly spec: {
    readonly timeoutSeconds: number;
    readonly participants: readonly { readonly name: string; readonly endpoint: unknown }[];
    readonly messages: readonly { readonly stream: string }[];
  };
};
const flow = (objects: readonly Rendered[], name: string) => named(objects, 'TransactionFlow', name) as unknown as Flow;

const OFF = { enabled: false };
const ALONE = {
  services: { order: OFF, inventory: OFF, payment: OFF, dispatch: OFF, wms: OFF, member: OFF, notification: OFF },
};

describe('what is rendered', () => {
  test('is the same to the byte whenever it is rendered', async () => {
    expect(await helm.text(REQUIRED)).toBe(await helm.text(REQUIRED));
    const templates = join(CHART, 'templates');
    const names = (await readdir(templates, { recursive: true })).filter((name) => /\.(tpl|yaml|txt)$/.test(name));
    const files = await Promise.all(names.map((name) => readFile(join(templates, name), 'utf8')));
    expect(files.join('\n')).not.toMatch(
      /\b(lookup|randAlpha\w*|randNumeric|uuidv4|now|genCA|genSelfSignedCert|genPrivateKey)\b\s/,
    );
  });

  test('is the same by both helms', async () => {
    const api = [
      '--api-versions',
      'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy',
      '--kube-version',
      '1.36.0',
    ];
    const tryOut = parse(await readFile(join(CHART, 'values-try.yaml'), 'utf8')) as Values;
    for (const values of [REQUIRED, tryOut]) {
      const both = await Promise.all([helm, helm3].map((one) => one.template(values, ...api)));
      const sorted = both.map((objects) => objects.toSorted((a, b) => idOf(a).localeCompare(idOf(b))));
      expect(sorted[1]).toEqual(sorted[0]);
    }
  });

  test('is refused on a cluster that is too old', async () => {
    const failed = await helm.text(REQUIRED, '--kube-version', '1.31.9').then(() => 'it rendered', String);
    expect(failed).toMatch(/requires kubeVersion: >=1\.32\.0-0 which is incompatible with Kubernetes v?1\.31\.9/);
  });

  test('names controllers as the rights of their Redis user want it, by a variable that is known where it is used', async () => {
    const { env } = container(await render(), 'shop-ordertx-controller');
    const [pod, replica] = env.filter(({ name }) => name === 'ORDERTX_POD' || name === 'ORDERTX_REPLICA');
    expect(pod).toEqual({ name: 'ORDERTX_POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } });
    expect(replica).toEqual({ name: 'ORDERTX_REPLICA', value: 'controller-$(ORDERTX_POD)' });
  });

  test('selects pods by labels that never change, because a Deployment’s selector cannot', async () => {
    const objects = await render();
    const selectors = Object.fromEntries(
      objects
        .filter(({ kind }) => kind === 'Deployment')
        .map((object) => [object.metadata.name, (object as unknown as Workload).spec.selector.matchLabels]),
    );
    const selector = (component: string) => ({
      'app.kubernetes.io/name': 'ordertx',
      'app.kubernetes.io/instance': 'shop',
      'app.kubernetes.io/component': component,
    });
    expect(selectors).toEqual({
      'shop-ordertx-controller': selector('controller'),
      'shop-ordertx-order': selector('order'),
      'shop-ordertx-inventory': selector('inventory'),
      'shop-ordertx-payment': selector('payment'),
      'shop-ordertx-dispatch': selector('dispatch'),
      'shop-ordertx-wms': selector('wms'),
      'shop-ordertx-member': selector('member'),
      'shop-ordertx-notification': selector('notification'),
    });
  });

  test('has names that fit, of a release with 53 characters too', async () => {
    const name = `a${'b'.repeat(51)}c`;
    const other = `a${'b'.repeat(51)}d`;
    const file = await helm.valuesFile(REQUIRED);
    const template = (release: string) => helm.run(['template', release, CHART, '-n', 'shop', '-f', file]);
    const [mine, theirs] = (await Promise.all([template(name), template(other)])).map((text) => namesIn(text));
    for (const [, each] of mine ?? []) expect(each.length).toBeLessThanOrEqual(63);
    const shared = (mine ?? []).filter(([kind, each]) => (theirs ?? []).some(([k, e]) => k === kind && e === each));
    // What is one for the cluster, or one for the namespace.
    expect([...new Set(shared.map(([kind]) => kind))].toSorted()).toEqual([
      'CustomResourceDefinition',
      'TransactionFlow',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ]);
  });
});

test.each<[string, string]>([
  ['on', 'shop'],
  ['1e3', 'null'],
  ['shop', '123'],
  ['shop.eu', 'shop'],
])(
  'release %s in namespace %s: every name and label is a text, and a name that a Service may have',
  async (release, namespace) => {
    const file = await helm.valuesFile(
      over(REQUIRED, {
        fullnameOverride: release === '1e3' ? 'yes' : '',
        monitoring: { dashboards: { enabled: true } },
      }),
    );
    const objects = objectsOf(await helm.run(['template', release, CHART, '-n', namespace, '-f', file]));
    for (const { kind, metadata } of objects) {
      expect([kind, typeof metadata.name, metadata.name]).toEqual([kind, 'string', metadata.name]);
      if ('namespace' in metadata) expect([kind, metadata.namespace]).toEqual([kind, namespace]);
      for (const map of [metadata.labels ?? {}, metadata.annotations ?? {}])
        for (const value of Object.values(map)) expect(typeof value).toBe('string');
      expect(metadata.labels?.['app.kubernetes.io/instance']).toBe(release);
      if (kind === 'Service') expect(metadata.name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])$/);
    }
    const { spec } = objects.find(({ kind }) => kind === 'Deployment') as unknown as Workload;
    expect(spec.selector.matchLabels['app.kubernetes.io/instance']).toBe(release);
  },
);

test('a release that begins with a digit has to say what names begin with', async () => {
  const file = await helm.valuesFile(REQUIRED);
  const failed = await helm
    .run(['template', '2026', CHART, '-n', 'shop', '-f', file])
    .then(() => 'it rendered', String);
  expect(failed).toContain("the release's name 2026 begins with a digit, which the name of a Service may not");
});

test('no two releases have one name for what belongs to no namespace, or to another’s', async () => {
  const file = await helm.valuesFile(
    over(REQUIRED, { crds: { enabled: false }, ...ALONE, flows: { create: false }, watchNamespaces: ['north'] }),
  );
  const outside = async (namespace: string, release: string) => {
    const printed = await helm.run(['template', release, CHART, '-n', namespace, '-f', file]);
    return objectsOf(printed)
      .filter(({ metadata }) => metadata.namespace !== namespace)
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  };
  const names = [
    ...(await outside('shop', 'eu-ordertx')),
    ...(await outside('shop-eu', 'ordertx')),
    ...(await outside('shop', 'ordertx')),
    ...(await outside('shop', 'ordertx-leases')),
    ...(await outside('shop', 'ordertx-controller')),
    ...(await outside('n'.repeat(63), `ordertx-${'r'.repeat(45)}`)),
    ...(await outside(`${'n'.repeat(62)}m`, `ordertx-${'r'.repeat(45)}`)),
  ];
  expect(names).toHaveLength(7 * 11);
  expect(new Set(names).size).toBe(names.length);
});

const idOf = ({ kind, metadata }: Rendered) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`;

function namesIn(text: string): readonly (readonly [kind: string, name: string])[] {
  return [...text.matchAll(/^kind: (\w+)$[^]*?^metadata:$[^]*?^ {2}name: "?([^"\s]+)"?$/gm)].map(
    ([, kind = '', name = '']) => [kind, name],
  );
}

describe('CRDs, guards and flows', () => {
  test('stay when the release goes', async () => {
    const objects = await render({}, '--api-versions', 'ordertx.dev/v1alpha1/TransactionFlow');
    const kept = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep');
    const kinds = kept.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'CustomResourceDefinition')).toHaveLength(2);
    expect(kinds.filter((kind) => kind === 'TransactionFlow')).toHaveLength(3);
    expect(kinds.filter((kind) => kind === 'ValidatingAdmissionPolicy').length).toBeGreaterThanOrEqual(4);
    const left = objects.filter((object) => !kept.includes(object)).map(({ kind }) => kind);
    expect(left.filter((kind) => /Policy|Definition|Flow$/.test(kind) && kind !== 'NetworkPolicy')).toEqual([]);
  });

  test('of every file of crds/ each object is there, unchanged', async () => {
    const objects = await render({ crds: { mutatingPolicies: 'alwaysRender' } });
    for (const file of ['ordertransaction', 'transactionflow', 'guards', 'acts', 'acts-by', 'managed-fields']) {
      const source = await readFile(join(CHART, '..', '..', 'crds', `${file}.yaml`), 'utf8');
      for (const text of source.split(/^---$/m)) {
        const object = parse(text) as Rendered;
        expect(named(objects, object.kind, object.metadata.name).spec).toEqual(object.spec);
      }
    }
  });

  test('can be left to another release', async () => {
    const objects = await render({ crds: { enabled: false }, flows: { create: false } });
    expect(objects.filter(({ kind }) => /AdmissionPolicy|Definition|Flow$/.test(kind))).toEqual([]);
  });

  test('a flow comes as a hook only where its CRD is not there yet, with the marks by which an upgrade takes it over', async () => {
    const first = named(await render(), 'TransactionFlow', 'create-order').metadata.annotations;
    expect(first).toMatchObject({
      'helm.sh/hook': 'post-install,post-upgrade',
      'meta.helm.sh/release-name': 'shop',
      'meta.helm.sh/release-namespace': 'shop',
    });
    const later = await render({}, '--api-versions', 'ordertx.dev/v1alpha1/TransactionFlow');
    expect(named(later, 'TransactionFlow', 'create-order').metadata.annotations).toEqual({
      'helm.sh/resource-policy': 'keep',
    });
  });

  test('flows call the services of the release at their admin ports', async () => {
    const { spec } = flow(await render(), 'create-order');
    expect(spec.participants.map(({ name, endpoint }) => [name, endpoint])).toEqual([
      ['order', { service: { name: 'shop-ordertx-order', port: 8081 } }],
      ['inventory', { service: { name: 'shop-ordertx-inventory', port: 8081 } }],
    ]);
    expect(spec.timeoutSeconds).toBe(30);
  });

  test('flows take other times, and leave out messages that nobody hears', async () => {
    const objects = await render({
      flows: { settings: { 'pay-order': { timeoutSeconds: 120 } } },
      services: { member: OFF, wms: { enabled: false, elsewhere: { consumes: true } } },
    });
    const { spec } = flow(objects, 'pay-order');
    expect(spec.timeoutSeconds).toBe(120);
    expect(spec.messages.map(({ stream }) => stream)).toEqual(['dispatch', 'wms', 'payment', 'notification']);
  });

  test('a participant elsewhere is called there, which the controller is allowed', async () => {
    const service = { name: 'stock', namespace: 'warehouse', port: 9000 };
    const networkPolicies = { participants: [{ ipBlock: { cidr: '192.0.2.0/24' } }] };
    const inService = await render({
      networkPolicies,
      services: { inventory: { enabled: false, elsewhere: { endpoint: { service } } } },
    });
    expect(flow(inService, 'create-order').spec.participants[1]?.endpoint).toEqual({ service });
    expect(environment(inService, 'shop-ordertx-controller').ORDERTX_ALLOW_ENDPOINTS).toBe('stock.warehouse');

    const url = 'https://stock.example:8443';
    const byUrl = await render({
      networkPolicies,
      controller: { allowEndpoints: ['http://more.example'] },
      services: { inventory: { enabled: false, elsewhere: { endpoint: { url } } } },
    });
    expect(flow(byUrl, 'create-order').spec.participants[1]?.endpoint).toEqual({ url });
    expect(environment(byUrl, 'shop-ordertx-controller').ORDERTX_ALLOW_ENDPOINTS).toBe(`http://more.example,${url}`);
  });
});

describe('processes', () => {
  test('the controller alone is an install', async () => {
    const objects = await render({ ...ALONE, flows: { create: false } });
    const deployments = objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name);
    expect(deployments).toEqual(['shop-ordertx-controller']);
    const ready = parse(await readFile(join(CHART, 'values-controller-only.yaml'), 'utf8')) as Values;
    expect(await render(ready)).toEqual(objects);
  });

  test('a participant is told by what it knows the controller', async () => {
    expect(environment(await render(), 'shop-ordertx-inventory')).toMatchObject({
      ORDERTX_AUDIENCE: 'ordertx/shop-ordertx-inventory.shop',
      ORDERTX_TOKEN_ISSUER: 'https://kubernetes.default.svc.cluster.local',
      ORDERTX_JWKS_URL: 'http://shop-ordertx-controller:8080/jwks',
      ORDERTX_CONTROLLER_SUBJECT: 'system:serviceaccount:shop:shop-ordertx-controller',
      DATABASE_URL: { secretKeyRef: { name: 'databases', key: 'inventory' } },
    });
  });

  test('secrets are taken from one for all, or from a process’s own', async () => {
    const objects = await render({
      services: { order: { database: { existingSecret: 'order-db', key: 'url' }, redis: { key: 'order-2' } } },
      archive: { existingSecret: 'archive' },
    });
    expect(environment(objects, 'shop-ordertx-order')).toMatchObject({
      DATABASE_URL: { secretKeyRef: { name: 'order-db', key: 'url' } },
      REDIS_URL: { secretKeyRef: { name: 'redis', key: 'order-2' } },
    });
    expect(environment(objects, 'shop-ordertx-controller').ARCHIVE_DATABASE_URL).toEqual({
      secretKeyRef: { name: 'archive', key: 'archive' },
    });
  });

  test('a large number is given in digits, not as a power of ten', async () => {
    const seconds = 2_592_000;
    const values = { services: { order: { paymentTimeoutSeconds: seconds } } };
    expect(environment(await render(values), 'shop-ordertx-order').ORDER_PAYMENT_TIMEOUT_SECONDS).toBe('2592000');
  });

  test('an entry of extraEnv replaces what the chart says, and stands there once', async () => {
    const objects = await render({
      controller: {
        extraEnv: [
          { name: 'LOG_LEVEL', value: 'debug' },
          { name: 'OTEL_SDK_DISABLED', value: 'true' },
        ],
      },
    });
    expect(environment(objects, 'shop-ordertx-controller')).toMatchObject({
      LOG_LEVEL: 'debug',
      OTEL_SDK_DISABLED: 'true',
    });
  });

  test('an image: registry, repository, tag, and a digest over every tag', async () => {
    const digest = `sha256:${'0a'.repeat(32)}`;
    const objects = await render({
      imageRegistry: 'registry.example:5000/shop/',
      imageTag: '9.9',
      controller: { image: { tag: '1.2', digest } },
      services: { order: { image: { tag: '1.3' } } },
    });
    expect(container(objects, 'shop-ordertx-controller').image).toBe(
      `registry.example:5000/shop/ordertx/controller@${digest}`,
    );
    expect(container(objects, 'shop-ordertx-order').image).toBe('registry.example:5000/shop/ordertx/order:1.3');
    expect(container(objects, 'shop-ordertx-wms').image).toBe('registry.example:5000/shop/ordertx/wms:9.9');
    expect(container(await render(), 'shop-ordertx-wms').image).toBe('ordertx/wms:0.1.0');
  });
});

describe('rights', () => {
  type Role = {
    readonly rules: readonly {
      readonly resources: readonly string[];
      readonly verbs: readonly string[];
      readonly resourceNames?: readonly string[];
    }[];
  };

  test('the controller has one Role in each namespace it watches, and Leases and its own tokens where it runs', async () => {
    const objects = await render({ ...ALONE, flows: { create: false }, watchNamespaces: ['north', 'south'] });
    const roles = objects.filter(({ kind, metadata }) => kind === 'Role' && metadata.name.includes('controller'));
    expect(roles.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).toSorted()).toEqual([
      'north/shop.shop-ordertx.controller',
      'shop/shop-ordertx-controller-home',
      'south/shop.shop-ordertx.controller',
    ]);
    expect(environment(objects, 'shop-ordertx-controller').ORDERTX_NAMESPACES).toBe('north,south');
    const bindings = objects.filter(({ kind }) => kind === 'RoleBinding');
    expect(bindings.map(({ metadata }) => metadata.namespace).toSorted()).toContain('south');
  });

  test('of what belongs to no namespace the controller reads its two CRDs', async () => {
    const objects = await render({ roles: { create: false } });
    const roles = objects.filter(({ kind }) => kind === 'ClusterRole');
    expect(roles.map((role) => (role as unknown as Role).rules)).toEqual([
      [
        {
          apiGroups: ['apiextensions.k8s.io'],
          resources: ['customresourcedefinitions'],
          resourceNames: ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'],
          verbs: ['get'],
        },
      ],
    ]);
    const [binding] = objects.filter(({ kind }) => kind === 'ClusterRoleBinding');
    expect(binding).toMatchObject({
      roleRef: { name: roles[0]?.metadata.name },
      subjects: [{ name: 'shop-ordertx-controller', namespace: 'shop' }],
    });
  });

  test('of Leases the controller writes those of its shards, and the cluster’s own role view has orders only where values say so', async () => {
    const objects = await render({ controller: { shards: 2 } });
    const home = named(objects, 'Role', 'shop-ordertx-controller-home') as unknown as Role;
    expect(home.rules.filter(({ resources }) => resources.includes('leases'))).toEqual([
      expect.not.objectContaining({ resourceNames: expect.anything() }),
      expect.objectContaining({
        resourceNames: ['shop-ordertx-shard-0-of-2', 'shop-ordertx-shard-1-of-2'],
        verbs: ['get', 'update'],
      }),
    ]);
    const label = 'rbac.authorization.k8s.io/aggregate-to-view';
    const view = (of: readonly Rendered[]) => named(of, 'ClusterRole', 'shop.shop-ordertx.view').metadata.labels;
    expect(view(objects)).not.toHaveProperty([label]);
    expect(view(await render({ roles: { aggregateToView: true } }))).toHaveProperty([label], 'true');
  });

  test('nobody may write a transaction’s spec, and tokens are of the controller’s own account', async () => {
    const objects = await render();
    const rules = objects
      // `helm test` has an account for as long as it runs, for the one transaction that it makes.
      .filter(({ kind, metadata }) => kind === 'Role' && metadata.annotations?.['helm.sh/hook'] !== 'test')
      .flatMap((role) => (role as unknown as Role).rules);
    const onTransactions = rules
      .filter(({ resources }) => resources.includes('ordertransactions'))
      .flatMap(({ verbs }) => verbs);
    expect(onTransactions).not.toContain('update');
    expect(onTransactions).not.toContain('patch');
    const tokens = rules.filter(({ resources }) => resources.includes('serviceaccounts/token'));
    expect(tokens).toEqual([
      expect.objectContaining({ verbs: ['create'], resourceNames: ['shop-ordertx-controller'] }),
    ]);
  });

  test('of the services only order has credentials for the cluster', async () => {
    const objects = await render();
    const withToken = objects
      .filter((object) => object.kind === 'Deployment')
      .filter(
        (object) =>
          (object as unknown as { spec: { template: { spec: { automountServiceAccountToken: boolean } } } }).spec
            .template.spec.automountServiceAccountToken,
      )
      .map(({ metadata }) => metadata.name);
    expect(withToken.toSorted()).toEqual(['shop-ordertx-controller', 'shop-ordertx-order']);
  });
});

test.each<[string, Values, string]>([
  ['of the whole shop', {}, 'shop'],
  ['elsewhere', { ...ALONE, flows: { create: false }, watchNamespaces: ['south', 'north'] }, 'north'],
])('NOTES say the next three commands, for transactions %s', async (_, values, namespace) => {
  const file = await helm.valuesFile(over(REQUIRED, values));
  const dryRun = ['--dry-run=client', '--hide-secret'];
  const printed = await helm.run(['install', 'shop', CHART, '-n', 'shop', '-f', file, ...dryRun]);
  const commands = printed.slice(printed.indexOf('NOTES:')).match(/^ {2}(kubectl|helm) .*$/gm);
  expect(commands).toEqual([
    '  kubectl --namespace shop rollout status deployment/shop-ordertx-controller',
    '  helm test shop --namespace shop',
    `  kubectl get ordertransactions --namespace ${namespace} --watch`,
  ]);
});

/** Values that the chart cannot work with are refused in words, and those that it can are described. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';

let helm: Helm;

beforeAll(async () => {
  helm = await openHelm();
}, 900_000);
afterAll(() => helm.close());

const OFF = { enabled: false };

/** No service is here, and the participants are in another namespace. */
const ELSEWHERE = {
  networkPolicies: { participants: [{ namespaceSelector: { matchLabels: { team: 'shop' } } }] },
  services: {
    order: { ...OFF, elsewhere: { endpoint: { url: 'https://order.example' } } },
    inventory: { ...OFF, elsewhere: { endpoint: { url: 'https://stock.example' } } },
    ...{ payment: OFF, dispatch: OFF, wms: OFF, member: OFF, notification: OFF },
  },
};

const refusal = (values: Values) => helm.text(values).then(() => 'it rendered', String);

describe('what has to be given and is not fails the render with a sentence that names the value', () => {
  test.each<[string, Values, RegExp]>([
    ['anything', {}, /there is no secret with .*: name it in (databases|redis)\.existingSecret/],
    [
      'databases',
      over(REQUIRED, { databases: { existingSecret: '' } }),
      /dispatch service's database URL: name it in databases\.existingSecret \(one secret for all, here with the key dispatch\) or in services\.dispatch\.database\.existingSecret/,
    ],
    [
      'quotes',
      over(REQUIRED, { services: { order: { quotes: { existingSecret: '' } } } }),
      /services\.order\.quotes\.existingSecret, or set services\.order\.prices=trusted/,
    ],
    [
      "the provider's secret",
      over(REQUIRED, { services: { payment: { provider: { existingSecret: '' } } } }),
      /services\.payment\.provider\.existingSecret, or set services\.payment\.provider\.auth=off/,
    ],
    [
      'where customers pay',
      over(REQUIRED, { services: { payment: { publicUrl: '' } } }),
      /services\.payment\.publicUrl says where customers and the payment provider reach the payment service/,
    ],
    [
      'a participant',
      over(REQUIRED, { services: { inventory: OFF } }),
      /the flow close-order calls inventory, which is neither here nor elsewhere: enable services\.inventory/,
    ],
    [
      'whom payment asks',
      over(REQUIRED, { services: { order: OFF }, flows: { create: false } }),
      /services\.payment asks the order service what an order costs: enable services\.order, or say in services\.order\.elsewhere\.url/,
    ],
    [
      'whom order asks',
      over(REQUIRED, { services: { payment: OFF } }),
      /services\.order asks the payment service what was captured/,
    ],
    [
      'policies that the cluster does not know',
      over(REQUIRED, { crds: { mutatingPolicies: 'failIfMissing' } }),
      /crds\.mutatingPolicies is failIfMissing, and this cluster does not serve admissionregistration\.k8s\.io\/v1\/MutatingAdmissionPolicy/,
    ],
  ])('%s', async (_, values, sentence) => {
    expect(await refusal(values)).toMatch(sentence);
  });
});

describe('values that contradict each other fail the render with a sentence', () => {
  test.each<[string, Values, RegExp]>([
    [
      'services whose namespace nobody watches',
      { watchNamespaces: ['north', 'south'] },
      /watchNamespaces leaves out shop, the release's own namespace, where the transactions of its services lie \(dispatch, .*\): nobody would carry them; name it too, or turn the services off/,
    ],
    [
      'flows in a namespace that nobody watches',
      over({ watchNamespaces: ['north'], flows: { create: true } }, ELSEWHERE),
      /watchNamespaces leaves out shop, .* where its flows lie, .*; name it too, or set flows\.create=false/,
    ],
    [
      'a participant elsewhere whom no network policy lets the controller call',
      { services: { inventory: { ...OFF, elsewhere: { endpoint: { service: { name: 'stock' } } } } } },
      /services\.inventory\.elsewhere\.endpoint is what flows call, and the network policies let the controller out to nobody there: say in networkPolicies\.participants .* or networkPolicies\.extraEgress where that is, or set networkPolicies\.enabled=false/,
    ],
    [
      'endpoints that no network policy lets the controller call',
      { controller: { allowEndpoints: ['http://stock.example'] } },
      /controller\.allowEndpoints has http:\/\/stock\.example, and the network policies let the controller out to nobody there/,
    ],
    [
      'a service elsewhere whom no network policy lets be asked',
      { services: { payment: { ...OFF, elsewhere: { url: 'https://pay.example', consumes: true } } } },
      /services\.payment\.elsewhere\.url is what services\.order asks, and the network policies let order out to nobody there: say in networkPolicies\.extraEgress/,
    ],
    [
      'a controller with the account of every pod',
      { controller: { serviceAccount: { create: false, name: 'default' } } },
      /controller\.serviceAccount\.name is default, the account of every pod that names none/,
    ],
    [
      'a service that runs as the controller',
      {
        controller: { serviceAccount: { name: 'orders' } },
        services: { wms: { serviceAccount: { create: false, name: 'orders' } } },
      },
      /controller\.serviceAccount\.name and services\.wms\.serviceAccount\.name are one account, orders, and each would have the other's rights/,
    ],
    [
      'a service that runs as the one that creates transactions',
      { services: { wms: { serviceAccount: { create: false, name: 'shop-ordertx-order' } } } },
      /services\.order\.serviceAccount\.name and services\.wms\.serviceAccount\.name are one account, shop-ordertx-order/,
    ],
    [
      'payments that are taken elsewhere, and nobody hears of refunds',
      { services: { payment: { ...OFF, elsewhere: { url: 'https://pay.example' } } } },
      /services\.payment\.elsewhere\.url says where payments are taken, and nobody there hears of refunds, .* set services\.payment\.elsewhere\.consumes=true/,
    ],
    [
      'a participant elsewhere that is in two places',
      {
        networkPolicies: { participants: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
        services: {
          inventory: { ...OFF, elsewhere: { endpoint: { url: 'https://stock.example', service: { name: 'stock' } } } },
        },
      },
      /services\.inventory\.elsewhere\.endpoint has a url and a Service, and flows call one of them/,
    ],
    [
      'an account that two services create',
      { services: { wms: { serviceAccount: { name: 'goods' } }, dispatch: { serviceAccount: { name: 'goods' } } } },
      /services\.dispatch\.serviceAccount and services\.wms\.serviceAccount each create the account goods/,
    ],
    [
      'a collector of traces whom no network policy lets anybody reach',
      { controller: { extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318' }] } },
      /controller\.extraEnv sets OTEL_EXPORTER_OTLP_ENDPOINT, and the network policies let controller out to nobody there: set networkPolicies\.collector\.port/,
    ],
    [
      'a webhook of a variable whom no network policy lets be called',
      {
        services: { notification: { extraEnv: [{ name: 'NOTIFICATION_WEBHOOK_URL', value: 'https://sms.example' }] } },
      },
      /the network policies let notification out to nobody there: set services\.notification\.webhook\.existingSecret/,
    ],
    [
      'endpoints that a variable says besides the values',
      { controller: { extraEnv: [{ name: 'ORDERTX_ALLOW_ENDPOINTS', value: 'http://stock.example' }] } },
      /controller\.extraEnv sets ORDERTX_ALLOW_ENDPOINTS, .*: set controller\.allowEndpoints/,
    ],
    [
      'a user of Redis that is there anyway',
      { redis: { acl: { streams: ['default'] } } },
      /redis\.acl\.streams names default, which the chart has a user for: leave it out/,
    ],
    [
      'a user of Redis that is written twice',
      { redis: { acl: { extraUsers: ['user order on nopass'] } } },
      /redis\.acl\.extraUsers names order, which the chart has a user for: leave it out/,
    ],
    [
      'a user of Redis that is written twice by oneself',
      { redis: { acl: { extraUsers: ['user admin off', 'user admin on nopass'] } } },
      /redis\.acl\.extraUsers has two lines for admin: a user is one line/,
    ],
    [
      'a user of Redis that is a stream’s',
      { redis: { acl: { streams: ['loyalty'], extraUsers: ['user loyalty on nopass'] } } },
      /redis\.acl\.extraUsers has a line for loyalty, and so has redis\.acl\.streams/,
    ],
  ])('%s', async (_, values, sentence) => {
    expect(await refusal(over(REQUIRED, values))).toMatch(sentence);
  });

  test('with a path values elsewhere render, and services without rights may share an account', async () => {
    const peers = [{ ipBlock: { cidr: '192.0.2.0/24' } }];
    const elsewhere = {
      inventory: { ...OFF, elsewhere: { endpoint: { service: { name: 'stock' } } } },
      payment: { ...OFF, elsewhere: { url: 'https://pay.example', consumes: true } },
    };
    const extraEgress = [{ to: peers }];
    const shared = { serviceAccount: { create: false, name: 'default' } };
    const goods = { serviceAccount: { name: 'goods' } };
    const traces = { extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318' }] };
    for (const values of [
      { services: elsewhere, networkPolicies: { participants: peers, extraEgress } },
      { services: elsewhere, networkPolicies: { enabled: false } },
      { services: { inventory: elsewhere.inventory }, networkPolicies: { participants: peers } },
      { services: { wms: shared, member: shared } },
      { services: { wms: goods, member: over(goods, { serviceAccount: { create: false } }) } },
      { controller: traces, networkPolicies: { collector: { port: 4318 } } },
      { controller: traces, networkPolicies: { extraEgress } },
    ])
      await expect(helm.template(over(REQUIRED, values))).resolves.not.toEqual([]);
  });
});

describe('values that are wrong are refused with where they are', () => {
  test.each<[Values, RegExp]>([
    [{ controler: {} }, /additional properties 'controler' not allowed/],
    [{ controller: { replicaz: 1 } }, /at '\/controller': additional properties 'replicaz' not allowed/],
    [{ controller: { replicas: 'two' } }, /at '\/controller\/replicas': got string, want integer/],
    [{ controller: { shards: 0 } }, /at '\/controller\/shards': minimum/],
    [{ services: { orders: {} } }, /at '\/services': additional properties 'orders' not allowed/],
    [
      { services: { inventory: { redis: {} } } },
      /at '\/services\/inventory': additional properties 'redis' not allowed/,
    ],
    [{ logLevel: 'loud' }, /at '\/logLevel': value must be one of 'trace'/],
    [{ watchNamespaces: ['Shop'] }, /at '\/watchNamespaces\/0': 'Shop' does not match pattern/],
    [{ controller: { image: { digest: 'sha256:abc' } } }, /at '\/controller\/image\/digest'/],
    [
      { services: { order: { prices: 'free' } } },
      /at '\/services\/order\/prices': value must be one of 'signed', 'trusted'/,
    ],
    [{ flows: { settings: { refund: {} } } }, /at '\/flows\/settings': additional properties 'refund' not allowed/],
    [
      { redis: { acl: { passwordHashes: { order: ['secret'] } } } },
      /at '\/redis\/acl\/passwordHashes\/order\/0': 'secret' does not match pattern/,
    ],
    [
      { redis: { acl: { passwordHashes: { orders: ['0a'.repeat(32)] } } } },
      /redis\.acl\.passwordHashes names orders, whom the chart has no user for: they are controller, dispatch, member/,
    ],
    [
      { redis: { acl: { streams: ['order'] } } },
      /redis\.acl\.streams names order, which the chart has a user for: leave it out/,
    ],
    [{ redis: { acl: { extraUsers: ['admin'] } } }, /at '\/redis\/acl\/extraUsers\/0'/],
    [{ try: { redis: { image: { tag: '' } } } }, /at '\/try\/redis\/image\/tag': '' does not match pattern/],
    [
      { archive: { ca: { existingSecret: 'archive-ca' } } },
      /there is no archive: name the secret with its URL in archive\.existingSecret, or take archive\.ca out/,
    ],
    [{ retentionDays: 7 }, /at '\/retentionDays': minimum/],
    [{ imageRegistry: 'https://registry.example' }, /at '\/imageRegistry': .* does not match pattern/],
    [{ tokenIssuer: ' ' }, /at '\/tokenIssuer': ' ' does not match pattern/],
    [{ databases: { existingSecret: 'My Secret' } }, /at '\/databases\/existingSecret': 'My Secret' does not match/],
    [{ services: { order: { quotes: { key: '' } } } }, /at '\/services\/order\/quotes\/key': minLength/],
    [{ controller: { allowEndpoints: ['*'] } }, /at '\/controller\/allowEndpoints\/0': '\*' does not match pattern/],
    [
      { services: { order: { elsewhere: { endpoint: { url: 'https://order.example/' } } } } },
      /at '\/services\/order\/elsewhere\/endpoint\/url': .* does not match pattern/,
    ],
    [{ networkPolicies: { clients: { from: [{}] } } }, /at '\/networkPolicies\/clients\/from\/0': minProperties/],
    [{ apiPriority: { matchingPrecedence: 1 } }, /at '\/apiPriority\/matchingPrecedence': minimum/],
    [{ replicaCount: 3 }, /there is no value replicaCount in this chart: set controller\.replicas, and services/],
    [{ installCRDs: true }, /there is no value installCRDs in this chart: set crds\.enabled/],
    [{ image: { tag: '1' } }, /there is no value image in this chart: set controller\.image/],
  ])('%j', async (values, sentence) => {
    expect(await refusal(over(REQUIRED, values))).toMatch(sentence);
  });

  test('what an umbrella chart adds is let be', async () => {
    const umbrella = { global: { region: 'north', imageRegistry: 'elsewhere' }, enabled: true };
    expect(await helm.text(over(REQUIRED, umbrella))).toBe(await helm.text(REQUIRED));
  });
});

describe('every value', () => {
  type Schema = {
    readonly $ref?: string;
    readonly description?: string;
    readonly deprecated?: boolean;
    readonly type?: string;
    readonly additionalProperties?: unknown;
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly items?: Schema;
    readonly $defs?: Readonly<Record<string, Schema>>;
  };

  test('is described, and has a default that values.yaml says', async () => {
    const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as Schema;
    const defaults: unknown = parse(await readFile(join(CHART, 'values.yaml'), 'utf8'));
    const problems: string[] = [];
    const visit = (given: Schema, value: unknown, path: string): void => {
      const definition = given.$ref === undefined ? {} : schema.$defs?.[given.$ref.replace('#/$defs/', '')];
      if (definition === undefined) problems.push(`${path} refers to nothing`);
      const described = { ...definition, ...given };
      if (path !== '' && !described.description) problems.push(`${path} has no description`);
      if (described.properties === undefined) return;
      if (described.additionalProperties !== false) problems.push(`${path} lets unknown values pass`);
      const map = typeof value === 'object' && value !== null ? (value as Values) : {};
      for (const [name, property] of Object.entries(described.properties)) {
        const mayMiss =
          (property.deprecated ?? false) ||
          (['global', 'enabled'].includes(name) && path === '') ||
          path === '.flows.settings';
        if (!(name in map) && !mayMiss) problems.push(`${path}.${name} has no default in values.yaml`);
        if (name in map) visit(property, map[name], `${path}.${name}`);
        else if (!property.description && property.$ref === undefined)
          problems.push(`${path}.${name} has no description`);
      }
      for (const name of Object.keys(map)) {
        if (!(name in described.properties)) problems.push(`${path}.${name} is in values.yaml and not in the schema`);
      }
    };
    visit(schema, defaults, '');
    expect(problems).toEqual([]);
  });
});

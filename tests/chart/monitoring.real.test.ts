/** What the chart gives Prometheus and Grafana: scrapes that get through, alerts as values want them, dashboards as they are. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { alertsIn, RULES_FILE, type Alert } from '../alerts/rules.ts';
import { findPrometheus } from '../world/prometheus.ts';
import { CHART, openHelm, over, REQUIRED, type Helm, type Rendered, type Values } from './chart.ts';

let group: ProcessGroup;
let helm: Helm;
let helm3: Helm;
let promtool: string;

beforeAll(async () => {
  group = await openProcessGroup();
  [helm, helm3, { promtool }] = await Promise.all([openHelm(4), openHelm(3), findPrometheus(group)]);
}, 900_000);
afterAll(() => Promise.all([helm.close(), helm3.close(), group.close()]));

const SERVED = ['ServiceMonitor', 'PrometheusRule'].flatMap((kind) => [
  '--api-versions',
  `monitoring.coreos.com/v1/${kind}`,
]);
const PROMETHEUS = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }];
const LET_IN = { networkPolicies: { monitoring: { from: PROMETHEUS } } };

const monitored = (monitoring: Values): Values => over(over(REQUIRED, LET_IN), { monitoring });
const render = (monitoring: Values) => helm.template(monitored(monitoring), ...SERVED);
const refusal = (values: Values, ...args: readonly string[]) =>
  helm.text(values, ...args).then(() => 'it rendered', String);
const boardsIn = (objects: readonly Rendered[]) =>
  objects.filter(({ metadata }) => metadata.name.includes('-dashboard-'));
const ofKind = (objects: readonly Rendered[], kind: string) => objects.filter((object) => object.kind === kind);

test('nothing of it is there until it is wanted', async () => {
  const objects = await helm.template(REQUIRED, ...SERVED);
  expect(objects.filter(({ apiVersion }) => apiVersion.startsWith('monitoring.coreos.com'))).toEqual([]);
  expect(boardsIn(objects)).toEqual([]);
});

test('it is the same by both helms', async () => {
  const rules = { OrdertxRefundsWait: { threshold: 7200.5 }, OrdertxTransactionsLate: { threshold: 0.05 } };
  const all = monitored({
    serviceMonitor: { enabled: true },
    alerts: { enabled: true, rules },
    dashboards: { enabled: true, folder: 'Orders' },
  });
  const both = await Promise.all([helm, helm3].map((one) => one.template(all, ...SERVED)));
  const idOf = ({ kind, metadata }: Rendered) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`;
  const [by4, by3] = both.map((objects) => objects.toSorted((a, b) => idOf(a).localeCompare(idOf(b))));
  expect(by3).toEqual(by4);
});

describe('where a kind is not served', () => {
  test.each([
    ['serviceMonitor', 'ServiceMonitor'],
    ['alerts', 'PrometheusRule'],
  ])('monitoring.%s fails, is left out or is rendered all the same', async (setting, kind) => {
    const mode = (renderMode?: string) =>
      monitored({ [setting]: { enabled: true, ...(renderMode && { renderMode }) } });
    expect(await refusal(mode())).toContain(
      `monitoring.${setting}.renderMode is failIfMissing, and this cluster does not serve monitoring.coreos.com/v1/${kind}`,
    );
    expect(ofKind(await helm.template(mode('skipIfMissing')), kind)).toEqual([]);
    expect(ofKind(await helm.template(mode('alwaysRender')), kind)).not.toEqual([]);
  });
});

type Labels = Readonly<Record<string, string>>;
type Port = { readonly name: string; readonly targetPort: string };
type Monitor = {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly endpoints: readonly { readonly port: string; readonly interval: string; readonly honorLabels: boolean }[];
  };
};
type Service = Rendered & { readonly spec: { readonly selector: Labels; readonly ports: readonly Port[] } };
type Deployment = {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: { readonly containers: readonly [{ readonly ports: readonly { readonly name: string }[] }] };
    };
  };
};
type NetworkPolicy = {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Labels };
    readonly ingress?: readonly { readonly ports: readonly { readonly port: string }[]; readonly from?: unknown }[];
  };
};

const selects = (selector: Labels, labels: Labels = {}) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

/** The scrapes that these ServiceMonitors lead to, as `service:port`, and which of them the network policies let through. */
function scrapesOf(objects: readonly Rendered[]) {
  const services = ofKind(objects, 'Service') as unknown as readonly Service[];
  const deployments = ofKind(objects, 'Deployment') as unknown as readonly Deployment[];
  const policies = ofKind(objects, 'NetworkPolicy') as unknown as readonly NetworkPolicy[];
  return ofKind(objects, 'ServiceMonitor').flatMap((object) => {
    const { selector, endpoints } = (object as unknown as Monitor).spec;
    return services
      .filter(({ metadata }) => selects(selector.matchLabels, metadata.labels))
      .flatMap((service) => endpoints.map(({ port }) => ({ service, port })))
      .map(({ service, port }) => {
        const target = service.spec.ports.find(({ name }) => name === port)?.targetPort;
        const pods = deployments
          .map(({ spec }) => spec.template)
          .filter(({ metadata }) => selects(service.spec.selector, metadata.labels));
        const listens = pods.some(({ spec }) => spec.containers[0].ports.some(({ name }) => name === target));
        const passes = policies
          .filter(({ spec }) => pods.some(({ metadata }) => selects(spec.podSelector.matchLabels, metadata.labels)))
          .flatMap(({ spec }) => spec.ingress ?? [])
          .filter(({ from }) => JSON.stringify(from) === JSON.stringify(PROMETHEUS))
          .some(({ ports }) => ports.some((open) => open.port === target));
        return { scrape: `${service.metadata.name}:${port}`, listens, passes };
      });
  });
}

describe('scrapes', () => {
  test('are of the controller and each service that runs, at a port that is there and that Prometheus is let in to', async () => {
    const values = over(monitored({ serviceMonitor: { enabled: true } }), { services: { wms: { enabled: false } } });
    const through = (scrape: string) => ({ scrape: `shop-ordertx-${scrape}`, listens: true, passes: true });
    const scrapes = scrapesOf(await helm.template(values, ...SERVED));
    expect(scrapes.toSorted((a, b) => a.scrape.localeCompare(b.scrape))).toEqual(
      [
        ...['controller:http', 'dispatch:metrics', 'inventory:metrics', 'member:metrics'],
        ...['notification:metrics', 'order:metrics', 'payment:metrics'],
      ].map(through),
    );
  });

  test('are all that Prometheus is let in for: no port has a route that changes stock or ships', async () => {
    const policies = ofKind(await render({}), 'NetworkPolicy') as unknown as readonly NetworkPolicy[];
    const open = policies
      .flatMap(({ spec }) => (spec.ingress ?? []).map((rule) => ({ spec, ...rule })))
      .filter(({ from }) => JSON.stringify(from) === JSON.stringify(PROMETHEUS))
      .map(({ spec, ports }) => [
        spec.podSelector.matchLabels['app.kubernetes.io/component'],
        ports.map((p) => p.port),
      ]);
    expect(open).toEqual([
      [undefined, ['metrics']],
      ['controller', ['http']],
    ]);
  });

  test('come as often as values say, keep the processes’ own labels, and are found by labels', async () => {
    const labels = { release: 'prometheus' };
    const monitors = ofKind(
      await render({ serviceMonitor: { enabled: true, interval: '15s', labels } }),
      'ServiceMonitor',
    );
    expect(monitors).toHaveLength(8);
    for (const monitor of monitors) {
      expect(monitor.metadata.labels).toMatchObject({ ...labels, 'app.kubernetes.io/instance': 'shop' });
      expect((monitor as unknown as Monitor).spec.endpoints).toMatchObject([{ interval: '15s', honorLabels: true }]);
    }
  });

  test('that no network policy lets in are refused, and without policies nobody has to be named', async () => {
    const shut = over(REQUIRED, { monitoring: { serviceMonitor: { enabled: true } } });
    expect(await refusal(shut, ...SERVED)).toMatch(
      /the network policies let no Prometheus in: say in networkPolicies\.monitoring\.from where it runs, .* or set networkPolicies\.enabled=false/,
    );
    const open = await helm.template(over(shut, { networkPolicies: { enabled: false } }), ...SERVED);
    expect(ofKind(open, 'ServiceMonitor')).toHaveLength(8);
  });
});

type Recorded = { readonly record: string; readonly expr: string; readonly labels?: object };
type Group = { readonly name: string; readonly rules: readonly (Alert | Recorded)[] };

async function renderedGroups(alerts: Values): Promise<readonly Group[]> {
  const [rule, ...more] = ofKind(await render({ alerts: { enabled: true, ...alerts } }), 'PrometheusRule');
  expect(more).toEqual([]);
  return (rule?.spec as { readonly groups: readonly Group[] }).groups;
}

const RELEASE = { namespace: 'shop', release: 'shop-ordertx' };
const PROCESSES = 'controller|dispatch|inventory|member|notification|order|payment|wms';
const OWN = `namespace="shop",job=~"shop-ordertx-(${PROCESSES})"`;
const RECORDED = 'namespace="shop",release="shop-ordertx"';

/** Without what makes it a release's own: tests/alerts/two-releases.real.test.ts has that. */
async function groupsOf(alerts: Values): Promise<readonly Group[]> {
  const plain = (rule: Alert | Recorded) => {
    const { namespace, release, ...labels } = { ...rule.labels } as Record<string, string>;
    expect({ namespace, release }).toEqual(RELEASE);
    const expr = [OWN, RECORDED].reduce(
      (text, matchers) => text.replaceAll(`{${matchers}}`, '').replaceAll(`{${matchers},`, '{'),
      rule.expr,
    );
    return { ...rule, expr, labels };
  };
  return (await renderedGroups(alerts)).map(({ name, rules }) => ({ name, rules: rules.map(plain) as Group['rules'] }));
}

const SOURCE = (parse(readFileSync(RULES_FILE, 'utf8')) as { readonly groups: readonly Group[] }).groups.map(
  ({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ({ ...rule, expr: rule.expr.trim(), labels: { ...rule.labels } })),
  }),
) as readonly Group[];
const ALERTS = alertsIn(RULES_FILE);
const ofAll = (settings: Values) => Object.fromEntries(ALERTS.map(({ alert }) => [alert, settings]));

/** The groups of the file, with each alert as `change` makes it. */
const changed = (change: (alert: Alert) => Alert): readonly Group[] =>
  SOURCE.map(({ name, rules }) => ({ name, rules: rules.map((rule) => ('alert' in rule ? change(rule) : rule)) }));

describe('alerts', () => {
  test('are those of the file, with what Prometheus fills in', async () => {
    const groups = await groupsOf({});
    expect(groups).toEqual(SOURCE);
    expect(JSON.stringify(groups)).toContain('{{ $value }} transactions of {{ $labels.flow }} are stuck');
  });

  test('are found by labels', async () => {
    const objects = await render({ alerts: { enabled: true, labels: { release: 'prometheus' } } });
    expect(ofKind(objects, 'PrometheusRule')[0]?.metadata.labels).toMatchObject({
      release: 'prometheus',
      'app.kubernetes.io/instance': 'shop',
    });
  });

  test('one that is changed is other in that, and no other alert is', async () => {
    const rules = { OrdertxRefundsWait: { threshold: 7200, for: '10m', severity: 'page' } };
    expect(await groupsOf({ rules })).toEqual(
      changed((rule) =>
        rule.alert === 'OrdertxRefundsWait'
          ? {
              ...rule,
              ...{
                expr: 'max(ordertx_payment_refunds_oldest_seconds) > 7200',
                for: '10m',
                labels: { severity: 'page' },
              },
            }
          : rule,
      ),
    );
  });

  test('each takes another threshold, time and severity, and Prometheus takes them all', async () => {
    const groups = await groupsOf({ rules: ofAll({ threshold: 0.25, for: '1h30m', severity: 'critical' }) });
    const threshold = (expr: string) => `${expr.slice(0, expr.lastIndexOf(' '))} 0.25`;
    expect(groups).toEqual(
      changed((rule) => ({ ...rule, expr: threshold(rule.expr), for: '1h30m', labels: { severity: 'critical' } })),
    );
    const file = join(group.folder, 'rules.json');
    await writeFile(file, JSON.stringify({ groups }));
    const { stdout } = await promisify(execFile)(promtool, ['check', 'rules', file]);
    const rules = SOURCE.flatMap((each) => each.rules);
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  test('one that is turned off is not there, and a group of which all are is not either', async () => {
    const off = { enabled: false };
    const rules = {
      OrdertxOnHold: off,
      OrdertxFenceContradiction: off,
      OrdertxForgedMessages: off,
      OrdertxUnanswerable: off,
    };
    const groups = await groupsOf({ rules });
    expect(groups.map(({ name }) => name)).toEqual(['ordertx-transactions', 'ordertx-time-to-final', 'ordertx-parts']);
    const there = groups.flatMap((each) => each.rules).flatMap((rule) => ('alert' in rule ? [rule.alert] : []));
    expect(there).toEqual(ALERTS.map(({ alert }) => alert).filter((alert) => !(alert in rules)));
  });

  test.each(['https://git.example/ordertx/blob/v1', 'https://git.example/ordertx/blob/v1/'])(
    'their pages are found under %s',
    async (runbookBaseUrl) => {
      const page = (path = '') => `https://git.example/ordertx/blob/v1/${path}`;
      expect(await groupsOf({ runbookBaseUrl })).toEqual(
        changed(({ annotations, ...rule }) => ({
          ...rule,
          annotations: { ...annotations, runbook_url: page(annotations.runbook_url) },
        })),
      );
    },
  );

  test.each<[Values, RegExp]>([
    [
      { rules: { OrdertxOnHolt: { enabled: false } } },
      /monitoring\.alerts\.rules names OrdertxOnHolt, and there is no such alert: it is one of .*OrdertxOnHold/,
    ],
    [
      { rules: { OrdertxOnHold: { treshold: 1 } } },
      /rules\/OrdertxOnHold': additional properties 'treshold' not allowed/,
    ],
    [{ rules: { OrdertxOnHold: { for: 'soon' } } }, /rules\/OrdertxOnHold\/for': 'soon' does not match pattern/],
    [{ rules: { OrdertxOnHold: { severity: '' } } }, /rules\/OrdertxOnHold\/severity': '' does not match pattern/],
    [{ runbookBaseUrl: 'docs' }, /alerts\/runbookBaseUrl': 'docs' does not match pattern/],
  ])('%j is refused', async (alerts, sentence) => {
    expect(await refusal(monitored({ alerts: { enabled: true, ...alerts } }), ...SERVED)).toMatch(sentence);
  });
});

describe('dashboards', () => {
  const folder = join(CHART, 'files', 'dashboards');
  const files = readdirSync(folder).toSorted();

  test('are each a ConfigMap with the JSON as it is, which Grafana’s sidecar finds', async () => {
    const maps = boardsIn(await render({ dashboards: { enabled: true } }));
    expect(files).toHaveLength(6);
    expect(Object.assign({}, ...maps.map(({ data }) => data))).toEqual(
      Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')])),
    );
    expect(maps.map(({ metadata }) => metadata.name)).toEqual(
      files.map((file) => file.replace(/^ordertx-(.*)\.json$/, 'shop-ordertx-dashboard-$1')),
    );
    for (const { kind, metadata } of maps) {
      expect(kind).toBe('ConfigMap');
      expect(metadata.labels).toMatchObject({ grafana_dashboard: '1', 'app.kubernetes.io/instance': 'shop' });
      expect(metadata.annotations).toBeUndefined();
    }
  });

  test('take other labels, annotations and a folder', async () => {
    const labels = { grafana_dashboard: 'yes', team: 'orders' };
    const annotations = { 'k8s-sidecar-target-directory': '/tmp/orders' };
    const maps = boardsIn(await render({ dashboards: { enabled: true, labels, annotations, folder: 'Orders' } }));
    expect(maps).toHaveLength(files.length);
    for (const { metadata } of maps) {
      expect(metadata.labels).toMatchObject(labels);
      expect(metadata.annotations).toEqual({ ...annotations, grafana_folder: 'Orders' });
    }
  });
});

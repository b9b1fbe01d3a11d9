/**
 * Two releases in one Prometheus, with the chart's rules for both: an alert of one is neither made nor silenced by the other, and says whose
 * it is. Their names are such that a careless pattern takes one for the other, and their namespace is one.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm } from '../chart/chart.ts';
import { findPrometheus } from '../world/prometheus.ts';
import { stays, type Case } from './case.ts';
import { CASES } from './cases.ts';
import { alertsIn, RULES_FILE, type Alert, type Recorded } from './rules.ts';

const run = promisify(execFile);
const EVERY = '30s';
const SETUP_MS = 900_000;
const NAMESPACE = 'shop';
const OURS = 'ordertx';
const THEIRS = 'ordertx-order';

let group: ProcessGroup;
let helm: Helm;
let promtool: string;
/** By release, all its rules. */
let rules: Readonly<Record<string, readonly Rule[]>>;

beforeAll(async () => {
  group = await openProcessGroup();
  [helm, { promtool }] = await Promise.all([openHelm(), findPrometheus(group)]);
  rules = { [OURS]: await rulesOf(OURS), [THEIRS]: await rulesOf(THEIRS) };
}, SETUP_MS);
afterAll(() => Promise.all([helm.close(), group.close()]));

type Rule = (Alert | Recorded) & { readonly expr: string };

async function rulesOf(release: string, alerts: object = {}): Promise<readonly Rule[]> {
  const values = await helm.valuesFile(over(REQUIRED, { monitoring: { alerts: { enabled: true, ...alerts } } }));
  const api = ['--api-versions', 'monitoring.coreos.com/v1/PrometheusRule'];
  const only = ['--show-only', 'templates/prometheusrule.yaml'];
  const [rule] = objectsOf(
    await helm.run(['template', release, CHART, '--namespace', NAMESPACE, '-f', values, ...api, ...only]),
  );
  const { groups } = rule?.spec as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
  return groups.flatMap((each) => each.rules);
}

/** Of all these rules an alert and what is computed for it: with all others beside it, most of the time would be theirs. */
function forAlert(all: readonly Rule[], alert: string): readonly Rule[] {
  const own = all.filter((rule) => 'alert' in rule && rule.alert === alert);
  const records = all.filter((rule) => 'record' in rule && own.some(({ expr }) => expr.includes(rule.record)));
  return [...records, ...own];
}

type Series = Readonly<Record<string, string>>;

/** These series as a ServiceMonitor labels them: of a release's process, which a case may name as its job. */
const scrapedFrom = (release: string, series: Series): Series =>
  Object.fromEntries(
    Object.entries(series).map(([name, values]) => {
      const [, metric = '', labels = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(name) ?? [];
      const job = /(?:^|,)job="([^"]*)"/.exec(labels)?.[1] ?? 'controller';
      const others = labels.split(',').filter((label) => label !== '' && !label.startsWith('job='));
      const all = [`namespace="${NAMESPACE}"`, `job="${release}-${job}"`, ...others];
      return [`${metric}{${all.join(',')}}`, values];
    }),
  );

const alerts = new Map(alertsIn(RULES_FILE).map((rule) => [rule.alert, rule]));

/** What is expected of `release` where its own series are a case's. */
function firing(release: string, { labels, annotations }: Alert, { fires }: Case): object {
  const { job, ...rest } = fires.labels;
  const { command } = fires;
  const summary = job === undefined ? fires.summary : fires.summary.replaceAll(job, `${release}-${job}`);
  const own = { severity: labels.severity, namespace: NAMESPACE, release };
  return {
    exp_labels: { ...own, ...rest, ...(job !== undefined && { job: `${release}-${job}` }) },
    exp_annotations: { ...annotations, summary, ...(command !== undefined && { command }) },
  };
}

/** Of whom a case is true, while the other one's controller reaches its Redis. */
function testOf(one: Case, release: string, other: string): object {
  const rule = alerts.get(one.alert);
  if (rule === undefined) throw new Error(`there is no alert ${one.alert}`);
  const series = {
    ...scrapedFrom(release, one.fires.series),
    ...scrapedFrom(other, {
      ordertx_redis_up: stays(1),
      'leader_election_master_status{name="ordertx-shard-0-of-2"}': stays(1),
    }),
  };
  return {
    interval: EVERY,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: one.fires.at, alertname: one.alert, exp_alerts: [firing(release, rule, one)] }],
  };
}

interface Trial {
  readonly name: string;
  /** By release. */
  readonly rules: Readonly<Record<string, readonly Rule[]>>;
  readonly tests: readonly object[];
}

/** What promtool says against these; nothing where all is as it is to be. */
async function judged(trials: readonly Trial[]): Promise<string> {
  const files = await Promise.all(
    trials.map(async ({ name, rules: byRelease, tests }) => {
      const groups = Object.entries(byRelease).map(([release, own]) => ({ name: release, rules: own }));
      const ruleFile = join(group.folder, `${name}.rules.json`);
      await writeFile(ruleFile, JSON.stringify({ groups }));
      const file = join(group.folder, `${name}.json`);
      await writeFile(file, JSON.stringify({ rule_files: [ruleFile], evaluation_interval: EVERY, tests }));
      return file;
    }),
  );
  const { stdout, stderr } = await run(promtool, ['test', 'rules', ...files]).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  return stdout.match(/SUCCESS/g)?.length === files.length && !`${stdout}${stderr}`.includes('FAILED')
    ? ''
    : stdout + stderr;
}

test('each alert is the one release’s whose figures they are, and the other that is well silences none', async () => {
  const trials = CASES.map((one) => ({
    name: one.alert,
    rules: Object.fromEntries(Object.entries(rules).map(([release, all]) => [release, forAlert(all, one.alert)])),
    tests: [testOf(one, OURS, THEIRS), testOf(one, THEIRS, OURS)],
  }));
  expect(await judged(trials)).toBe('');
}, 240_000);

test('a Prometheus that cannot tell two releases apart still has Leases of two names', async () => {
  const all = await rulesOf(OURS, { matchers: 'namespace="shop"' });
  const held = (release: string) => `leader_election_master_status{namespace="shop",name="${release}-shard-0-of-1"}`;
  const name = `${OURS}-shard-0-of-1`;
  const rule = alerts.get('OrdertxNobodyWorks');
  const fires = {
    exp_labels: { severity: 'page', namespace: NAMESPACE, release: OURS, name },
    exp_annotations: { ...rule?.annotations, summary: `no controller works on the shard of Lease ${name}` },
  };
  const test = {
    interval: EVERY,
    input_series: [
      { series: held(OURS), values: stays(0) },
      { series: held(THEIRS), values: stays(1) },
    ],
    alert_rule_test: [{ eval_time: '2m', alertname: 'OrdertxNobodyWorks', exp_alerts: [fires] }],
  };
  const own = { [OURS]: forAlert(all, 'OrdertxNobodyWorks') };
  expect(await judged([{ name: 'names', rules: own, tests: [test] }])).toBe('');
}, 60_000);

test('a Prometheus that labels them in another way is told how', async () => {
  const matchers = 'cluster="north",app="orders"';
  const all = await rulesOf('elsewhere', { matchers });
  const away = (labels: string, labelled: object) => ({
    interval: EVERY,
    input_series: [{ series: `ordertx_redis_up{${labels}}`, values: stays(0) }],
    alert_rule_test: [{ eval_time: '1m', alertname: 'OrdertxRedisAway', exp_alerts: [labelled].flat() }],
  });
  const rule = alerts.get('OrdertxRedisAway');
  const exp_labels = { severity: 'page', namespace: NAMESPACE, release: 'elsewhere-ordertx' };
  const tests = [
    away(matchers, { exp_labels, exp_annotations: rule?.annotations }),
    away('cluster="south",app="orders"', []),
  ];
  const own = { elsewhere: forAlert(all, 'OrdertxRedisAway') };
  expect(await judged([{ name: 'elsewhere', rules: own, tests }])).toBe('');
}, 60_000);

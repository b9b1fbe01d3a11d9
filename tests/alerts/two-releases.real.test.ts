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
import { alertsIn, RULES_FILE, type Alert } from './rules.ts';

const run = promisify(execFile);
const EVERY = '30s';
const SETUP_MS = 900_000;
const NAMESPACE = 'shop';
const OURS = 'ordertx';
const THEIRS = 'ordertx-order';

let group: ProcessGroup;
let helm: Helm;
let promtool: string;
let ruleFiles: readonly string[];

beforeAll(async () => {
  group = await openProcessGroup();
  [helm, { promtool }] = await Promise.all([openHelm(), findPrometheus(group)]);
  ruleFiles = await Promise.all([rulesOf(OURS), rulesOf(THEIRS)]);
}, SETUP_MS);
afterAll(() => Promise.all([helm.close(), group.close()]));

async function rulesOf(release: string, alerts: object = {}): Promise<string> {
  const values = await helm.valuesFile(over(REQUIRED, { monitoring: { alerts: { enabled: true, ...alerts } } }));
  const api = ['--api-versions', 'monitoring.coreos.com/v1/PrometheusRule'];
  const only = ['--show-only', 'templates/prometheusrule.yaml'];
  const [rule] = objectsOf(
    await helm.run(['template', release, CHART, '--namespace', NAMESPACE, '-f', values, ...api, ...only]),
  );
  const file = join(group.folder, `${release}.json`);
  await writeFile(file, JSON.stringify(rule?.spec));
  return file;
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

async function judged(rules: readonly string[], tests: readonly object[], every = EVERY): Promise<string> {
  const file = join(group.folder, 'tests.json');
  await writeFile(file, JSON.stringify({ rule_files: rules, evaluation_interval: every, tests }));
  const { stdout, stderr } = await run(promtool, ['test', 'rules', file]).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  return stdout + stderr;
}

/** What takes hours is looked at every five minutes, which is quite enough. */
const takesHours = ({ fires }: Case): boolean => fires.at.includes('h');

test.each([
  ['in minutes', CASES.filter((one) => !takesHours(one)), EVERY],
  ['in hours', CASES.filter(takesHours), '5m'],
])(
  'each alert, %s, is the one release’s whose figures they are, and the other that is well silences none',
  async (_, cases, every) => {
    expect(cases).not.toEqual([]);
    const tests = cases.flatMap((one) => [testOf(one, OURS, THEIRS), testOf(one, THEIRS, OURS)]);
    expect(await judged(ruleFiles, tests, every)).toMatch(/SUCCESS\s*$/);
  },
  240_000,
);

test('a Prometheus that labels them in another way is told how', async () => {
  const matchers = 'cluster="north",app="orders"';
  const file = await rulesOf('elsewhere', { matchers });
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
  expect(await judged([file], tests)).toMatch(/SUCCESS\s*$/);
}, 60_000);

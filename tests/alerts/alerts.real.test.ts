/**
 * Prometheus itself judges the alerts: each fires when it is to, with its sentence, and is quiet when it is to be.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { findPrometheus } from '../world/prometheus.ts';
import type { Case } from './case.ts';
import { CASES } from './cases.ts';
import { alertsIn, recordsIn, RULES_FILE, type Alert } from './rules.ts';

const run = promisify(execFile);
const EVERY = '30s';

let group: ProcessGroup;
let promtool: string;

beforeAll(async () => {
  group = await openProcessGroup();
  ({ promtool } = await findPrometheus(group));
}, 120_000);
afterAll(() => group.close());

const alerts = new Map(alertsIn(RULES_FILE).map((rule) => [rule.alert, rule]));

function firing({ labels, annotations }: Alert, { fires }: Case): object {
  const { summary, command } = fires;
  return {
    exp_labels: { severity: labels.severity, ...fires.labels },
    exp_annotations: { ...annotations, summary, ...(command !== undefined && { command }) },
  };
}

function testsOf(one: Case): readonly object[] {
  const rule = alerts.get(one.alert);
  if (rule === undefined) throw new Error(`there is no alert ${one.alert}`);
  const given = (series: Readonly<Record<string, string>>, at: string, alerts: readonly object[]) => ({
    interval: EVERY,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: at, alertname: one.alert, exp_alerts: alerts }],
  });
  return [
    given(one.fires.series, one.fires.at, [firing(rule, one)]),
    ...one.quiet.map(({ series, at }) => given(series, at, [])),
  ];
}

test('every alert is tried, both ways', () => {
  expect(CASES.map(({ alert }) => alert).toSorted()).toEqual([...alerts.keys()].toSorted());
  expect(CASES.filter(({ quiet }) => quiet.length === 0)).toEqual([]);
});

/** A rule file of this alert and of what is computed for it: with all the others beside it, most of the time would be theirs. */
async function rulesOf(one: Case): Promise<string> {
  const rule = alerts.get(one.alert);
  const records = recordsIn(RULES_FILE).filter(({ record }) => rule?.expr.includes(record) === true);
  const file = join(group.folder, `${one.alert}.rules.json`);
  await writeFile(file, JSON.stringify({ groups: [{ name: one.alert, rules: [...records, rule] }] }));
  return file;
}

test('each fires when it is to, with its sentence, and is quiet when it is to be', async () => {
  const files = await Promise.all(
    CASES.map(async (one) => {
      const file = join(group.folder, `${one.alert}.json`);
      const rules = { rule_files: [await rulesOf(one)], evaluation_interval: EVERY };
      await writeFile(file, JSON.stringify({ ...rules, tests: testsOf(one) }));
      return file;
    }),
  );
  const { stdout, stderr } = await run(promtool, ['test', 'rules', ...files]).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  expect(stdout + stderr).not.toContain('FAILED');
  expect(stdout.match(/SUCCESS/g)).toHaveLength(files.length);
}, 120_000);

test('promtool has nothing to say against the file', async () => {
  expect((await run(promtool, ['check', 'rules', RULES_FILE])).stdout).toMatch(/SUCCESS: \d+ rules found/);
});

/** The alerting rules name metrics that there are, and every alert stands in the page that says what to do about it. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupedBy, selectorsOf } from '../../dashboards/promql.ts';
import { servedSeries } from '../../dashboards/reference.ts';
import { alertsIn, recordsIn, RULES_FILE } from './rules.ts';

const ROOT = join(import.meta.dirname, '../..');
const rules = alertsIn(RULES_FILE);
const records = recordsIn(RULES_FILE);
const page = readFileSync(join(ROOT, 'docs/operating/alerts.md'), 'utf8');
const served = servedSeries();
const recorded = new Set(records.map(({ record }) => record));

describe('the alerting rules', () => {
  test.each([...rules.map(({ alert, expr }) => [alert, expr]), ...records.map(({ record, expr }) => [record, expr])])(
    '%s takes metrics and labels that a process serves',
    (_, expr = '') => {
      const selectors = selectorsOf(expr);
      expect(selectors.length).toBeGreaterThan(0);
      expect(selectors.filter(({ metric }) => !served.has(metric) && !recorded.has(metric))).toEqual([]);
      const has = new Set(selectors.flatMap(({ metric }) => served.get(metric)?.labels ?? []));
      const named = [...groupedBy(expr), ...selectors.flatMap(({ matchers }) => matchers.map(({ label }) => label))];
      expect(named.filter((label) => !has.has(label))).toEqual([]);
    },
  );

  test('are those of the page, which knows no others', () => {
    const inPage = [...page.matchAll(/\bOrdertx\w+/g)].map(([name]) => name);
    expect([...new Set(inPage)].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  test('have a severity that the page explains, a time, a sentence, and what it means', () => {
    for (const { alert, for: lasting, labels, annotations } of rules) {
      expect([alert, page.includes(`| ${labels.severity} |`)]).toEqual([alert, true]);
      expect([alert, lasting]).toEqual([alert, expect.stringMatching(/^\d+[smh]$/)]);
      expect([alert, (annotations.summary?.length ?? 0) > 10]).toEqual([alert, true]);
      expect([alert, (annotations.description?.length ?? 0) > 40]).toEqual([alert, true]);
      // Its words are the same for every firing: tools that group alerts by them do.
      expect([alert, annotations.description]).toEqual([alert, expect.not.stringContaining('{{')]);
    }
  });

  test('lead to a page of docs/operating that is there', () => {
    const urls = rules.map(({ annotations }) => annotations.runbook_url ?? '');
    expect(urls.filter((url) => !/^docs\/operating\/[\w-]+[.]md$/.test(url) || !existsSync(join(ROOT, url)))).toEqual(
      [],
    );
  });

  test('end in a comparison with their threshold, so that the chart can put another one there', () => {
    expect(rules.filter(({ expr }) => !/ (>|<|==) [\d.]+$/.test(expr.trim())).map(({ alert }) => alert)).toEqual([]);
  });
});

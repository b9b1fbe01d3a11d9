/** The alerting rules name metrics that there are, and every alert stands in the page that says what to do about it. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DOCS = join(import.meta.dirname, '../../docs');
const read = (path: string): string => readFileSync(join(DOCS, path), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly command?: string };
}

const rules = (parse(read('operating/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules: inGroup }) => inGroup,
);
const page = read('operating/alerts.md');
const documented = new Set([...read('reference/metrics.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name));

describe('the alerting rules', () => {
  test.each(rules.map(({ alert, expr }) => [alert, expr] as const))(
    '%s takes metrics that a process serves',
    (_, expr) => {
      const named = [...expr.matchAll(/\b(ordertx_\w+|leader_election_\w+)/g)].map(([name]) => name);
      expect(named.length).toBeGreaterThan(0);
      expect(named.filter((name) => !documented.has(name))).toEqual([]);
    },
  );

  test('are those of the page, which knows no others', () => {
    const inPage = [...page.matchAll(/\bOrdertx\w+/g)].map(([name]) => name);
    expect([...new Set(inPage)].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  test('have a severity that the page explains, and a sentence', () => {
    for (const { alert, labels, annotations } of rules) {
      expect([alert, page.includes(`| ${labels.severity} |`)]).toEqual([alert, true]);
      expect([alert, annotations.summary.length > 10]).toEqual([alert, true]);
    }
  });
});

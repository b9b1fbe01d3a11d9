/**
 * The metrics that there are, with their labels, out of docs/reference/metrics.md, which is generated from the code that serves them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Metric {
  readonly type: string;
  readonly labels: readonly string[];
}

const PAGE = join(import.meta.dirname, '..', 'docs/reference/metrics.md');
const ROW = /^\| `(?<name>\w+)` \| (?<type>\w+) \| (?<labels>[^|]*) \|/gm;
/** What a scrape gives every series; the kit gives `service` to those of services. */
const EVERYWHERE = ['job', 'instance', 'service'];

/** The series that a scrape has of every metric, by name: those of a histogram are three. */
export function servedSeries(): ReadonlyMap<string, Metric> {
  const served = new Map<string, Metric>();
  for (const { groups } of readFileSync(PAGE, 'utf8').matchAll(ROW)) {
    const { name = '', type = '', labels = '' } = groups ?? {};
    const own = [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
    const before = served.get(name)?.labels ?? [];
    const all = [...new Set([...before, ...EVERYWHERE, ...own])];
    if (type !== 'histogram') served.set(name, { type, labels: all });
    else {
      served.set(`${name}_bucket`, { type: 'counter', labels: [...all, 'le'] });
      for (const suffix of ['_sum', '_count']) served.set(`${name}${suffix}`, { type: 'counter', labels: all });
    }
  }
  return served;
}

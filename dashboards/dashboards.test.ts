/**
 * Dashboards name metrics and labels that there are, and keep the rules of Grafana's dashboard-linter.
 *
 * Those rules stand here by their names there: the linter itself is not to be had from every module proxy (ADR 49).
 */
import { describe, expect, test } from '@jest/globals';
import { BOARDS, renderDashboards } from './all.ts';
import { groupedBy, selectorsOf, withRateInterval, type Selector } from './promql.ts';
import { panelsOf, provisionedDashboards, type Dashboard, type Panel, type Variable } from './provisioned.ts';
import { servedSeries } from './reference.ts';

const dashboards = provisionedDashboards();
const panels = panelsOf(dashboards);
const served = servedSeries();

interface Asked {
  readonly where: string;
  readonly expr: string;
  readonly selectors: readonly Selector[];
}

const asked: readonly Asked[] = panels.flatMap(({ dashboard, panel }) =>
  (panel.targets ?? []).flatMap(({ expr, refId }) => {
    if (expr === undefined) return [];
    const where = `${dashboard.uid}: ${panel.title} ${refId}`;
    return [{ where, expr, selectors: selectorsOf(withRateInterval(expr)) }];
  }),
);

/** Those whose complaint is not undefined, each with it. */
function complaints<T>(all: readonly T[], name: (of: T) => string, complaint: (of: T) => string | undefined): string[] {
  return all.flatMap((one) => {
    const said = complaint(one);
    return said === undefined ? [] : [`${name(one)}: ${said}`];
  });
}

const ofPanel = ({ dashboard, panel }: { dashboard: Dashboard; panel: Panel }) => `${dashboard.uid}: ${panel.title}`;
const inPanels = (complaint: (panel: Panel) => string | undefined) =>
  complaints(panels, ofPanel, ({ panel }) => complaint(panel));
const inQueries = (complaint: (query: Asked) => string | undefined) =>
  complaints(asked, ({ where }) => where, complaint);

describe('every query', () => {
  test('takes metrics that a process serves', () => {
    expect(asked.length).toBeGreaterThan(60);
    const unknown = (query: Asked) => query.selectors.map(({ metric }) => metric).filter((name) => !served.has(name));
    expect(inQueries((query) => unknown(query)[0])).toEqual([]);
  });

  test('chooses and groups by labels that its metrics have', () => {
    expect(
      inQueries(({ expr, selectors }) => {
        const has = new Set(selectors.flatMap(({ metric }) => served.get(metric)?.labels ?? []));
        const named = [
          ...groupedBy(withRateInterval(expr)),
          ...selectors.flatMap(({ matchers }) => matchers.map(({ label }) => label)),
        ];
        return named.find((label) => !has.has(label));
      }),
    ).toEqual([]);
  });

  test('names in its legend labels that are left of it', () => {
    const unknown = panels.flatMap(({ dashboard, panel }) =>
      (panel.targets ?? []).flatMap(({ expr = '', legendFormat = '' }) => {
        const left = groupedBy(withRateInterval(expr));
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        return named
          .filter((label) => !left.includes(label))
          .map((label) => `${ofPanel({ dashboard, panel })}: ${label}`);
      }),
    );
    expect(unknown).toEqual([]);
  });

  test('adds up rates of counters, and takes no rate of a gauge', () => {
    expect(
      inQueries(({ selectors }) => {
        const wrong = selectors.find(({ metric, within = '' }) => {
          const isRate = ['rate', 'irate', 'increase'].includes(within);
          return isRate !== (served.get(metric)?.type === 'counter');
        });
        return wrong && `${wrong.metric} within ${wrong.within ?? 'nothing'}`;
      }),
    ).toEqual([]);
  });
});

describe('the linter’s rules', () => {
  const ofPrometheus = dashboards.filter(({ templating }) => templating.list[0]?.query === 'prometheus');
  const variable = (dashboard: Dashboard, name: string): Variable | undefined =>
    dashboard.templating.list.find((one) => one.name === name);
  const inDashboards = (of: readonly Dashboard[], complaint: (dashboard: Dashboard) => string | undefined) =>
    complaints(of, ({ uid }) => uid, complaint);

  test('template-datasource-rule', () => {
    expect(
      inDashboards(dashboards, (dashboard) => {
        const { type, label } = variable(dashboard, 'datasource') ?? {};
        return type === 'datasource' && label === 'Data source' ? undefined : `${type} ${label}`;
      }),
    ).toEqual([]);
  });

  test.each([
    ['job', 'Job'],
    ['instance', 'Instance'],
  ])('template-%s-rule', (name, title) => {
    expect(ofPrometheus.length).toBeGreaterThan(4);
    expect(
      inDashboards(ofPrometheus, (dashboard) => {
        const { type, label, multi, allValue, datasource } = variable(dashboard, name) ?? {};
        const isRight = type === 'query' && label === title && multi === true && allValue === '.+';
        return isRight && datasource?.uid === '${datasource}' ? undefined : name;
      }),
    ).toEqual([]);
  });

  test('template-label-promql-rule, template-on-time-change-reload-rule', () => {
    const asks = (query: unknown): boolean => {
      const [, expr = ''] = /^label_values\((.+), \w+\)$/.exec(String(query)) ?? [];
      return selectorsOf(expr).length === 1;
    };
    const wrong = dashboards.flatMap(({ uid, templating }) =>
      templating.list
        .filter(({ type, query, refresh }) => type === 'query' && !(refresh === 2 && asks(query)))
        .map(({ name }) => `${uid}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('panel-datasource-rule, panel-no-targets-rule', () => {
    expect(
      inPanels(({ datasource, targets = [] }) => {
        if (targets.length === 0) return 'asks nothing';
        const uids = [datasource, ...targets.map((target) => target.datasource)].map((source) => source?.uid);
        return uids.find((uid) => uid !== '${datasource}') ?? undefined;
      }),
    ).toEqual([]);
  });

  test('panel-title-description-rule: with a sentence', () => {
    expect(
      inPanels(({ title, description = '' }) => (title && description.length > 20 ? undefined : description)),
    ).toEqual([]);
  });

  test('panel-units-rule', () => {
    const known = ['short', 's', 'ops', 'reqps', 'bytes', 'percentunit', 'string', 'dateTimeAsIso'];
    const unitsOf = ({ fieldConfig }: Panel): readonly unknown[] => [
      fieldConfig?.defaults.unit,
      ...(fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
        properties.filter(({ id }) => id === 'unit').map(({ value }) => value),
      ),
    ];
    expect(
      inPanels((panel) => (unitsOf(panel).every((unit) => known.includes(String(unit))) ? undefined : 'unit')),
    ).toEqual([]);
  });

  test('target-job-rule, target-instance-rule', () => {
    const chosen = ({ matchers }: Selector): boolean =>
      ['job', 'instance'].every((name) =>
        matchers.some(({ label, operator, value }) => label === name && operator === '=~' && value === `$${name}`),
      );
    expect(inQueries(({ selectors }) => (selectors.every(chosen) ? undefined : 'job and instance'))).toEqual([]);
  });

  test('target-rate-interval-rule, target-counter-agg-rule', () => {
    expect(inQueries(({ expr }) => /\[(?!\$__rate_interval\])/.exec(expr)?.[0])).toEqual([]);
  });

  test('uneditable-dashboard', () => {
    expect(inDashboards(dashboards, ({ editable }) => (editable ? 'is editable' : undefined))).toEqual([]);
  });
});

describe('a dashboard', () => {
  test('has its uid for a name, and panels with numbers of their own that do not overlap', () => {
    expect(dashboards.map(({ uid }) => uid)).toEqual(BOARDS.map(({ uid }) => uid).toSorted());
    for (const { panels: own } of dashboards) {
      expect(new Set(own.map(({ id }) => id)).size).toBe(own.length);
      const cells = own.flatMap(({ gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
      );
      expect(new Set(cells).size).toBe(cells.length);
      expect(Math.max(...own.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
    }
  });

  test('is classic, and leads to the others with the time and what was chosen', () => {
    for (const { schemaVersion, links, tags, panels: own } of dashboards) {
      expect(schemaVersion).toBeLessThanOrEqual(41);
      expect(Array.isArray(own)).toBe(true);
      expect(links).toEqual([expect.objectContaining({ keepTime: true, includeVars: true, tags })]);
    }
  });

  test('is rendered alike as often as it is', () => {
    expect(renderDashboards()).toEqual(renderDashboards());
  });
});

test('what is no PromQL is named, with the place', () => {
  expect(() => selectorsOf('sum(rate(up[5m])')).toThrow(/no PromQL at character/);
  expect(selectorsOf('rate(up{job="a"}[5m])')).toEqual([
    { metric: 'up', matchers: [{ label: 'job', operator: '=', value: 'a' }], range: '5m', within: 'rate' },
  ]);
});

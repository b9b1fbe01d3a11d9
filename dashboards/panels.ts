/**
 * Panels as the boards here use them: lines over time, one number, a table of what is there now, a table out of a database.
 *
 * Every panel says in its description what is normal and what to do when it is not; its unit is one that Grafana knows. Queries choose the
 * processes by the board's variables `job` and `instance`, which `of` puts in.
 */
import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export type Panel = cog.Builder<dashboard.Panel>;

/** Of Grafana's value formats, those used here. */
type Unit = 'short' | 's' | 'ops' | 'reqps' | 'bytes' | 'percentunit' | 'string' | 'dateTimeAsIso';

interface Said {
  readonly title: string;
  /** What is normal, and what it means when it is not. */
  readonly description: string;
  readonly unit: Unit;
  /** Of the board's 24 columns. */
  readonly width?: number;
}

export interface Query {
  readonly expr: string;
  /** With `{{label}}`s. */
  readonly legend: string;
  /** Whether dots on the panel lead to traces of single transactions. */
  readonly exemplars?: true;
}

const HEIGHT = { lines: 8, number: 4, table: 8 };
const GRID_COLUMNS = 24;
const DATASOURCE = '${datasource}';
const ARCHIVES_TYPE = 'grafana-postgresql-datasource';

/** A metric's series of the processes that the board shows, with further matchers: `result="removed"`. */
export function of(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(', ')}}`;
}

export function perSecond(metric: string, ...matchers: readonly string[]): string {
  return `rate(${of(metric, ...matchers)}[$__rate_interval])`;
}

/** Of a histogram, by labels; over all replicas, because buckets can be added up. */
export function quantile(q: number, histogram: string, by: readonly string[], ...matchers: readonly string[]): string {
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${perSecond(`${histogram}_bucket`, ...matchers)}))`;
}

function target({ expr, legend, exemplars }: Query, index: number): prometheus.DataqueryBuilder {
  const query = new prometheus.DataqueryBuilder()
    .datasource({ type: 'prometheus', uid: DATASOURCE })
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .expr(expr)
    .legendFormat(legend);
  return exemplars === true ? query.exemplar(true) : query;
}

export interface Lines extends Said {
  readonly queries: readonly Query[];
  /** Whether the lines stand on one another, so that the upper edge is their sum. */
  readonly stacked?: true;
}

export function lines({ title, description, unit, width = 12, queries, stacked }: Lines): Panel {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource({ type: 'prometheus', uid: DATASOURCE })
    .unit(unit)
    .min(0)
    .span(width)
    .height(HEIGHT.lines)
    .fillOpacity(stacked === true ? 30 : 8)
    .lineWidth(1)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    );
  if (stacked === true) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  return panel.targets(queries.map((query, index) => range(query, index)));
}

function range(query: Query, index: number): prometheus.DataqueryBuilder {
  return target(query, index).range();
}

export interface OneNumber extends Said {
  readonly expr: string;
  /** From here on it is shown red. */
  readonly badFrom?: number;
  /** What stands there while there is no series, and that is normal. */
  readonly none?: string;
}

export function oneNumber({ title, description, unit, width = 4, expr, badFrom, none }: OneNumber): Panel {
  const bad = badFrom === undefined ? [] : [{ color: 'red', value: badFrom }];
  const panel = new stat.PanelBuilder()
    .title(title)
    .description(description)
    .datasource({ type: 'prometheus', uid: DATASOURCE })
    .unit(unit)
    .span(width)
    .height(HEIGHT.number)
    .graphMode(common.BigValueGraphMode.Area)
    .colorMode(common.BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false).fields(''))
    .thresholds(
      new dashboard.ThresholdsConfigBuilder()
        .mode(dashboard.ThresholdsMode.Absolute)
        .steps([{ color: 'green', value: null }, ...bad]),
    )
    .withTarget(range({ expr, legend: title }, 0));
  return none === undefined ? panel : panel.noValue(none);
}

export interface Now extends Said {
  /** Columns of numbers, by their heading; each is joined to the others by the labels they share. */
  readonly columns: Readonly<Record<string, { readonly expr: string; readonly unit: Unit }>>;
  /** Labels shown, in this order. */
  readonly labels: readonly string[];
}

/** What is there at the end of the range, a row for each set of labels. */
export function now({ title, description, unit, width = GRID_COLUMNS, columns, labels }: Now): Panel {
  const named = Object.entries(columns);
  const headings = named.map(([heading], index) => [`Value #${refIdOf(index)}`, heading] as const);
  // A single query's value column carries no letter.
  const only = named.length === 1 ? ([['Value', named[0]?.[0] ?? '']] as const) : [];
  const order = [...labels, ...headings.map(([column]) => column), ...only.map(([column]) => column)];
  const panel = new table.PanelBuilder()
    .title(title)
    .description(description)
    .datasource({ type: 'prometheus', uid: DATASOURCE })
    .unit(unit)
    .span(width)
    .height(HEIGHT.table)
    .noValue('none')
    .targets(
      named.map(([heading, { expr }], index) =>
        target({ expr, legend: heading }, index).instant().format(prometheus.PromQueryFormat.Table),
      ),
    )
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(order.map((column, index) => [column, index])),
        renameByName: Object.fromEntries([...headings, ...only]),
      },
    });
  for (const [heading, { unit: own }] of named) panel.overrideByName(heading, [{ id: 'unit', value: own }]);
  return panel;
}

function refIdOf(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

/** What the Postgres data source is asked; the SDK has no builder for it. */
interface SqlQuery extends cog.Dataquery {
  readonly refId: string;
  readonly rawSql: string;
  readonly rawQuery: true;
  readonly editorMode: 'code';
  readonly format: 'table' | 'time_series';
  readonly datasource: { readonly type: string; readonly uid: string };
}

export interface Rows extends Said {
  readonly sql: string;
  /** Units of single columns, by their name. */
  readonly units?: Readonly<Record<string, Unit>>;
  readonly height?: number;
  /** Where a click on a column's value leads: a path in Grafana, with variables. */
  readonly links?: Readonly<Record<string, { readonly title: string; readonly url: string }>>;
}

function sqlTarget(rawSql: string, format: SqlQuery['format']): cog.Builder<SqlQuery> {
  return {
    build: () => ({
      refId: 'A',
      rawSql,
      rawQuery: true,
      editorMode: 'code',
      format,
      datasource: { type: ARCHIVES_TYPE, uid: DATASOURCE },
      // A mark of the SDK's types that is never there at run time.
      _implementsDataqueryVariant: undefined as never,
    }),
  };
}

/** What a database answers, as a table. */
export function rows(said: Rows): Panel {
  const { title, description, unit, width = GRID_COLUMNS, sql, units = {}, height = HEIGHT.table, links = {} } = said;
  const panel = new table.PanelBuilder()
    .title(title)
    .description(description)
    .datasource({ type: ARCHIVES_TYPE, uid: DATASOURCE })
    .unit(unit)
    .span(width)
    .height(height)
    .noValue('none')
    .withTarget(sqlTarget(sql, 'table'));
  for (const [column, value] of Object.entries(units)) panel.overrideByName(column, [{ id: 'unit', value }]);
  for (const [column, link] of Object.entries(links))
    panel.overrideByName(column, [{ id: 'links', value: [{ ...link, targetBlank: false }] }]);
  return panel;
}

/** What a database answers, as bars over time: a column `time`, one of a name, one of a value. */
export function bars({ title, description, unit, width = GRID_COLUMNS, sql }: Rows): Panel {
  return new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource({ type: ARCHIVES_TYPE, uid: DATASOURCE })
    .unit(unit)
    .min(0)
    .span(width)
    .height(HEIGHT.lines)
    .drawStyle(common.GraphDrawStyle.Bars)
    .fillOpacity(60)
    .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
    .withTarget(sqlTarget(sql, 'time_series'));
}

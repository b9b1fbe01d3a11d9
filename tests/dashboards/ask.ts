/**
 * What a dashboard's panels show, asked of Prometheus and of the archive as Grafana would ask, with its variables put in.
 */
import { Client } from 'pg';
import { panelsOf, type Dashboard, type Panel, type Target } from '../../dashboards/provisioned.ts';
import { withRateInterval } from '../../dashboards/promql.ts';

/** One query of one panel. */
export interface Asked {
  readonly dashboard: Dashboard;
  readonly panel: Panel;
  readonly target: Target;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since 1970, and a value that is a number. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

export type Shown =
  | { readonly kind: 'series'; readonly series: readonly Series[] }
  | { readonly kind: 'rows'; readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Sources {
  readonly prometheusUrl: string;
  readonly archiveUrl: string;
  /** What is put into the board's text fields. */
  readonly namespace: string;
  readonly search: string;
}

/** Four scrapes, as Grafana's $__rate_interval is at least. */
const RATE_INTERVAL = '16s';
const STEP_SECONDS = 5;
const ASK_MS = 20_000;

export function everyQuery(dashboards: readonly Dashboard[]): readonly Asked[] {
  return panelsOf(dashboards).flatMap(({ dashboard, panel }) =>
    (panel.targets ?? []).map((target) => ({ dashboard, panel, target })),
  );
}

export function nameOf({ dashboard, panel, target }: Asked): string {
  return `${dashboard.title}, ${panel.title}, ${target.refId}`;
}

/** Rejects where the query itself is refused. */
export async function ask({ target }: Pick<Asked, 'target'>, range: TimeRange, sources: Sources): Promise<Shown> {
  const { expr, rawSql, instant } = target;
  if (expr !== undefined) return askPrometheus(expr, instant === true, range, sources);
  if (rawSql === undefined) throw new Error('the query has neither PromQL nor SQL');
  return askArchive(rawSql, range, sources);
}

export function isEmpty(shown: Shown): boolean {
  return shown.kind === 'rows' ? shown.rows.length === 0 : shown.series.length === 0;
}

async function askPrometheus(expr: string, instant: boolean, range: TimeRange, sources: Sources): Promise<Shown> {
  const query = withRateInterval(expr, RATE_INTERVAL).replaceAll(/"\$(job|instance)"/g, '".+"');
  const [start, end] = [String(range.fromMs / 1000), String(range.toMs / 1000)];
  const at: Record<string, string> = instant ? { time: end } : { start, end, step: String(STEP_SECONDS) };
  const parameters = new URLSearchParams({ query, ...at });
  const url = `${sources.prometheusUrl}/api/v1/${instant ? 'query' : 'query_range'}?${parameters.toString()}`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
  if (!answer.ok) throw new Error(`Prometheus refuses ${query}: ${await answer.text()}`);
  const { data } = (await answer.json()) as {
    readonly data: {
      readonly result: readonly { metric: Record<string, string>; value?: Raw; values?: readonly Raw[] }[];
    };
  };
  const series = data.result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
    labels: metric,
    points: values.map(([at, text]) => [at, Number(text)] as const).filter(([, number]) => Number.isFinite(number)),
  }));
  return { kind: 'series', series: series.filter(({ points }) => points.length > 0) };
}

type Raw = readonly [at: number, value: string];

async function askArchive(rawSql: string, range: TimeRange, sources: Sources): Promise<Shown> {
  const client = new Client({ connectionString: sources.archiveUrl });
  await client.connect();
  try {
    const { fields, rows } = await client.query<unknown[]>({
      text: expanded(rawSql, range, sources),
      rowMode: 'array',
    });
    const columns = fields.map(({ name }) => name);
    return { kind: 'rows', columns, rows: rows.map((row) => row.map(inWords)) };
  } finally {
    await client.end();
  }
}

function inWords(value: unknown): string {
  if (value instanceof Date) return value.toISOString().replace(/[.]\d+Z$/, 'Z');
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** As Grafana's Postgres data source does with its macros and with variables of the format sqlstring. */
function expanded(rawSql: string, { fromMs, toMs }: TimeRange, { namespace, search }: Sources): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  const at = (ms: number): string => quoted(new Date(ms).toISOString());
  return rawSql
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 between ${at(fromMs)} and ${at(toMs)}`)
    .replaceAll(/\$__timeGroupAlias\((\w+), \$__interval\)/g, 'floor(extract(epoch from $1) / 60) * 60 as "time"')
    .replaceAll('${namespace:sqlstring}', quoted(namespace))
    .replaceAll('${search:sqlstring}', quoted(search));
}

/**
 * What a dashboard shows, drawn as an SVG: panels where Grafana puts them, with their titles, units and data. A likeness, not Grafana.
 */
import type { Dashboard, Panel, Target } from '../../dashboards/provisioned.ts';
import type { Series, Shown, TimeRange } from './ask.ts';

const COLUMN = 50;
const ROW = 32;
const GAP = 4;
const HEAD = 40;
const COLOURS = ['#3871dc', '#37872d', '#e0752d', '#8f3bb8', '#c4162a', '#0a7c7c', '#b7950b', '#6d4c41'];
const BAD = '#c4162a';
const GOOD = '#37872d';
/** Of a panel's series, the highest: more cannot be told apart, and the file is to stay small. */
const SERIES_MAX = 8;
const LEGEND_MAX = 6;
const POINTS_MAX = 60;
const TEXT_WIDTH = 5.6;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function text(x: number, y: number, words: string, attributes = ''): string {
  return `<text x="${x.toFixed(0)}" y="${y.toFixed(0)}" ${attributes}>${escaped(words)}</text>`;
}

const cut = (words: string, width: number): string => {
  const letters = Math.max(1, Math.floor(width / TEXT_WIDTH));
  return words.length <= letters ? words : `${words.slice(0, letters - 1)}…`;
};

/** With its unit, as short as it can be. */
export function inUnit(value: number, unit = 'short'): string {
  const short = (number: number): string => String(Number(number.toPrecision(3)));
  switch (unit) {
    case 's':
      if (value === 0) return '0 s';
      if (Math.abs(value) < 1) return `${short(value * 1000)} ms`;
      return Math.abs(value) < 120 ? `${short(value)} s` : `${short(value / 60)} min`;
    case 'bytes':
      return `${short(value / 1024 ** 2)} MiB`;
    case 'ops':
      return `${short(value)} ops/s`;
    case 'reqps':
      return `${short(value)} req/s`;
    default:
      return short(value);
  }
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A series with the name that its legend gives it. */
interface Named extends Series {
  readonly name: string;
}

export function pictureOf(dashboard: Dashboard, range: TimeRange, shown: ReadonlyMap<Target, Shown>): string {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const [width, height] = [24 * COLUMN, HEAD + bottom * ROW];
  const parts = dashboard.panels.map((panel) => drawn(panel, boxOf(panel), range, shown));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#24292e">
<rect width="${width}" height="${height}" fill="#f4f5f5"/>
${text(8, 26, dashboard.title, 'font-size="18" font-weight="bold"')}
${parts.join('\n')}
</svg>
`;
}

function boxOf({ gridPos: { x, y, w, h } }: Panel): Box {
  return { x: x * COLUMN + GAP / 2, y: HEAD + y * ROW, width: w * COLUMN - GAP, height: h * ROW - GAP };
}

function drawn(panel: Panel, box: Box, range: TimeRange, shown: ReadonlyMap<Target, Shown>): string {
  if (panel.type === 'row') return text(box.x + 6, box.y + 20, panel.title, 'font-size="14" font-weight="bold"');
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" fill="#fff" stroke="#d8d9da"/>`;
  const title = text(box.x + 8, box.y + 17, cut(panel.title, box.width), 'font-weight="bold"');
  return [frame, title, contentOf(panel, box, range, shown)].join('\n');
}

function contentOf(panel: Panel, box: Box, range: TimeRange, shown: ReadonlyMap<Target, Shown>): string {
  const answers = (panel.targets ?? []).map((target) => ({ target, shown: shown.get(target) }));
  const series = answers.flatMap(({ target, shown: answer }) =>
    answer?.kind === 'series' ? answer.series.map((one) => ({ ...one, name: legendOf(target, one) })) : [],
  );
  const [first] = answers;
  if (first?.shown?.kind === 'rows') {
    const { columns, rows } = first.shown;
    return panel.type === 'timeseries' ? bars(seriesOf(rows), box) : tableOf(columns, rows, box);
  }
  if (panel.type === 'table')
    return tableOfSeries(
      panel,
      answers.map(({ shown: answer }) => answer),
      box,
    );
  if (panel.type === 'stat') return numberOf(panel, series, box);
  return linesOf(panel, series, box, range);
}

function legendOf({ legendFormat = '' }: Target, { labels }: Series): string {
  return legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '').trim();
}

const highest = ({ points }: Series): number => Math.max(...points.map(([, value]) => value));

function linesOf(panel: Panel, all: readonly Named[], box: Box, range: TimeRange): string {
  const series = all.toSorted((a, b) => highest(b) - highest(a)).slice(0, SERIES_MAX);
  if (series.length === 0) return nothing(box);
  const unit = panel.fieldConfig?.defaults.unit;
  const top = Math.max(...series.map(highest), 0) || 1;
  const plot = { x: box.x + 62, y: box.y + 28, width: box.width - 74, height: box.height - 62 };
  const xOf = (at: number): number => plot.x + ((at * 1000 - range.fromMs) / (range.toMs - range.fromMs)) * plot.width;
  const yOf = (value: number): number => plot.y + plot.height * (1 - Math.max(0, value) / top);
  const grid = [0, 0.5, 1].map((share) => {
    const y = yOf(top * share);
    const line = `<path d="M${plot.x} ${y.toFixed(1)}h${plot.width}" stroke="#e9e9ea"/>`;
    return line + text(plot.x - 6, y + 4, inUnit(top * share, unit), 'text-anchor="end" fill="#6a7078" font-size="10"');
  });
  const paths = series.map(({ points }, index) => {
    const every = Math.max(1, Math.ceil(points.length / POINTS_MAX));
    const kept = points.filter((_, position) => position % every === 0 || position === points.length - 1);
    const path = kept.map(([at, value], position) => {
      const isAfterGap = position > 0 && at - (kept[position - 1]?.[0] ?? at) > 10 * every;
      return `${position === 0 || isAfterGap ? 'M' : 'L'}${xOf(at).toFixed(0)} ${yOf(value).toFixed(1)}`;
    });
    return `<path d="${path.join('')}" fill="none" stroke="${colour(index)}" stroke-width="1.5"/>`;
  });
  return [
    ...grid,
    ...paths,
    legend(
      series.map(({ name }) => name),
      all.length,
      box,
    ),
  ].join('\n');
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '';
}

function legend(names: readonly string[], all: number, box: Box): string {
  const shown = names.slice(0, LEGEND_MAX);
  const width = (box.width - 16) / Math.min(shown.length, 3);
  const items = shown.map((name, index) => {
    const [x, y] = [box.x + 8 + (index % 3) * width, box.y + box.height - 20 + Math.floor(index / 3) * 13];
    const more = index === LEGEND_MAX - 1 && all > LEGEND_MAX ? ` (and ${all - LEGEND_MAX} more)` : '';
    const dash = `<path d="M${x.toFixed(0)} ${(y - 4).toFixed(0)}h10" stroke="${colour(index)}" stroke-width="3"/>`;
    return dash + text(x + 14, y, cut(name + more, width - 20), 'font-size="10" fill="#6a7078"');
  });
  return items.join('');
}

function numberOf(panel: Panel, series: readonly Named[], box: Box): string {
  const last = series[0]?.points.at(-1)?.[1];
  if (last === undefined) return nothing(box);
  const { defaults } = panel.fieldConfig as {
    defaults: { unit?: string; thresholds?: { steps: { value: number | null }[] } };
  };
  const bad = defaults.thresholds?.steps.at(-1)?.value ?? undefined;
  const fill = bad !== undefined && last >= bad ? BAD : GOOD;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2 + 18];
  return text(x, y, inUnit(last, defaults.unit), `text-anchor="middle" font-size="30" fill="${fill}"`);
}

function nothing({ x, y, width, height }: Box): string {
  return text(x + width / 2, y + height / 2 + 8, 'none', 'text-anchor="middle" fill="#6a7078"');
}

/** Columns are the panel's overrides, in the order of its queries; rows are joined by their labels. */
function tableOfSeries({ fieldConfig }: Panel, answers: readonly (Shown | undefined)[], box: Box): string {
  const overrides = (fieldConfig?.overrides ?? []) as readonly {
    matcher?: { options?: unknown };
    properties: readonly { id: string; value: unknown }[];
  }[];
  const headings = overrides.map(({ matcher }) => String(matcher?.options));
  const units = overrides.map(({ properties }) => String(properties.find(({ id }) => id === 'unit')?.value));
  const joined = new Map<string, { readonly labels: Series['labels']; readonly values: string[] }>();
  answers.forEach((answer, column) => {
    for (const { labels, points } of answer?.kind === 'series' ? answer.series : []) {
      const key = JSON.stringify(Object.entries(labels).toSorted());
      const row = joined.get(key) ?? { labels, values: answers.map(() => '') };
      row.values[column] = inUnit(points.at(-1)?.[1] ?? 0, units[column]);
      joined.set(key, row);
    }
  });
  const names = [...new Set([...joined.values()].flatMap(({ labels }) => Object.keys(labels)))].toSorted();
  const rows = [...joined.values()].map(({ labels, values }) => [
    ...names.map((name) => labels[name] ?? ''),
    ...values,
  ]);
  return tableOf([...names, ...headings], rows, box);
}

function tableOf(columns: readonly string[], rows: readonly (readonly string[])[], box: Box): string {
  if (rows.length === 0) return nothing(box);
  const lengths = columns.map((name, index) =>
    Math.min(60, Math.max(name.length, ...rows.map((row) => row[index]?.length ?? 0), 4)),
  );
  const sum = lengths.reduce((total, length) => total + length, 0);
  const width = box.width - 16;
  const starts = lengths.map((_, index) => lengths.slice(0, index).reduce((total, length) => total + length, 0));
  const place = (index: number): number => box.x + 8 + ((starts[index] ?? 0) / sum) * width;
  const cell = (words: string, index: number, y: number, attributes = ''): string =>
    text(place(index), y, cut(words, ((lengths[index] ?? 1) / sum) * width - 6), `font-size="10" ${attributes}`);
  const linesMax = Math.floor((box.height - 48) / 16);
  const head = columns.map((name, index) => cell(name, index, box.y + 38, 'fill="#6a7078"'));
  const body = rows
    .slice(0, linesMax)
    .flatMap((row, line) => row.map((words, index) => cell(words, index, box.y + 56 + line * 16)));
  return [...head, ...body].join('\n');
}

/** Rows of time, name and value, as series. */
function seriesOf(rows: readonly (readonly string[])[]): readonly Named[] {
  const byName = new Map<string, (readonly [number, number])[]>();
  for (const [at = '0', name = '', value = '0'] of rows)
    byName.set(name, [...(byName.get(name) ?? []), [Number(at), Number(value)]]);
  return [...byName].map(([name, points]) => ({ name, labels: {}, points }));
}

function bars(series: readonly Named[], box: Box): string {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].toSorted((a, b) => a - b);
  const sumAt = (at: number): number =>
    series.flatMap(({ points }) => points.filter(([time]) => time === at)).reduce((sum, [, value]) => sum + value, 0);
  const top = Math.max(...times.map(sumAt), 1);
  const plot = { x: box.x + 62, y: box.y + 28, width: box.width - 74, height: box.height - 62 };
  const width = Math.min(60, plot.width / times.length - 4);
  const drawnBars = times.flatMap((at, position) => {
    let y = plot.y + plot.height;
    return series.map(({ points }, index) => {
      const height = ((points.find(([time]) => time === at)?.[1] ?? 0) / top) * plot.height;
      y -= height;
      const x = plot.x + position * (width + 4);
      return `<rect x="${x.toFixed(0)}" y="${y.toFixed(1)}" width="${width.toFixed(0)}" height="${height.toFixed(1)}" fill="${colour(index)}"/>`;
    });
  });
  const scale = text(plot.x - 6, plot.y + 8, inUnit(top), 'text-anchor="end" fill="#6a7078" font-size="10"');
  return [
    scale,
    ...drawnBars,
    legend(
      series.map(({ name }) => name),
      series.length,
      box,
    ),
  ].join('\n');
}

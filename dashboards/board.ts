/**
 * A board: rows of panels, the variables all boards share, and links to the others that keep the time and what was chosen.
 *
 * Uids are fixed, because people bookmark them and alerts lead to them. Dashboards are in Grafana's classic schema, as Grafana 11.6 writes it, which
 * is what the SDK is pinned to: its later versions call that one deprecated. Nobody can save a board over what was provisioned.
 */
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type { Panel } from './panels.ts';

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

type Variable = Parameters<dashboard.DashboardBuilder['withVariable']>[0];

export interface Board {
  /** Also the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** The metrics whose series say which jobs and instances there are to choose from; absent: nothing is asked of Prometheus. */
  readonly shows?: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
  readonly from?: string;
}

const TAG = 'ordertx';
const ALL = { selected: true, text: ['All'], value: ['$__all'] };

export function datasource(type: string): Variable {
  return new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type(type);
}

/** A data source, and which of its jobs and instances are looked at: all, unless somebody chooses. */
export function processes(series: string): readonly Variable[] {
  const chosen = (name: string, label: string, query: string): Variable =>
    new dashboard.QueryVariableBuilder(name)
      .label(label)
      .datasource({ type: 'prometheus', uid: '${datasource}' })
      .query(query)
      .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
      .sort(dashboard.VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.+')
      .current(ALL);
  return [
    datasource('prometheus'),
    chosen('job', 'Job', `label_values(${series}, job)`),
    chosen('instance', 'Instance', `label_values(${withJob(series)}, instance)`),
  ];
}

function withJob(series: string): string {
  return series.endsWith('}') ? `${series.slice(0, -1)}, job=~"$job"}` : `${series}{job=~"$job"}`;
}

/** The dashboard as Grafana is given it. */
export function dashboardOf({ uid, title, description, variables, rows, from = 'now-1h' }: Board): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .time({ from, to: 'now' })
    .refresh('30s')
    .variables([...variables])
    .link(
      new dashboard.DashboardLinkBuilder('ordertx')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );
  for (const row of rows) {
    builder.withRow(new dashboard.RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  const built = builder.build();
  // Grafana numbers panels that have no number anew at every load, and links to one of them break.
  built.panels?.forEach((panel, index) => (panel.id = index + 1));
  return built;
}

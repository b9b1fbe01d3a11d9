/**
 * The dashboards as they are provisioned, read back from their files: what tests hold to the code, and what a check runs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS_FOLDER } from './all.ts';

/** Of Grafana's classic schema, what is looked at here. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description?: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly links: readonly { readonly keepTime: boolean; readonly includeVars: boolean; readonly tags: string[] }[];
  readonly tags: readonly string[];
  readonly templating: { readonly list: readonly Variable[] };
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: readonly { readonly properties: readonly { readonly id: string; readonly value: unknown }[] }[];
  };
  readonly options?: { readonly reduceOptions?: { readonly fields?: string } };
  readonly targets?: readonly Target[];
}

export interface Target {
  readonly refId: string;
  readonly expr?: string;
  readonly rawSql?: string;
  readonly instant?: boolean;
  readonly legendFormat?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly query?: unknown;
  readonly refresh?: number;
  readonly multi?: boolean;
  readonly allValue?: string;
  readonly datasource?: { readonly uid: string };
}

const FOLDER = join(import.meta.dirname, '..', DASHBOARDS_FOLDER);

export function provisionedDashboards(): readonly Dashboard[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Dashboard);
}

/** Every panel that asks something, with its dashboard. */
export function panelsOf(
  dashboards: readonly Dashboard[],
): readonly { readonly dashboard: Dashboard; readonly panel: Panel }[] {
  return dashboards.flatMap((dashboard) =>
    dashboard.panels.filter(({ type }) => type !== 'row').map((panel) => ({ dashboard, panel })),
  );
}

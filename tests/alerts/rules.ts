/**
 * The rules for Prometheus that come with ordertx, as their file has them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const RULES_FILE = join(import.meta.dirname, '../../helm/ordertx/files/alerts.yaml');

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Recorded {
  readonly record: string;
  readonly expr: string;
}

function rulesIn(file: string): readonly (Alert | Recorded)[] {
  const { groups } = parse(readFileSync(file, 'utf8')) as {
    readonly groups: readonly { readonly rules: (Alert | Recorded)[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export function alertsIn(file: string): readonly Alert[] {
  return rulesIn(file).filter((rule) => 'alert' in rule);
}

/** What is computed once for several alerts. */
export function recordsIn(file: string): readonly Recorded[] {
  return rulesIn(file).filter((rule) => 'record' in rule);
}

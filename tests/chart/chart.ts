/**
 * The chart as its tests meet it: both helms, what it renders, and values that render.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findHelm, runHelm, type HelmMajor } from '../../local/helm.ts';
import { openProcessGroup } from '../../local/process-group.ts';

export const CHART = join(import.meta.dirname, '..', '..', 'helm', 'ordertx');

/** Secrets named, and where payments are taken: all other defaults are production's. */
export const REQUIRED = {
  databases: { existingSecret: 'databases' },
  redis: { existingSecret: 'redis' },
  services: {
    order: { quotes: { existingSecret: 'quotes' } },
    payment: { publicUrl: 'https://pay.example', provider: { existingSecret: 'provider' } },
  },
};

export type Values = Readonly<Record<string, unknown>>;

export type Rendered = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
};

export type Helm = {
  readonly major: HelmMajor;
  /** Its path. */
  readonly program: string;
  /** Runs helm with these arguments; resolves with what it printed. */
  readonly run: (args: readonly string[], kubeconfig?: string) => Promise<string>;
  /** A file with these values, for `-f`. */
  readonly valuesFile: (values: Values) => Promise<string>;
  /** What `helm template` prints. */
  readonly text: (values: Values, ...args: readonly string[]) => Promise<string>;
  readonly template: (values: Values, ...args: readonly string[]) => Promise<readonly Rendered[]>;
  readonly close: () => Promise<void>;
};

export async function openHelm(major: HelmMajor = 4): Promise<Helm> {
  const group = await openProcessGroup();
  const helm = await findHelm(group, major).finally(() => group.close());
  const home = await mkdtemp(join(tmpdir(), 'ordertx-helm-'));
  let files = 0;
  const run = (args: readonly string[], kubeconfig?: string) =>
    runHelm({ helm, args, home, ...(kubeconfig !== undefined && { kubeconfig }) });
  const valuesFile = async (values: Values) => {
    const file = join(home, `values-${(files += 1)}.json`);
    await writeFile(file, JSON.stringify(values));
    return file;
  };
  const text = async (values: Values, ...args: readonly string[]) =>
    run(['template', 'shop', CHART, '--namespace', 'shop', '-f', await valuesFile(values), ...args]);
  return {
    ...{ major, program: helm, run, valuesFile, text },
    template: async (values, ...args) => objectsOf(await text(values, ...args)),
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** The objects in a manifest. */
export function objectsOf(manifest: string): readonly Rendered[] {
  return parseAllDocuments(manifest)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

/** One map over another, maps within them too. */
export function over(base: Values, values: Values): Values {
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(values)])].map((key) => {
      const [one, other] = [base[key], values[key]];
      return [key, isMap(one) && isMap(other) ? over(one, other) : key in values ? other : one];
    }),
  );
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

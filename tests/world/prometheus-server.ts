/**
 * A Prometheus that scrapes processes every other second, judges rules by them, and is asked what it knows. It dies with its process group.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPart } from '../../local/parts.ts';
import { freePort } from '../../local/ports.ts';
import type { ProcessGroup } from '../../local/process-group.ts';
import { findPrometheus } from './prometheus.ts';

export interface PrometheusOptions {
  /** A job's name and where it listens, `host:port`. */
  readonly targets: Readonly<Record<string, string>>;
  /** Path of a file of rules; absolute. */
  readonly rules?: string;
}

export interface RunningPrometheus {
  readonly url: string;
  exemplars(query: string): Promise<readonly Exemplar[]>;
  /** By name. */
  targets(): Promise<readonly Target[]>;
  /** Those whose condition is there, pending ones among them. */
  alerts(): Promise<readonly Alert[]>;
}

export interface Exemplar {
  readonly labels: Readonly<Record<string, string>>;
}

export interface Target {
  readonly name: string;
  readonly health: string;
  readonly lastError: string;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
  readonly value: string;
}

const EVERY = '2s';
const READY_MS = 60_000;
const ASK_MS = 10_000;

export async function startPrometheus(
  group: ProcessGroup,
  { targets, rules }: PrometheusOptions,
): Promise<RunningPrometheus> {
  const { prometheus: command } = await findPrometheus(group);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = join(group.folder, 'prometheus');
  await mkdir(folder);
  const jobs = Object.entries(targets).map(([name, target]) => {
    return { job_name: name, static_configs: [{ targets: [target] }] };
  });
  const config = {
    global: { scrape_interval: EVERY, scrape_timeout: EVERY, evaluation_interval: EVERY },
    scrape_configs: jobs,
    ...(rules !== undefined && { rule_files: [rules] }),
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const flags = { 'config.file': 'prometheus.yml', 'storage.tsdb.path': 'data', 'enable-feature': 'exemplar-storage' };
  const args = Object.entries({ ...flags, 'web.listen-address': `127.0.0.1:${port}` });
  const spec = {
    ...{ name: 'prometheus', command, cwd: folder, env: {} },
    args: args.map(([flag, value]) => `--${flag}=${value}`),
  };
  const ready = async (): Promise<boolean> => (await fetch(`${url}/-/ready`)).ok;
  await runPart(group, { spec, ready, readyMs: READY_MS });

  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(url + path, { signal: AbortSignal.timeout(ASK_MS) });
    if (!answer.ok) throw new Error(`Prometheus answered ${answer.status}: ${await answer.text()}`);
    return ((await answer.json()) as { readonly data: unknown }).data;
  };
  return {
    url,
    async exemplars(query) {
      const series = await get(`/api/v1/query_exemplars?query=${query}&start=0&end=${Date.now() / 1000 + 60}`);
      return (series as readonly { readonly exemplars: readonly Exemplar[] }[]).flatMap(({ exemplars }) => exemplars);
    },
    async targets() {
      const { activeTargets } = (await get('/api/v1/targets')) as {
        readonly activeTargets: readonly { readonly scrapePool: string; health: string; lastError: string }[];
      };
      return activeTargets
        .map(({ scrapePool: name, health, lastError }) => ({ name, health, lastError }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    async alerts() {
      return ((await get('/api/v1/alerts')) as { readonly alerts: readonly Alert[] }).alerts;
    },
  };
}

/**
 * What a service measures of itself, one registry per app.
 */
import type { RequestHandler } from 'express';
import type { Pool } from 'pg';
import type { Log } from '../log.ts';
import { databaseSkewSeconds } from '../postgres/clock-skew.ts';
import { Gauge, Histogram, Registry } from 'prom-client';
import { processMetrics } from '../../../metrics/src/process-metrics.ts';

/** From one local call to the longest wait a route allows (`Prefer: wait=30`). */
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createMetrics(pools: Readonly<Record<string, Pool>>): Registry {
  const registry = new Registry();
  processMetrics(registry);
  new Gauge({
    name: 'postgres_pool_connections',
    help: 'Connections of each pool, by what they do; waiting counts requests that wait for one.',
    labelNames: ['pool', 'state'],
    registers: [registry],
    collect() {
      for (const [pool, { idleCount, totalCount, waitingCount }] of Object.entries(pools)) {
        this.set({ pool, state: 'idle' }, idleCount);
        this.set({ pool, state: 'busy' }, totalCount - idleCount);
        this.set({ pool, state: 'waiting' }, waitingCount);
      }
    },
  });
  return registry;
}

export interface DatabaseGauge<Figures> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  readonly set: (gauge: Gauge, figures: Figures) => void;
}

/** Far longer than any of these reads takes; longer, and a database that hangs would keep all other metrics from being served. */
const READ_MS_MAX = 2_000;

/**
 * Gauges whose figures are read from the database, or another store, once for all of them at every scrape. All replicas say the same, so
 * aggregate with max and not with sum. A gap in the series says more than the last figure would, and 0 what is not true.
 */
export function databaseGauges<Figures>(
  registry: Registry,
  log: Log,
  read: () => Promise<Figures>,
  gauges: readonly DatabaseGauge<Figures>[],
  readMsMax = READ_MS_MAX,
): void {
  let reading: Promise<Figures> | undefined;
  const shared = (): Promise<Figures> =>
    (reading ??= withinMs(readMsMax, read).finally(() => {
      reading = undefined;
    }));
  for (const { name, help, labelNames = [], set } of gauges) {
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      async collect() {
        try {
          set(this, await shared());
        } catch (error) {
          // Without labels `reset` would make it 0.
          if (labelNames.length === 0) this.remove();
          else this.reset();
          log.warn({ err: error, metric: name }, 'a metric could not be read');
        }
      },
    });
  }
}

async function withinMs<T>(limitMs: number, read: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`there was no answer within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([read(), late]).finally(() => clearTimeout(timer));
}

export function registerClockSkew(registry: Registry, pool: Pool, log: Log): void {
  databaseGauges(registry, log, () => databaseSkewSeconds(pool), [
    {
      name: 'ordertx_clock_skew_seconds',
      help: "How far this machine's clock is ahead of another's (behind: negative), by whose: database.",
      labelNames: ['against'],
      set: (gauge, seconds) => gauge.set({ against: 'database' }, seconds),
    },
  ]);
}

/** Measures every request by the declared path that `measureAs` has set; `code` is `aborted` when the caller left before the answer. */
export function measureRequests(registry: Registry): RequestHandler {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to the end of its answer, by declared route.',
    labelNames: ['method', 'route', 'code'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [registry],
  });
  return (request, response, next) => {
    const end = durations.startTimer();
    response.once('close', () => {
      const route: unknown = response.locals.route;
      end({
        method: METHODS.has(request.method) ? request.method : 'other',
        route: typeof route === 'string' ? route : 'none',
        code: response.writableFinished ? String(response.statusCode) : 'aborted',
      });
    });
    next();
  };
}

/** Callers may invent methods; labels may not. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

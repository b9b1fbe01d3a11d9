/**
 * What a service measures of the fence. Paths are the service's own branches', never what a caller wrote.
 */
import type { Pool } from 'pg';
import { Counter, type Registry } from 'prom-client';
import { databaseGauges } from '../http/metrics.ts';
import type { Log } from '../log.ts';
import { sqlFile } from '../postgres/sql.ts';

export const OLDEST_OPEN = { name: 'oldest-open', text: sqlFile(import.meta.url, './sql/oldest-open.sql') };

export interface FenceMetrics {
  readonly calls: Counter;
  readonly anomalies: Counter;
}

export function fenceMetrics(registry: Registry): FenceMetrics {
  const registers = [registry];
  return {
    calls: new Counter({
      name: 'ordertx_fence_calls_total',
      help: 'Participant calls by path, operation and outcome: done, replayed, later, misdirected, unknown, or the code of the 409.',
      labelNames: ['path', 'operation', 'outcome'],
      registers,
    }),
    anomalies: new Counter({
      name: 'ordertx_fence_anomalies_total',
      help: 'Calls that came twice, late or for nothing, by the cell of the fence: path, operation, the state stored before, and what that is called: duplicate, late-try (refused: nothing is reserved), empty-rollback (a cancel before its try); and, which somebody must look at, confirm-without-try, confirm-of-refused, confirm-after-cancel, cancel-after-confirm, payload-mismatch.',
      labelNames: ['path', 'operation', 'stored', 'anomaly'],
      registers,
    }),
  };
}

/** @param pool for what goes on in the background: no call waits for what is asked here */
export function fenceGauges(registry: Registry, pool: Pool, log: Log): void {
  const read = async (): Promise<number> =>
    (await pool.query<{ readonly oldest_seconds: number }>(OLDEST_OPEN)).rows[0]?.oldest_seconds ?? 0;
  databaseGauges(registry, log, read, [
    {
      name: 'ordertx_fence_open_oldest_seconds',
      help: 'Age of the oldest branch of this service that is neither Confirmed nor Cancelled; 0 without one. It grows while a transaction has no end.',
      set: (gauge, seconds) => gauge.set(seconds),
    },
  ]);
}

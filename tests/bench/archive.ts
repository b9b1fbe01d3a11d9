/**
 * How long does a look into the archive take? `npm run bench:archive [-- --rows 1000000 --looks 200]`
 *
 * A Postgres of its own, filled with so many archived transactions of a year: four flows, one of fifty cancelled, two orders of a thousand
 * with many transactions. Then looks by orderId and name, and pages by every filter: the first, the last, and ones in between. Fails
 * where a look-up takes 100 ms or a page 200 ms, the slowest of all counted.
 */
import pg from 'pg';
import { PostgresArchive } from '../../controller/src/archive/postgres-archive.ts';
import { findByName, findByOrderId, listArchived, type ArchivedFilter } from '../../controller/src/archive/queries.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { createDatabase, startPostgres } from '../../local/postgres.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { progress, say } from '../../local/progress.ts';
import { createLog } from '../../services/kit/src/log.ts';
import { percentile } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { describeMachine } from './machine.ts';
import { readNumbers } from './number-options.ts';

const LOOK_UP_MS_MAX = 100;
const PAGE_MS_MAX = 200;
const NAMESPACE = 'shop';
const FLOWS = ['create-order', 'pay-order', 'close-order', 'rare-flow'];
const YEAR_MS = 365 * 24 * 3_600_000;
const DAY_MS = 86_400_000;

/** What the archive keeps of one, so that its tables are its own and its rows as large as real ones. */
function sample(finishedAt: Date, uid: string): OrderTransaction {
  const lines = [1, 2].map((number) => ({ skuId: `sku-${number}`, quantity: number, unitPriceCents: 450 }));
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
    metadata: { name: `create-${uid}`, namespace: NAMESPACE, uid, resourceVersion: '1' },
    spec: {
      ...{ flow: 'create-order', orderId: uid, suspend: false, cancelRequested: false },
      payload: { orderId: uid, userId: 'u1', lines, totalCents: 1_350 },
    },
    status: {
      ...{ phase: 'Succeeded', decision: 'Confirm', decisionReason: 'AllTried', finishedAt: finishedAt.toISOString() },
      branches: ['order', 'inventory'].map((name) => ({ name, state: 'Confirmed' as const, attempts: 1 })),
      messages: ['lock-dispatch', 'lock-wms'].map((name) => {
        return { name, delivery: 'Reliable' as const, state: 'Delivered' as const, attempts: 1 };
      }),
    },
  };
}

const FILL = `
insert into ordertx_archive (namespace, uid, name, order_id, flow, outcome, finished_at, object)
select $1, 'u' || n, 'create-o' || n, case when n % 1000 < 2 then 'busy-' || n % 1000 else 'o' || n / 2 end,
  case when n % 5000 = 0 then 'rare-flow' else ($2::text[])[1 + n % 3] end,
  case when n % 50 = 0 then 'Cancelled' else 'Succeeded' end,
  $3::timestamptz + n * ($4::float8 / $5) * interval '1 millisecond', $6::json
from generate_series(1, $5::integer) as n`;

async function fill(pool: pg.Pool, archive: PostgresArchive, rows: number): Promise<void> {
  const endMs = Date.now();
  const months = Array.from({ length: 13 }, (_, ago) => {
    const now = new Date(endMs);
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1));
  });
  const samples = months.map((month, index) => sample(month, `month-${index}`));
  const kept = await archive.keep(samples);
  if (kept.kind !== 'kept') throw new Error(kept.message);
  const object = JSON.stringify(samples[0]);
  await pool.query(FILL, [NAMESPACE, FLOWS, new Date(endMs - YEAR_MS).toISOString(), YEAR_MS, rows, object]);
  await pool.query('vacuum analyze ordertx_archive');
}

/** Milliseconds of each look. */
async function timed(looks: number, look: (number: number) => Promise<unknown>): Promise<readonly number[]> {
  const took: number[] = [];
  for (let number = 0; number < looks; number += 1) {
    const begunMs = performance.now();
    await look(number);
    took.push(performance.now() - begunMs);
  }
  return took;
}

function judge(what: string, took: readonly number[], limitMs: number): boolean {
  const slowest = Math.max(...took);
  const [p50, p99] = [0.5, 0.99].map((part) => percentile([...took], part).toFixed(1));
  say(`${what.padEnd(44)} p50 ${p50} ms, p99 ${p99} ms, slowest ${slowest.toFixed(1)} ms (limit ${limitMs})`);
  return slowest < limitMs;
}

async function bench(): Promise<boolean> {
  const { rows, looks } = readNumbers({ rows: 1_000_000, looks: 200 });
  const { cores, loadAverage } = await describeMachine();
  const group = await openProcessGroup();
  const postgres = await startPostgres(group);
  const connectionString = await createDatabase(postgres.url, 'archive');
  const pool = new pg.Pool({ connectionString, max: 1 });
  // Its last connection may hear of the server's end before it has ended itself.
  pool.on('error', () => undefined);
  const log = createLog({ name: 'bench', level: 'error' });
  const archive = new PostgresArchive({ connectionString, retentionDays: 3_650, log });
  try {
    await progress(`archiving ${String(rows)} transactions`, () => fill(pool, archive, rows));
    say(`${String(cores)} cores, load average before the start ${loadAverage.toFixed(1)}`);
    const verdicts = [
      judge(
        'by orderId',
        await timed(looks, (n) => findByOrderId(pool, NAMESPACE, `o${String((n * 7919) % rows)}`)),
        LOOK_UP_MS_MAX,
      ),
      judge(
        'by orderId, of one with many',
        await timed(looks, (n) => findByOrderId(pool, NAMESPACE, `busy-${String(n % 2)}`)),
        LOOK_UP_MS_MAX,
      ),
      judge(
        'by orderId, of none',
        await timed(looks, (n) => findByOrderId(pool, NAMESPACE, `none-${String(n)}`)),
        LOOK_UP_MS_MAX,
      ),
      judge(
        'by name',
        await timed(looks, (n) => findByName(pool, NAMESPACE, `create-o${String((n * 7919) % rows)}`)),
        LOOK_UP_MS_MAX,
      ),
    ];
    const filters: readonly Omit<ArchivedFilter, 'namespace'>[] = [
      {},
      { flow: 'pay-order' },
      { flow: 'rare-flow' },
      { flow: 'none' },
      { outcome: 'Cancelled' },
      { flow: 'rare-flow', outcome: 'Succeeded' },
    ];
    for (const filter of filters) {
      const page = async (number: number): Promise<unknown> => {
        const endedAt = new Date(Date.now() - (YEAR_MS * number) / looks).toISOString();
        return listArchived(pool, { namespace: NAMESPACE, ...filter }, { limit: 100, after: `${endedAt}/zzz` });
      };
      verdicts.push(judge(`a page of 100, ${JSON.stringify(filter)}`, await timed(looks, page), PAGE_MS_MAX));
    }
    const ofADay = async (number: number): Promise<unknown> => {
      const before = new Date(Date.now() - (YEAR_MS * number) / looks);
      const since = new Date(before.getTime() - DAY_MS);
      return listArchived(pool, { namespace: NAMESPACE, outcome: 'Cancelled', since, before }, { limit: 100 });
    };
    verdicts.push(judge('a page of 100 cancelled ones of a day', await timed(looks, ofADay), PAGE_MS_MAX));
    return verdicts.every(Boolean);
  } finally {
    await archive.close();
    await pool.end();
    await group.close();
  }
}

await runCommand(bench);

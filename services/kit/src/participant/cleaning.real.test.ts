/**
 * Which fence rows are cleaned, and which never.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openSeatService, type SeatService } from '../../testing/seat-service.ts';
import { until } from '../../testing/until.ts';
import { startCleaning } from '../postgres/cleaning.ts';
import { cleanFence, fenceCleaning } from './cleaning.ts';
import { memoryLog } from '../../testing/memory-log.ts';

let seatService: SeatService;
beforeAll(async () => {
  seatService = await openSeatService();
}, 30_000);
afterAll(async () => {
  await seatService.close();
});
beforeEach(async () => {
  await seatService.pool.query('truncate ordertx_fence, reservations, told');
});

async function addRow(name: string, state: string, createdDays: number, changedDays: number): Promise<void> {
  await seatService.pool.query(
    `insert into ordertx_fence (transaction, branch, path, state, digest, payload, refusal, created_at, changed_at)
     values ($1, 'seats', '/tcc/book-seats', $2, 'd', '{}', 'no', now() - make_interval(days => $3), now() - make_interval(days => $4))`,
    [`shop/${name}`, state, createdDays, changedDays],
  );
}
const left = async () =>
  (await seatService.pool.query<{ transaction: string }>('select transaction from ordertx_fence order by 1')).rows.map(
    ({ transaction }) => transaction,
  );

test('final rows go once their last change is older than the retention; nothing else ever does', async () => {
  await addRow('old-confirmed', 'Confirmed', 40, 31);
  await addRow('old-cancelled', 'Cancelled', 40, 31);
  await addRow('young-confirmed', 'Confirmed', 40, 29);
  await addRow('old-tried', 'Tried', 400, 400);
  await addRow('old-refused', 'Refused', 400, 400);
  expect(await cleanFence({ pool: seatService.pool, retentionDays: 30 })).toBe(2);
  expect(await left()).toEqual(['shop/old-refused', 'shop/old-tried', 'shop/young-confirmed']);
});

test('all of them go, in batches', async () => {
  for (let i = 0; i < 7; i += 1) await addRow(`old-${i}`, 'Confirmed', 40, 40);
  expect(await cleanFence({ pool: seatService.pool, retentionDays: 30, batchRows: 3 })).toBe(7);
  expect(await left()).toEqual([]);
});

test('a row that another call holds is skipped, not waited for', async () => {
  await addRow('held', 'Confirmed', 40, 40);
  await addRow('free', 'Confirmed', 40, 40);
  const client = await seatService.pool.connect();
  await client.query('begin');
  await client.query(`select 1 from ordertx_fence where transaction = 'shop/held' for update`);
  expect(await cleanFence({ pool: seatService.pool, retentionDays: 30 })).toBe(1);
  await client.query('rollback');
  client.release();
  expect(await left()).toEqual(['shop/held']);
});

test.each([7, 0, -1, 8.5, NaN])('a retention of %s days is refused', async (retentionDays) => {
  await expect(cleanFence({ pool: seatService.pool, retentionDays })).rejects.toThrow('at least 8 whole days');
});

test('a service cleans when it starts', async () => {
  await addRow('old', 'Confirmed', 40, 40);
  const { log, lines } = memoryLog();
  const cleaning = startCleaning(seatService.pool, [fenceCleaning(30)], log);
  await until('the row is gone', async () => (await left()).length === 0);
  await cleaning.close();
  expect(lines).toMatchObject([{ removed: 1 }]);
});

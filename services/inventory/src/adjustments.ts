/**
 * Changing a SKU's stock by a signed number of units.
 *
 * Two people who each read the stock and put a new absolute number lose one of their changes; two deltas never do. A delta that is
 * sent twice would count twice, so each comes with a key, and its key and its effect are one database transaction.
 */
import type { Pool, PoolClient } from 'pg';
import { endTransaction, sqlFile, type Cleaning } from '../../kit/src/index.ts';
import { readStock, STOCKED_MAX, stockOf, type Stock, type StockRow } from './stock.ts';

const ADD_ADJUSTMENT = sqlFile(import.meta.url, '../sql/add-adjustment.sql');
const FIND_ADJUSTMENT = sqlFile(import.meta.url, '../sql/find-adjustment.sql');
const ADJUST_STOCK = sqlFile(import.meta.url, '../sql/adjust-stock.sql');
const CLEAN_ADJUSTMENTS = sqlFile(import.meta.url, '../sql/clean-adjustments.sql');

export interface Adjustment {
  readonly skuId: string;
  readonly idempotencyKey: string;
  /** Units, not 0. */
  readonly delta: number;
}

export type Adjusted =
  /** Now or before; the stock as it is now. */
  | { readonly kind: 'adjusted'; readonly stock: Stock }
  /** This key was used for this SKU with another delta. */
  | { readonly kind: 'other-delta'; readonly delta: number }
  /** It would take what is frozen or sold, or be more than there may be; the key is not used up. */
  | { readonly kind: 'impossible'; readonly stock: Stock }
  | { readonly kind: 'unknown' };

export async function adjustStock(pool: Pool, adjustment: Adjustment): Promise<Adjusted> {
  return endTransaction(pool, async (client) => {
    const value = await adjust(client, adjustment);
    return { keep: value.kind === 'adjusted', value };
  });
}

async function adjust(client: PoolClient, { skuId, idempotencyKey, delta }: Adjustment): Promise<Adjusted> {
  const added = await client.query(ADD_ADJUSTMENT, [skuId, idempotencyKey, delta]);
  if (added.rowCount === 0) return repeated(client, { skuId, idempotencyKey, delta });
  const { rows } = await client.query<StockRow>(ADJUST_STOCK, [skuId, delta, STOCKED_MAX]);
  const [row] = rows;
  if (row !== undefined) return { kind: 'adjusted', stock: stockOf(row) };
  const stock = await readStock(client, skuId);
  return stock === undefined ? { kind: 'unknown' } : { kind: 'impossible', stock };
}

async function repeated(client: PoolClient, { skuId, idempotencyKey, delta }: Adjustment): Promise<Adjusted> {
  const { rows } = await client.query<{ readonly delta: number }>(FIND_ADJUSTMENT, [skuId, idempotencyKey]);
  const earlier = rows[0]?.delta;
  if (earlier !== undefined && earlier !== delta) return { kind: 'other-delta', delta: earlier };
  const stock = await readStock(client, skuId);
  if (earlier === undefined || stock === undefined)
    throw new Error('an adjustment was found under this key and then not found; its retention has just ended');
  return { kind: 'adjusted', stock };
}

export function adjustmentCleaning(retentionDays: number): Cleaning {
  return { what: 'old stock adjustments', statement: CLEAN_ADJUSTMENTS, retentionDays };
}

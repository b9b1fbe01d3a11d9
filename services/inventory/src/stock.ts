/**
 * The stock of one SKU: how many units there are, and where each of them is.
 */
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';

const PUT_STOCK = sqlFile(import.meta.url, '../sql/put-stock.sql');
const GET_STOCK = sqlFile(import.meta.url, '../sql/get-stock.sql');

/** Fits the column, with room for nothing to overflow; a warehouse with more units of one SKU has other problems. */
export const STOCKED_MAX = 1_000_000_000;

export interface Stock {
  readonly skuId: string;
  readonly stocked: number;
  readonly sellable: number;
  readonly frozen: number;
  readonly sold: number;
}

export type PutResult =
  | { readonly kind: 'put'; readonly stock: Stock }
  /** Fewer than are frozen or sold already. */
  | { readonly kind: 'too-few'; readonly stock: Stock };

export interface StockRow extends Omit<Stock, 'skuId'> {
  readonly sku_id: string;
}

export async function putStock(pool: Pool, skuId: string, stocked: number): Promise<PutResult> {
  const { rows } = await pool.query<StockRow>({ name: 'put-stock', text: PUT_STOCK, values: [skuId, stocked] });
  const [row] = rows;
  if (row !== undefined) return { kind: 'put', stock: stockOf(row) };
  const stock = await getStock(pool, skuId);
  if (stock === undefined) throw new Error(`stock of ${skuId} could neither be put nor read`);
  return { kind: 'too-few', stock };
}

/** Undefined for a SKU that was never stocked. */
export async function getStock(pool: Pool, skuId: string): Promise<Stock | undefined> {
  return readStock(pool, skuId);
}

/** The same within a database transaction. */
export async function readStock(client: Pool | PoolClient, skuId: string): Promise<Stock | undefined> {
  const { rows } = await client.query<StockRow>({ name: 'get-stock', text: GET_STOCK, values: [skuId] });
  const [row] = rows;
  return row === undefined ? undefined : stockOf(row);
}

export function stockOf({ sku_id: skuId, stocked, sellable, frozen, sold }: StockRow): Stock {
  return { skuId, stocked, sellable, frozen, sold };
}

/**
 * Inventory's branch of create-order: try freezes what an order needs, confirm makes that final, cancel returns it.
 *
 * 1. All or nothing: an order's lines are frozen together, or the refusal names every SKU that is short.
 * 2. A SKU that was never stocked is out of stock: nobody can sell it, and the caller learns which one it is.
 * 3. Stock rows are locked in the order of their ids by every statement that moves stock, so no two orders deadlock.
 */
import type { PoolClient } from 'pg';
import {
  sqlFile,
  type Branch,
  type CancelCall,
  type ConfirmCall,
  type Done,
  type Refused,
  type Tried,
  type TryCall,
} from '../../../kit/src/index.ts';
import { createOrderPayloadSchema, formatTransaction, type CreateOrderPayload } from '../../../protocol/src/index.ts';
import { outOfStock, type MissingStock } from '../out-of-stock.ts';

const FREEZE_STOCK = sqlFile(import.meta.url, '../../sql/freeze-stock.sql');
const CONFIRM_FREEZE = sqlFile(import.meta.url, '../../sql/confirm-freeze.sql');
const RETURN_FREEZE = sqlFile(import.meta.url, '../../sql/return-freeze.sql');

export const createOrderBranch: Branch<CreateOrderPayload> = {
  branch: 'inventory',
  path: '/tcc/create-order',
  payload: createOrderPayloadSchema,
  try: freezeStock,
  confirm: confirmFreeze,
  cancel: returnFreeze,
};

interface Frozen {
  readonly placed: boolean;
  readonly missing: readonly MissingStock[];
}

async function freezeStock(
  client: PoolClient,
  { transaction, payload }: TryCall<CreateOrderPayload>,
): Promise<Tried | Refused> {
  const { rows } = await client.query<Frozen>({
    name: 'freeze-stock',
    text: FREEZE_STOCK,
    values: [
      payload.orderId,
      formatTransaction(transaction),
      payload.lines.map((line) => line.skuId),
      payload.lines.map((line) => line.quantity),
    ],
  });
  const frozen = theOnly(rows);
  if (frozen.missing.length > 0) return { kind: 'refused', detail: outOfStock(frozen.missing) };
  if (!frozen.placed) {
    return {
      kind: 'refused',
      detail: `stock for order ${payload.orderId} was already reserved by another transaction`,
    };
  }
  return { kind: 'tried' };
}

async function confirmFreeze(
  client: PoolClient,
  { transaction, payload }: ConfirmCall<CreateOrderPayload>,
): Promise<Done> {
  const { rowCount } = await client.query({
    name: 'confirm-freeze',
    text: CONFIRM_FREEZE,
    values: [payload.orderId, formatTransaction(transaction)],
  });
  if (rowCount !== 1) throw new Error(`order ${payload.orderId} was tried but has no reservation to confirm`);
  return { kind: 'done' };
}

async function returnFreeze(client: PoolClient, call: CancelCall<CreateOrderPayload>): Promise<Done> {
  if (!call.tried) return { kind: 'done' };
  const { rows } = await client.query<{ readonly returned: boolean }>({
    name: 'return-freeze',
    text: RETURN_FREEZE,
    values: [call.payload.orderId, formatTransaction(call.transaction)],
  });
  if (!theOnly(rows).returned)
    throw new Error(`order ${call.payload.orderId} was tried but has no reservation to return`);
  return { kind: 'done' };
}

function theOnly<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`expected one row, got ${rows.length}`);
  return row;
}

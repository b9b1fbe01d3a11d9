/**
 * What an order holds of the stock: the statements that make, mark and end its reservation.
 *
 * Everything here runs inside the fence's database transaction. What keeps those that run side by side from deadlocking:
 *
 * 1. A branch's locks come in one order: its fence row, the order's reservation, the stock rows in the order of their SKU ids.
 * 2. That counts for waiting as well: an insert waits for whoever is changing the row it meets, so a freeze inserts its
 *    reservation before it locks any stock.
 * 3. Setting a SKU's stock locks that one row and nothing else.
 */
import type { PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';
import type { OrderLine } from '../../protocol/src/index.ts';
import type { MissingStock } from './out-of-stock.ts';

const FREEZE_STOCK = sqlFile(import.meta.url, '../sql/freeze-stock.sql');
const FORGET_RETURNED = sqlFile(import.meta.url, '../sql/forget-returned.sql');
const CONFIRM_FREEZE = sqlFile(import.meta.url, '../sql/confirm-freeze.sql');
const LOCK_RESERVATION = sqlFile(import.meta.url, '../sql/lock-reservation.sql');
const MARK_RESERVATION = sqlFile(import.meta.url, '../sql/mark-reservation.sql');
const UNMARK_RESERVATION = sqlFile(import.meta.url, '../sql/unmark-reservation.sql');
const END_RESERVATION = sqlFile(import.meta.url, '../sql/end-reservation.sql');

/** How a reservation can end: sold to who has paid, or returned to what can be sold. */
export type Ending = 'SOLD' | 'RETURNED';

/** Quantity by SKU id. */
export type Quantities = ReadonlyMap<string, number>;

/** Transactions are `<namespace>/<name>`; `transaction` is the order's creation. */
export type Reservation = { readonly transaction: string } & (
  | { readonly state: 'TRIED'; readonly held: Quantities }
  | { readonly state: 'FROZEN'; readonly held: Quantities; readonly markedBy: string | null }
  /** `endedBy` is null where it ended before that was recorded. */
  | { readonly state: Ending; readonly endedBy: string | null }
);

/** Whose reservation, and which transaction acts on it (`<namespace>/<name>`). */
export interface Act {
  readonly orderId: string;
  readonly transaction: string;
}

export interface Frozen {
  /** False when another transaction has reserved for this order; then `missing` is empty. */
  readonly placed: boolean;
  /** If there is any, a reservation has been placed that holds nothing: what this did must be undone. */
  readonly missing: readonly MissingStock[];
}

export async function freezeStock(
  client: PoolClient,
  { orderId, transaction }: Act,
  lines: readonly OrderLine[],
): Promise<Frozen> {
  const skuIds = lines.map(({ skuId }) => skuId);
  const quantities = lines.map(({ quantity }) => quantity);
  const values = [orderId, transaction, skuIds, quantities];
  const { rows } = await client.query<Frozen>({ name: 'freeze-stock', text: FREEZE_STOCK, values });
  return theOnly(rows);
}

/** Of an order whose reservation this database transaction has locked, and whose own creation has returned it. */
export async function forgetReturned(client: PoolClient, orderId: string): Promise<void> {
  await client.query({ name: 'forget-returned', text: FORGET_RETURNED, values: [orderId] });
}

/** False when this creation has frozen nothing. */
export async function confirmFreeze(client: PoolClient, { orderId, transaction }: Act): Promise<boolean> {
  const values = [orderId, transaction];
  const { rowCount } = await client.query({ name: 'confirm-freeze', text: CONFIRM_FREEZE, values });
  return rowCount === 1;
}

interface ReservationRow {
  readonly transaction: string;
  readonly state: Reservation['state'];
  readonly marked_by: string | null;
  readonly ended_by: string | null;
  readonly held: Readonly<Record<string, number>>;
}

/** Nobody else changes it until the database transaction ends. Undefined when nothing is reserved for the order. */
export async function lockReservation(client: PoolClient, orderId: string): Promise<Reservation | undefined> {
  const { rows } = await client.query<ReservationRow>({
    name: 'lock-reservation',
    text: LOCK_RESERVATION,
    values: [orderId],
  });
  const [row] = rows;
  return row === undefined ? undefined : reservationOf(row);
}

function reservationOf(row: ReservationRow): Reservation {
  const { transaction } = row;
  const held = new Map(Object.entries(row.held));
  switch (row.state) {
    case 'TRIED':
      return { transaction, state: row.state, held };
    case 'FROZEN':
      return { transaction, state: row.state, held, markedBy: row.marked_by };
    case 'SOLD':
    case 'RETURNED':
      return { transaction, state: row.state, endedBy: row.ended_by };
  }
}

/** False when it is not frozen, or bears another transaction's mark. */
export async function markReservation(client: PoolClient, { orderId, transaction }: Act): Promise<boolean> {
  const values = [orderId, transaction];
  const { rowCount } = await client.query({ name: 'mark-reservation', text: MARK_RESERVATION, values });
  return rowCount === 1;
}

/** False when it does not bear this transaction's mark. */
export async function unmarkReservation(client: PoolClient, { orderId, transaction }: Act): Promise<boolean> {
  const values = [orderId, transaction];
  const { rowCount } = await client.query({ name: 'unmark-reservation', text: UNMARK_RESERVATION, values });
  return rowCount === 1;
}

/** False when this transaction may not end it; true also when it had ended it so before. */
export async function endReservation(
  client: PoolClient,
  { orderId, transaction }: Act,
  ending: Ending,
): Promise<boolean> {
  const values = [orderId, transaction, ending];
  const { rows } = await client.query<{ readonly ended: boolean }>({
    name: 'end-reservation',
    text: END_RESERVATION,
    values,
  });
  return theOnly(rows).ended;
}

function theOnly<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`expected one row, got ${rows.length}`);
  return row;
}

/**
 * What an order holds of the stock: the statements that make, mark and end its reservation.
 *
 * Everything here runs inside the fence's database transaction; what is called usual is one, in one statement with the fence's row. What
 * keeps those that run side by side from deadlocking:
 *
 * 1. A branch's locks come in one order: its fence row, the order's reservation, the stock rows in the order of their SKU ids.
 * 2. That counts for waiting as well: an insert waits for whoever is changing the row it meets, so a freeze inserts its
 *    reservation before it locks any stock.
 * 3. Setting a SKU's stock locks that one row and nothing else.
 */
import type { PoolClient } from 'pg';
import {
  joinedStatement,
  runAlone,
  sqlFile,
  usualCase,
  type StatementOutcome,
  type UsualCase,
} from '../../kit/src/index.ts';
import type { OrderLine } from '../../protocol/src/index.ts';
import type { MissingStock } from './out-of-stock.ts';

const FREEZE_STOCK = joinedStatement<Frozen>(
  'freeze-stock',
  sqlFile(import.meta.url, '../sql/freeze-stock.sql'),
  sqlFile(import.meta.url, '../sql/likely-frozen.sql'),
);
const FORGET_RETURNED = sqlFile(import.meta.url, '../sql/forget-returned.sql');
const CONFIRM_FREEZE = joinedStatement('confirm-freeze', sqlFile(import.meta.url, '../sql/confirm-freeze.sql'));
const LOCK_RESERVATION = sqlFile(import.meta.url, '../sql/lock-reservation.sql');
const MARK_RESERVATION = joinedStatement(
  'mark-reservation',
  sqlFile(import.meta.url, '../sql/mark-reservation.sql'),
  sqlFile(import.meta.url, '../sql/likely-markable.sql'),
);
const UNMARK_RESERVATION = sqlFile(import.meta.url, '../sql/unmark-reservation.sql');
const END_RESERVATION = joinedStatement('end-reservation', sqlFile(import.meta.url, '../sql/end-reservation.sql'));

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

/** Done when nothing is missing. */
export interface Frozen extends StatementOutcome {
  /** False when another transaction has reserved for this order; then `missing` is empty. */
  readonly placed: boolean;
  /** If there is any, a reservation has been placed that holds nothing: what this did must be undone. */
  readonly missing: readonly MissingStock[];
}

function freezing({ orderId, transaction }: Act, lines: readonly OrderLine[]): readonly unknown[] {
  return [orderId, transaction, lines.map(({ skuId }) => skuId), lines.map(({ quantity }) => quantity)];
}

export function freezeUsually(act: Act, lines: readonly OrderLine[]): UsualCase {
  return usualCase(FREEZE_STOCK, freezing(act, lines));
}

export async function freezeStock(client: PoolClient, act: Act, lines: readonly OrderLine[]): Promise<Frozen> {
  return runAlone(client, FREEZE_STOCK, freezing(act, lines));
}

/** Of an order whose reservation this database transaction has locked, and whose own creation has returned it. */
export async function forgetReturned(client: PoolClient, orderId: string): Promise<void> {
  await client.query({ name: 'forget-returned', text: FORGET_RETURNED, values: [orderId] });
}

export function confirmFreezeUsually({ orderId, transaction }: Act): UsualCase {
  return usualCase(CONFIRM_FREEZE, [orderId, transaction]);
}

/** False when this creation has frozen nothing. */
export async function confirmFreeze(client: PoolClient, { orderId, transaction }: Act): Promise<boolean> {
  return (await runAlone(client, CONFIRM_FREEZE, [orderId, transaction])).done;
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

function marking({ orderId, transaction }: Act, lines: readonly OrderLine[]): readonly unknown[] {
  return [orderId, transaction, JSON.stringify(Object.fromEntries(lines.map((line) => [line.skuId, line.quantity])))];
}

export function markUsually(act: Act, lines: readonly OrderLine[]): UsualCase {
  return usualCase(MARK_RESERVATION, marking(act, lines));
}

/** False when it is not frozen, is of other lines, or bears another transaction's mark. */
export async function markReservation(client: PoolClient, act: Act, lines: readonly OrderLine[]): Promise<boolean> {
  return (await runAlone(client, MARK_RESERVATION, marking(act, lines))).done;
}

/** False when it does not bear this transaction's mark. */
export async function unmarkReservation(client: PoolClient, { orderId, transaction }: Act): Promise<boolean> {
  const values = [orderId, transaction];
  const { rowCount } = await client.query({ name: 'unmark-reservation', text: UNMARK_RESERVATION, values });
  return rowCount === 1;
}

export function endUsually({ orderId, transaction }: Act, ending: Ending): UsualCase {
  return usualCase(END_RESERVATION, [orderId, transaction, ending]);
}

/** False when this transaction may not end it; true also when it had ended it so before. */
export async function endReservation(
  client: PoolClient,
  { orderId, transaction }: Act,
  ending: Ending,
): Promise<boolean> {
  return (await runAlone(client, END_RESERVATION, [orderId, transaction, ending])).done;
}

/**
 * Dispatches in the database: one row per order, which keeps the furthest state.
 *
 * Two messages for one order may be handled at the same moment. Whoever is second waits for the first one's end, at the insert or
 * at the lock, and then judges by what the first has left.
 */
import type { Pool, PoolClient } from 'pg';
import { joinedStatement, sqlFile, usualCase, type UsualCase } from '../../kit/src/index.ts';
import { comesFrom, nextState, type DispatchMessage, type DispatchState, type Step } from './next-state.ts';

const OPEN_DISPATCH = { name: 'open-dispatch', text: sqlFile(import.meta.url, '../sql/open-dispatch.sql') };
const LOCK_DISPATCH = { name: 'lock-dispatch', text: sqlFile(import.meta.url, '../sql/lock-dispatch.sql') };
const MOVE_DISPATCH = { name: 'move-dispatch', text: sqlFile(import.meta.url, '../sql/move-dispatch.sql') };
const ADVANCE_DISPATCH = joinedStatement(
  'advance-dispatch',
  sqlFile(import.meta.url, '../sql/advance-dispatch.sql'),
  sqlFile(import.meta.url, '../sql/likely-advanced.sql'),
);
const GET_DISPATCH = { name: 'get-dispatch', text: sqlFile(import.meta.url, '../sql/get-dispatch.sql') };

interface StateRow {
  readonly state: DispatchState;
}
interface LockedRow extends StateRow {
  /** Of the order's transactions; null where it was not kept yet. */
  readonly namespace: string | null;
}

export interface Heard {
  readonly orderId: string;
  readonly message: DispatchMessage;
  /** Where the message comes from. */
  readonly namespace: string | undefined;
}

/** What the message usually makes of the order: it goes on, as `advance` says. */
export function advanceUsually({ orderId, message, namespace }: Heard): UsualCase | undefined {
  const first = nextState(undefined, message);
  if (first.kind !== 'move') return undefined;
  return usualCase(ADVANCE_DISPATCH, [orderId, first.to, namespace, comesFrom(message)]);
}

/** What the message has made of the order; the row is held until the database transaction ends. */
export async function advance(client: PoolClient, heard: Heard): Promise<Step | { readonly kind: 'foreign' }> {
  const { orderId, message, namespace } = heard;
  const first = nextState(undefined, message);
  if (first.kind === 'move' && (await openDispatch(client, heard, first.to))) return first;
  const row = await lockDispatch(client, orderId);
  if (row !== undefined && row.namespace !== null && row.namespace !== namespace) return { kind: 'foreign' };
  const step = nextState(row?.state, message);
  if (step.kind === 'move') await moveDispatch(client, heard, step.to);
  return step;
}

/** Undefined for an order that nothing was heard of. */
export async function getDispatch(pool: Pool, orderId: string): Promise<DispatchState | undefined> {
  const { rows } = await pool.query<StateRow>({ ...GET_DISPATCH, values: [orderId] });
  return rows[0]?.state;
}

async function openDispatch(client: PoolClient, { orderId, namespace }: Heard, state: DispatchState): Promise<boolean> {
  const { rowCount } = await client.query({ ...OPEN_DISPATCH, values: [orderId, state, namespace] });
  return rowCount === 1;
}

async function lockDispatch(client: PoolClient, orderId: string): Promise<LockedRow | undefined> {
  const { rows } = await client.query<LockedRow>({ ...LOCK_DISPATCH, values: [orderId] });
  return rows[0];
}

async function moveDispatch(client: PoolClient, { orderId, namespace }: Heard, state: DispatchState): Promise<void> {
  const { rowCount } = await client.query({ ...MOVE_DISPATCH, values: [orderId, state, namespace] });
  if (rowCount !== 1) throw new Error(`the dispatch of order ${orderId} is gone while it is locked`);
}

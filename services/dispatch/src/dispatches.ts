/**
 * Dispatches in the database: one row per order, which keeps the furthest state.
 *
 * Two messages for one order may be handled at the same moment. Whoever is second waits for the first one's end, at the insert or
 * at the lock, and then judges by what the first has left.
 */
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';
import { nextState, type DispatchMessage, type DispatchState, type Step } from './next-state.ts';

const OPEN_DISPATCH = { name: 'open-dispatch', text: sqlFile(import.meta.url, '../sql/open-dispatch.sql') };
const LOCK_DISPATCH = { name: 'lock-dispatch', text: sqlFile(import.meta.url, '../sql/lock-dispatch.sql') };
const MOVE_DISPATCH = { name: 'move-dispatch', text: sqlFile(import.meta.url, '../sql/move-dispatch.sql') };
const GET_DISPATCH = { name: 'get-dispatch', text: sqlFile(import.meta.url, '../sql/get-dispatch.sql') };

interface StateRow {
  readonly state: DispatchState;
}

/** What the message has made of the order; the row is held until the database transaction ends. */
export async function advance(client: PoolClient, orderId: string, message: DispatchMessage): Promise<Step> {
  const first = nextState(undefined, message);
  if (first.kind === 'move' && (await openDispatch(client, orderId, first.to))) return first;
  const step = nextState(await lockDispatch(client, orderId), message);
  if (step.kind === 'move') await moveDispatch(client, orderId, step.to);
  return step;
}

/** Undefined for an order that nothing was heard of. */
export async function getDispatch(pool: Pool, orderId: string): Promise<DispatchState | undefined> {
  const { rows } = await pool.query<StateRow>({ ...GET_DISPATCH, values: [orderId] });
  return rows[0]?.state;
}

async function openDispatch(client: PoolClient, orderId: string, state: DispatchState): Promise<boolean> {
  const { rowCount } = await client.query({ ...OPEN_DISPATCH, values: [orderId, state] });
  return rowCount === 1;
}

async function lockDispatch(client: PoolClient, orderId: string): Promise<DispatchState | undefined> {
  const { rows } = await client.query<StateRow>({ ...LOCK_DISPATCH, values: [orderId] });
  return rows[0]?.state;
}

async function moveDispatch(client: PoolClient, orderId: string, state: DispatchState): Promise<void> {
  const { rowCount } = await client.query({ ...MOVE_DISPATCH, values: [orderId, state] });
  if (rowCount !== 1) throw new Error(`the dispatch of order ${orderId} is gone while it is locked`);
}

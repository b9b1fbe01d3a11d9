/**
 * Shipments in the database: one row per order, which keeps the furthest state.
 *
 * 1. Two messages for one order may be handled at the same moment. Whoever is second waits for the first one's end, at the insert
 *    or at the lock, and then judges by what the first has left.
 * 2. Shipping locks the row as well, so of many calls at once only one finds it OUTBOUND, and only that one tells of it.
 */
import type { Pool, PoolClient } from 'pg';
import { inTransaction, joinedStatement, sqlFile, tell, usualCase, type UsualCase } from '../../kit/src/index.ts';
import type { OrderLine, WmsShipped } from '../../protocol/src/index.ts';
import { comesFrom, nextState, type ShipmentMessage, type ShipmentState, type Step } from './next-state.ts';

const OPEN_SHIPMENT = { name: 'open-shipment', text: sqlFile(import.meta.url, '../sql/open-shipment.sql') };
const LOCK_SHIPMENT = { name: 'lock-shipment', text: sqlFile(import.meta.url, '../sql/lock-shipment.sql') };
const MOVE_SHIPMENT = { name: 'move-shipment', text: sqlFile(import.meta.url, '../sql/move-shipment.sql') };
const ADVANCE_SHIPMENT = joinedStatement(
  'advance-shipment',
  sqlFile(import.meta.url, '../sql/advance-shipment.sql'),
  sqlFile(import.meta.url, '../sql/likely-advanced.sql'),
);
const GET_SHIPMENT = { name: 'get-shipment', text: sqlFile(import.meta.url, '../sql/get-shipment.sql') };

interface StateRow {
  readonly state: ShipmentState;
}
interface LockedRow extends StateRow {
  /** Of the order's transactions; null where it was not kept yet. */
  readonly namespace: string | null;
}

export interface ShippedOrder {
  readonly orderId: string;
  readonly lines: readonly OrderLine[];
}
export interface Heard extends ShippedOrder {
  readonly message: ShipmentMessage;
  /** Where the message comes from. */
  readonly namespace: string | undefined;
}

/** What the message usually makes of the order: it goes on, as `advance` says. */
export function advanceUsually({ orderId, lines, message, namespace }: Heard): UsualCase | undefined {
  const first = nextState(undefined, message);
  if (first.kind !== 'move') return undefined;
  return usualCase(ADVANCE_SHIPMENT, [orderId, first.to, toPick(lines), namespace, comesFrom(message)]);
}

/** JSON. */
function toPick(lines: readonly OrderLine[]): string {
  return JSON.stringify(lines.map(({ skuId, quantity }) => ({ skuId, quantity })));
}

/** What the message has made of the order; the row is held until the database transaction ends. */
export async function advance(client: PoolClient, heard: Heard): Promise<Step | { readonly kind: 'foreign' }> {
  const { orderId, message, namespace } = heard;
  const first = nextState(undefined, message);
  if (first.kind === 'move' && (await openShipment(client, heard, first.to))) return first;
  const row = await lockShipment(client, orderId);
  if (row !== undefined && row.namespace !== null && row.namespace !== namespace) return { kind: 'foreign' };
  const step = nextState(row?.state, message);
  if (step.kind === 'move') await moveShipment(client, orderId, step.to, namespace);
  return step;
}

export interface Shipping {
  /** Afterwards; undefined for an order that nothing was heard of. */
  readonly state: ShipmentState | undefined;
  /** Whether this call has shipped it: a message waits in the outbox. */
  readonly told: boolean;
}

/** Ships what is OUTBOUND and leaves everything else as it is. */
export async function ship(pool: Pool, orderId: string, traceparent: string | undefined): Promise<Shipping> {
  return inTransaction(pool, async (client) => {
    const state = (await lockShipment(client, orderId))?.state;
    if (state !== 'OUTBOUND') return { state, told: false };
    await moveShipment(client, orderId, 'SHIPPED');
    const [stream, type, data] = ['order', 'wms.shipped', { orderId } satisfies WmsShipped] as const;
    await tell(client, { id: `wms/${type}/${orderId}`, stream, type, subject: orderId, data, traceparent });
    return { state: 'SHIPPED', told: true };
  });
}

/** Undefined for an order that nothing was heard of. */
export async function getShipment(pool: Pool, orderId: string): Promise<ShipmentState | undefined> {
  const { rows } = await pool.query<StateRow>({ ...GET_SHIPMENT, values: [orderId] });
  return rows[0]?.state;
}

async function openShipment(
  client: PoolClient,
  { orderId, lines, namespace }: Heard,
  state: ShipmentState,
): Promise<boolean> {
  const { rowCount } = await client.query({
    ...OPEN_SHIPMENT,
    values: [orderId, state, toPick(lines), namespace],
  });
  return rowCount === 1;
}

async function lockShipment(client: PoolClient, orderId: string): Promise<LockedRow | undefined> {
  const { rows } = await client.query<LockedRow>({ ...LOCK_SHIPMENT, values: [orderId] });
  return rows[0];
}

async function moveShipment(
  client: PoolClient,
  orderId: string,
  state: ShipmentState,
  namespace?: string,
): Promise<void> {
  const { rowCount } = await client.query({ ...MOVE_SHIPMENT, values: [orderId, state, namespace] });
  if (rowCount !== 1) throw new Error(`the shipment of order ${orderId} is gone while it is locked`);
}

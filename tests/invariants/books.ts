/**
 * What the services' databases and the cluster say, read once and side by side: the material the invariants judge.
 *
 * The services are read one after the other, so the books agree only while nothing is under way. A service that joins the system
 * adds its reader here and its part to Books.
 */
import pg from 'pg';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';

/** Quantity by SKU id. */
export type Quantities = ReadonlyMap<string, number>;

export interface OrderEntry {
  readonly status: string;
  readonly wanted: Quantities;
}

export interface StockEntry {
  readonly stocked: number;
  readonly sellable: number;
  readonly frozen: number;
  readonly sold: number;
}

export interface ReservationEntry {
  readonly state: string;
  readonly held: Quantities;
}

export interface Books {
  /** By order id. */
  readonly orders: ReadonlyMap<string, OrderEntry>;
  /** Order ids in the creation outbox. */
  readonly creations: readonly string[];
  /** By SKU id. */
  readonly stock: ReadonlyMap<string, StockEntry>;
  /** By order id. */
  readonly reservations: ReadonlyMap<string, ReservationEntry>;
  /** Those that are not removed yet; none when the caller gave none. */
  readonly transactions: readonly OrderTransaction[];
}

export interface Sources {
  /** Connection strings; as `services.NAME.databaseUrl` in stack.json. */
  readonly databases: { readonly order: string; readonly inventory: string };
  readonly transactions?: readonly OrderTransaction[];
}

export async function readBooks({ databases, transactions = [] }: Sources): Promise<Books> {
  const order = await withClient(databases.order, readOrder);
  const inventory = await withClient(databases.inventory, readInventory);
  return { ...order, ...inventory, transactions };
}

/** One snapshot of one database: what is read of it belongs together. */
async function withClient<T>(connectionString: string, read: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    return await read(client);
  } finally {
    await client.end();
  }
}

async function readOrder(client: pg.Client): Promise<Pick<Books, 'orders' | 'creations'>> {
  const orders = await client.query<{
    readonly order_id: string;
    readonly status: string;
    readonly lines: readonly { readonly skuId: string; readonly quantity: number }[];
  }>('select order_id, status, lines from orders');
  const creations = await client.query<{ readonly order_id: string }>('select order_id from creation');
  return {
    orders: new Map(
      orders.rows.map(({ order_id: orderId, status, lines }) => [
        orderId,
        { status, wanted: new Map(lines.map(({ skuId, quantity }) => [skuId, quantity])) },
      ]),
    ),
    creations: creations.rows.map((row) => row.order_id),
  };
}

async function readInventory(client: pg.Client): Promise<Pick<Books, 'stock' | 'reservations'>> {
  const stock = await client.query<StockEntry & { readonly sku_id: string }>(
    'select sku_id, stocked, sellable, frozen, sold from stock',
  );
  const reservations = await client.query<{
    readonly order_id: string;
    readonly state: string;
    readonly lines: Readonly<Record<string, number>> | null;
  }>(
    `select order_id, state, jsonb_object_agg(sku_id, quantity) filter (where sku_id is not null) as lines
     from reservation left join reservation_line using (order_id)
     group by order_id`,
  );
  return {
    stock: new Map(stock.rows.map(({ sku_id: skuId, ...entry }) => [skuId, entry])),
    reservations: new Map(
      reservations.rows.map(({ order_id: orderId, state, lines }) => [
        orderId,
        { state, held: new Map(Object.entries(lines ?? {})) },
      ]),
    ),
  };
}

/**
 * What the services' databases and the cluster say, read once and side by side: the material the invariants judge.
 *
 * The services are read one after the other, so the books agree only while nothing is under way. A system may lack services: what
 * an absent one would say is undefined, and invariants about it hold. A service that joins adds its reader and its part here.
 */
import pg from 'pg';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';

/** Whose data is read. */
export type ServiceName = 'order' | 'inventory' | 'payment' | 'dispatch' | 'wms' | 'member' | 'notification';

/** Quantity by SKU id. */
export type Quantities = ReadonlyMap<string, number>;

export interface OrderEntry {
  readonly status: string;
  readonly userId: string;
  readonly totalCents: number;
  /** Of the payment that has paid it. */
  readonly paymentId: string | null;
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
  /** The transaction that is about to end it. */
  readonly markedBy: string | null;
}

export interface PaymentEntry {
  readonly orderId: string;
  readonly status: string;
  /** null: nothing was captured. */
  readonly capturedCents: number | null;
  /** null: nothing was refunded. */
  readonly refundedCents: number | null;
}

export interface GrantEntry {
  readonly paymentId: string;
  readonly userId: string;
  readonly points: number;
  readonly growth: number;
}

export interface NotificationEntry {
  readonly orderId: string;
  /** Attempts, by how they ended; null for one that was cut off. */
  readonly outcomes: readonly (string | null)[];
}

/** A message that a service has started and that has no receipt. */
export interface OutboxEntry {
  readonly service: string;
  readonly id: string;
  readonly refusedReason: string | null;
}

export interface Books {
  /** By order id. */
  readonly orders: ReadonlyMap<string, OrderEntry>;
  /** Transactions in the creation outbox. */
  readonly creations: readonly string[];
  /** By SKU id. */
  readonly stock: ReadonlyMap<string, StockEntry>;
  /** By order id. */
  readonly reservations: ReadonlyMap<string, ReservationEntry>;
  /** By payment id. */
  readonly payments: ReadonlyMap<string, PaymentEntry> | undefined;
  /** States by order id. */
  readonly dispatches: ReadonlyMap<string, string> | undefined;
  /** States by order id. */
  readonly shipments: ReadonlyMap<string, string> | undefined;
  /** By order id. */
  readonly grants: ReadonlyMap<string, GrantEntry> | undefined;
  /** By the message's id. */
  readonly notifications: ReadonlyMap<string, NotificationEntry> | undefined;
  readonly outboxes: readonly OutboxEntry[];
  /** Those that are not removed yet; none when the caller gave none. */
  readonly transactions: readonly OrderTransaction[];
}

export interface Sources {
  /** Connection strings by service; as `services.NAME.databaseUrl` in stack.json. */
  readonly databases: Readonly<Record<'order' | 'inventory', string> & Partial<Record<ServiceName, string>>>;
  readonly transactions?: readonly OrderTransaction[];
}

export async function readBooks({ databases, transactions = [] }: Sources): Promise<Books> {
  const order = await withClient(databases.order, readOrder);
  const inventory = await withClient(databases.inventory, readInventory);
  const { payment, dispatch, wms, member, notification } = databases;
  return {
    ...order,
    ...inventory,
    payments: payment === undefined ? undefined : await withClient(payment, readPayments),
    dispatches: dispatch === undefined ? undefined : await withClient(dispatch, (client) => states(client, 'dispatch')),
    shipments: wms === undefined ? undefined : await withClient(wms, (client) => states(client, 'shipment')),
    grants: member === undefined ? undefined : await withClient(member, readGrants),
    notifications: notification === undefined ? undefined : await withClient(notification, readNotifications),
    outboxes: await readOutboxes(databases),
    transactions,
  };
}

/** One snapshot of one database: what is read of it belongs together. */
async function withClient<T>(connectionString: string, read: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined); // The query that fails says it.
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    return await read(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function readOrder(client: pg.Client): Promise<Pick<Books, 'orders' | 'creations'>> {
  const orders = await client.query<
    Omit<OrderEntry, 'wanted'> & {
      readonly order_id: string;
      readonly lines: readonly { readonly skuId: string; readonly quantity: number }[];
    }
  >(
    `select order_id, status, user_id as "userId", total_cents::float8 as "totalCents", payment_id as "paymentId", lines
     from orders`,
  );
  const creations = await client.query<{ readonly transaction: string }>('select transaction from creation');
  return {
    orders: new Map(
      orders.rows.map(({ order_id: orderId, lines, ...entry }) => [
        orderId,
        { ...entry, wanted: new Map(lines.map(({ skuId, quantity }) => [skuId, quantity])) },
      ]),
    ),
    creations: creations.rows.map((row) => row.transaction),
  };
}

async function readInventory(client: pg.Client): Promise<Pick<Books, 'stock' | 'reservations'>> {
  const stock = await client.query<StockEntry & { readonly sku_id: string }>(
    'select sku_id, stocked, sellable, frozen, sold from stock',
  );
  const reservations = await client.query<
    Omit<ReservationEntry, 'held'> & {
      readonly order_id: string;
      readonly lines: Readonly<Record<string, number>> | null;
    }
  >(
    `select
       order_id, state, marked_by as "markedBy",
       jsonb_object_agg(sku_id, quantity) filter (where sku_id is not null) as lines
     from reservation left join reservation_line using (order_id)
     group by order_id`,
  );
  return {
    stock: new Map(stock.rows.map(({ sku_id: skuId, ...entry }) => [skuId, entry])),
    reservations: new Map(
      reservations.rows.map(({ order_id: orderId, lines, ...entry }) => [
        orderId,
        { ...entry, held: new Map(Object.entries(lines ?? {})) },
      ]),
    ),
  };
}

async function readPayments(client: pg.Client): Promise<ReadonlyMap<string, PaymentEntry>> {
  const { rows } = await client.query<PaymentEntry & { readonly payment_id: string }>(
    `select
       payment_id, order_id as "orderId", status, captured_cents::float8 as "capturedCents",
       refunds.amount_cents::float8 as "refundedCents"
     from payments left join refunds using (payment_id)`,
  );
  return new Map(rows.map(({ payment_id: paymentId, ...entry }) => [paymentId, entry]));
}

async function states(client: pg.Client, table: 'dispatch' | 'shipment'): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ readonly order_id: string; readonly state: string }>(
    `select order_id, state from ${table}`,
  );
  return new Map(rows.map(({ order_id: orderId, state }) => [orderId, state]));
}

async function readGrants(client: pg.Client): Promise<ReadonlyMap<string, GrantEntry>> {
  const { rows } = await client.query<GrantEntry & { readonly order_id: string }>(
    `select
       order_id, payment_id as "paymentId", user_id as "userId", points::float8 as points, growth::float8 as growth
     from point_grant`,
  );
  return new Map(rows.map(({ order_id: orderId, ...entry }) => [orderId, entry]));
}

async function readNotifications(client: pg.Client): Promise<ReadonlyMap<string, NotificationEntry>> {
  const { rows } = await client.query<NotificationEntry & { readonly id: string }>(
    `select notifications.id, order_id as "orderId", array_agg(outcome) as outcomes
     from notifications join attempts on notification_id = notifications.id
     group by notifications.id`,
  );
  return new Map(rows.map(({ id, ...entry }) => [id, entry]));
}

async function readOutboxes(databases: Sources['databases']): Promise<readonly OutboxEntry[]> {
  const entries: OutboxEntry[] = [];
  for (const [service, url] of Object.entries(databases)) {
    const { rows } = await withClient(url, (client) =>
      client.query<Omit<OutboxEntry, 'service'>>('select id, refused_reason as "refusedReason" from ordertx_outbox'),
    );
    entries.push(...rows.map((row) => ({ service, ...row })));
  }
  return entries;
}

/**
 * One read-only snapshot of every service's database, taken as close together as connections can be opened.
 *
 * What changed between two of the snapshots is young in the later one, so that whoever leaves out what is young compares only what
 * belongs together.
 */
import pg from 'pg';
import { ORDER_TABLES, OUTBOX, STOCK, type Databases, type OrderRow, type OrderTable } from './rows.ts';
import type { OutboxEntry, ServiceName, StockEntry } from './books.ts';

/** Rows held of each table at a time: some kilobytes each at most. */
const FETCH_ROWS = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;

export interface AgedOutboxEntry extends OutboxEntry {
  readonly ageSeconds: number;
}

export interface Snapshots {
  /** Every row of the table; sorted by order id, byte by byte, a batch at a time. */
  rows(table: OrderTable): AsyncGenerator<OrderRow, void>;
  stock(): Promise<ReadonlyMap<string, StockEntry>>;
  /** Of all services. */
  outboxes(): Promise<readonly AgedOutboxEntry[]>;
  close(): Promise<void>;
}

/** Rejects with an error that names the service whose database cannot be read. */
export async function takeSnapshots(databases: Databases): Promise<Snapshots> {
  const clients = new Map<ServiceName, pg.Client>();
  const close = async (): Promise<void> => {
    await Promise.all([...clients.values()].map((client) => client.end().catch(() => undefined)));
  };
  try {
    await Promise.all(
      Object.entries(databases).map(async ([service, url]) => {
        const client = await openSnapshot(url).catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          throw new Error(`the database of ${service} cannot be read: ${why}`, { cause: error });
        });
        clients.set(service as ServiceName, client);
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    rows: (table) => sortedRows(clients.get(table.service), table),
    stock: async () => {
      const { rows = [] } =
        (await clients.get('inventory')?.query<StockEntry & { readonly sku_id: string }>(STOCK)) ?? {};
      return new Map(rows.map(({ sku_id: skuId, ...entry }) => [skuId, entry]));
    },
    outboxes: async () => {
      const entries: AgedOutboxEntry[] = [];
      for (const [service, client] of clients) {
        const { rows } = await client.query<Omit<OutboxEntry, 'service'> & { readonly age_seconds: number }>(OUTBOX);
        entries.push(...rows.map(({ age_seconds: ageSeconds, ...row }) => ({ service, ageSeconds, ...row })));
      }
      return entries;
    },
    close,
  };
}

async function openSnapshot(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    application_name: 'reconcile',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined); // The query that fails says it.
  await client.connect();
  // The snapshot is taken by the first statement that reads.
  await client.query('begin isolation level repeatable read read only');
  await client.query('select pg_current_snapshot()');
  return client;
}

async function* sortedRows(client: pg.Client | undefined, table: OrderTable): AsyncGenerator<OrderRow, void> {
  if (client === undefined) return;
  const cursor = `rows_${String(ORDER_TABLES.indexOf(table))}`;
  await client.query(`declare ${cursor} no scroll cursor for
    select * from (${table.statement}) as entry order by order_id collate "C"`);
  for (;;) {
    const { rows } = await client.query<OrderRow>(`fetch ${String(FETCH_ROWS)} from ${cursor}`);
    yield* rows;
    if (rows.length < FETCH_ROWS) break;
  }
  await client.query(`close ${cursor}`);
}

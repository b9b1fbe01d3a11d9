/**
 * The books of one order after the other: a merge of what every service says, sorted by order id.
 *
 * Only the rows of one order and a batch of each table are in memory, so a million orders need no more of it than a thousand.
 */
import { newDraft, ORDER_TABLES, type Draft, type OrderRow, type OrderTable } from './rows.ts';
import type { Snapshots } from './snapshots.ts';

export interface OneOrder {
  readonly orderId: string;
  readonly draft: Draft;
  /** Since any service last changed anything of it. */
  readonly ageSeconds: number;
}

interface Head {
  readonly table: OrderTable;
  readonly rows: AsyncGenerator<OrderRow, void>;
  row: OrderRow | undefined;
}

/** Every order that any service knows, once. */
export async function* eachOrder(snapshots: Pick<Snapshots, 'rows'>): AsyncGenerator<OneOrder> {
  const heads: Head[] = [];
  for (const table of ORDER_TABLES) {
    const rows = snapshots.rows(table);
    heads.push({ table, rows, row: await next(rows) });
  }
  for (;;) {
    const orderId = first(heads);
    if (orderId === undefined) return;
    const draft = newDraft();
    let ageSeconds = Infinity;
    for (const head of heads) {
      while (head.row?.order_id === orderId) {
        head.table.write(draft, head.row);
        ageSeconds = Math.min(ageSeconds, head.row.age_seconds);
        head.row = await next(head.rows);
      }
    }
    yield { orderId, draft, ageSeconds };
  }
}

async function next(rows: AsyncGenerator<OrderRow, void>): Promise<OrderRow | undefined> {
  return (await rows.next()).value ?? undefined;
}

/** Compared as the databases sort them: ids are ASCII, so units of code and bytes come in the same order. */
function first(heads: readonly Head[]): string | undefined {
  let least: string | undefined;
  for (const { row } of heads) {
    if (row !== undefined && (least === undefined || row.order_id < least)) least = row.order_id;
  }
  return least;
}

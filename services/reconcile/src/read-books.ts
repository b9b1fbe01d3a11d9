/**
 * The books of all orders at once, for systems that fit into memory: tests and the demo.
 */
import type { Books } from './books.ts';
import { booksOf, newDraft, ORDER_TABLES, type Databases } from './rows.ts';
import { takeSnapshots } from './snapshots.ts';

export interface Sources {
  readonly databases: Databases;
  readonly transactions?: Books['transactions'];
}

export async function readBooks({ databases, transactions }: Sources): Promise<Books> {
  const snapshots = await takeSnapshots(databases);
  try {
    const draft = newDraft();
    for (const table of ORDER_TABLES) for await (const row of snapshots.rows(table)) table.write(draft, row);
    const outboxes = (await snapshots.outboxes()).map(({ service, id, refusedReason }) => ({
      service,
      id,
      refusedReason,
    }));
    return booksOf({ ...draft, stock: new Map(await snapshots.stock()), outboxes }, databases, transactions);
  } finally {
    await snapshots.close();
  }
}

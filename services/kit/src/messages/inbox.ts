/**
 * The inbox: a message's effect happens once.
 *
 * The row is inserted first, so a second copy that is handled at the same moment waits for the first one's end; row and effect are
 * kept together or not at all.
 */
import type { Pool } from 'pg';
import { sqlFile } from '../postgres/sql.ts';
import { endTransaction } from '../postgres/transaction.ts';
import type { Delivered, NotYet, OnceHandler, ReceivedMessage, RefusedMessage } from './handler.ts';

const insertMessage = { name: 'insert-message', text: sqlFile(import.meta.url, './sql/insert-message.sql') };

export type Inboxed = { readonly replayed: boolean } & (Delivered | RefusedMessage | NotYet);

/** Rejects with the database's error, or with what the handler threw; then nothing was kept, or nobody knows (commit). */
export async function handleOnce<Data>(
  pool: Pool,
  handler: OnceHandler<Data>,
  message: ReceivedMessage<Data>,
): Promise<Inboxed> {
  const result = await endTransaction<Inboxed>(pool, async (client) => {
    const { rowCount } = await client.query({ ...insertMessage, values: [message.id, message.type] });
    if (rowCount === 0) return { keep: false, value: { kind: 'delivered', replayed: true } };
    const handled = await handler.handle(client, message);
    return { keep: handled.kind === 'delivered', value: { ...handled, replayed: false } };
  });
  if (result.kind === 'delivered') result.afterwards?.();
  return result;
}

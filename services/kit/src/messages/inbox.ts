/**
 * The inbox: a message's effect happens once.
 *
 * The row is inserted first, so a second copy that is handled at the same moment waits for the first one's end; row and effect are
 * kept together or not at all.
 */
import type { Pool } from 'pg';
import { sqlFile } from '../postgres/sql.ts';
import { endTransaction } from '../postgres/transaction.ts';
import type { Delivered, ForeignMessage, NotYet, OnceHandler, ReceivedMessage, RefusedMessage } from './handler.ts';

const findMessage = { name: 'find-message', text: sqlFile(import.meta.url, './sql/find-message.sql') };
const insertMessage = { name: 'insert-message', text: sqlFile(import.meta.url, './sql/insert-message.sql') };

export type Inboxed = { readonly replayed: boolean } & (Delivered | RefusedMessage | NotYet | ForeignMessage);

/** Rejects with the database's error, or with what the handler threw; then nothing was kept, or nobody knows (commit). */
export async function handleOnce<Data>(
  pool: Pool,
  handler: OnceHandler<Data>,
  message: ReceivedMessage<Data>,
): Promise<Inboxed> {
  if (handler.before !== undefined) {
    // What was handled is answered without asking anybody.
    const { rowCount } = await pool.query({ ...findMessage, values: [message.id] });
    if (rowCount !== 0) return { kind: 'delivered', replayed: true };
    const objection = await handler.before(message);
    if (objection !== undefined) return { ...objection, replayed: false };
  }
  const result = await endTransaction<Inboxed>(pool, async (client) => {
    const { rowCount } = await client.query({ ...insertMessage, values: [message.id, message.type] });
    if (rowCount === 0) return { keep: false, value: { kind: 'delivered', replayed: true } };
    const handled = await handler.handle(client, message);
    return { keep: handled.kind === 'delivered', value: { ...handled, replayed: false } };
  });
  if (result.kind === 'delivered') result.afterwards?.();
  return result;
}

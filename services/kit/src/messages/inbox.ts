/**
 * The inbox: a message's effect happens once.
 *
 * The row is inserted first, so a second copy that is handled at the same moment waits for the first one's end; row and effect are
 * kept together or not at all. Where a handler says what a message usually comes to, row and effect are one statement
 * (joined-statement.ts).
 *
 * An id belongs to what was said under it first. Another message under the same id is no duplicate, and nobody's answer: one of the two
 * is not by the sender it names. It is refused, so that its sender shows it to people.
 */
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../postgres/sql.ts';
import { endTransaction } from '../postgres/transaction.ts';
import type { Delivered, ForeignMessage, NotYet, OnceHandler, ReceivedMessage, RefusedMessage } from './handler.ts';

const findMessage = { name: 'find-message', text: sqlFile(import.meta.url, './sql/find-message.sql') };
/** Joined with what a message usually comes to. */
const claimMessage = { name: 'usual-message', text: sqlFile(import.meta.url, './sql/claim-message.sql') };
const insertMessage = { name: 'insert-message', text: sqlFile(import.meta.url, './sql/insert-message.sql') };
const forgetStatement = sqlFile(import.meta.url, './sql/forget-message.sql');

/** Another message was handled under this id. */
export interface Conflict {
  readonly kind: 'conflict';
  readonly reason: string;
}
export type Inboxed = { readonly replayed: boolean } & (
  Delivered | RefusedMessage | NotYet | ForeignMessage | Conflict
);

const CONFLICT: Inboxed = {
  kind: 'conflict',
  reason: 'id: another message was handled under it, with another source, type or data: one of the two is forged',
  replayed: false,
};

/** Rejects with the database's error, or with what the handler threw; then nothing was kept, or nobody knows (commit). */
export async function handleOnce<Data>(
  pool: Pool,
  handler: OnceHandler<Data>,
  message: ReceivedMessage<Data>,
): Promise<Inboxed> {
  if (handler.before !== undefined) {
    // What was handled is answered without asking anybody.
    const before = await handledBefore(pool, message);
    if (before !== undefined) return before;
    const objection = await handler.before(message);
    if (objection !== undefined) return { ...objection, replayed: false };
  }
  const claim = { ...claimMessage, values: [message.id, message.type, message.digest] };
  if (await handler.usual?.(message)?.run(pool, claim)) return { kind: 'delivered', replayed: false };
  const result = await endTransaction<Inboxed>(pool, async (client) => {
    const { rowCount } = await client.query({ ...insertMessage, values: [message.id, message.type, message.digest] });
    const before = rowCount === 0 ? await handledBefore(client, message) : undefined;
    if (before !== undefined) return { keep: false, value: before };
    const handled = await handler.handle(client, message);
    return { keep: handled.kind === 'delivered', value: { ...handled, replayed: false } };
  });
  if (result.kind === 'delivered') result.afterwards?.();
  return result;
}

/** The message counts as never handled from now on: should it come once more, it is judged afresh. */
export async function forgetMessage(client: PoolClient, id: string): Promise<void> {
  await client.query(forgetStatement, [id]);
}

async function handledBefore(
  database: Pool | PoolClient,
  { id, digest }: Pick<ReceivedMessage<unknown>, 'id' | 'digest'>,
): Promise<Inboxed | undefined> {
  const { rows } = await database.query<{ readonly digest: string | null }>({ ...findMessage, values: [id] });
  const [row] = rows;
  if (row === undefined) return undefined;
  return row.digest === null || row.digest === digest ? { kind: 'delivered', replayed: true } : CONFLICT;
}

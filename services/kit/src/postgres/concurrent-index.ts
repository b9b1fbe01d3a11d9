/**
 * The changes that cannot be part of a database transaction: an index that is built, or dropped, while its table stays in use.
 *
 * Such a file has the line `-- no transaction` and one statement. A build that was cut off leaves an index that is kept up to date and
 * used by nobody (INVALID): it is dropped and built again. One that is whole is taken as it is, because a build that was ended between
 * its last step and the note that it has been run leaves just that.
 */
import type { Client } from 'pg';
import { escapeIdentifier } from 'pg';

export function isOutsideTransaction(text: string): boolean {
  return /^-- no transaction$/m.test(text);
}

const BUILD = /^create\s+(?:unique\s+)?index\s+concurrently\s+(?<name>[a-z_][a-z0-9_]*)\s+on\s/;
const DROP = /^drop\s+index\s+concurrently\s+if\s+exists\s+[a-z_][a-z0-9_]*\s*;?\s*$/;

/** Safe to repeat after an end at any moment. On the way out `lock_timeout` is what it was. */
export async function runOutsideTransaction(client: Client, text: string, lockTimeoutMs: number): Promise<void> {
  const statement = text.replaceAll(/^\s*--.*$/gm, '').trim();
  const name = BUILD.exec(statement)?.groups?.name;
  if (name === undefined && !DROP.test(statement)) {
    throw new Error(
      'a file with `-- no transaction` has one statement: `create [unique] index concurrently <name> on ...` or `drop index concurrently if exists <name>`',
    );
  }
  // Nobody queues behind these waits but other changes of the schema, so they may be long; a time-out would leave the index INVALID.
  await client.query('set lock_timeout = 0');
  try {
    if (name === undefined) await client.query(statement);
    else await build(client, name, statement);
  } finally {
    // Where the connection is lost, that is not what went wrong.
    await client.query(`set lock_timeout = ${lockTimeoutMs}`).catch(() => undefined);
  }
}

async function build(client: Client, name: string, statement: string): Promise<void> {
  const state = await stateOf(client, name);
  if (state === 'valid') return;
  if (state === 'invalid') await drop(client, name);
  try {
    await client.query(statement);
  } catch (error) {
    // An INVALID unique index refuses rows all the same. Where even this fails, the next start drops it.
    await drop(client, name).catch(() => undefined);
    throw error;
  }
}

async function drop(client: Client, name: string): Promise<void> {
  await client.query(`drop index concurrently if exists ${escapeIdentifier(name)}`);
}

async function stateOf(client: Client, name: string): Promise<'valid' | 'invalid' | 'missing'> {
  const { rows } = await client.query<{ readonly indisvalid: boolean }>(
    'select indisvalid from pg_index where indexrelid = to_regclass($1)',
    [name],
  );
  if (rows[0] === undefined) return 'missing';
  return rows[0].indisvalid ? 'valid' : 'invalid';
}

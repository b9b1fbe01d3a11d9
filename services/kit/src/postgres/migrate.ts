/**
 * Schema changes: numbered SQL files (`0001_what-it-does.sql`), forward only.
 *
 * The kit's own run first, then the service's; each list has its own table of what has been run. Any number of replicas may start
 * at once: an advisory lock lets one work while the others wait, and then find nothing to do. All pending files of a list are one
 * database transaction, so a faulty one leaves nothing half done.
 */
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import { Client } from 'pg';
import type { Log } from '../log.ts';

export interface MigrateOptions {
  readonly connectionString: string;
  /** The service's folder: `new URL('./migrations/', import.meta.url)`. */
  readonly folder: URL;
  readonly log: Log;
}

const KIT_FOLDER = new URL('../../migrations/', import.meta.url);
const CONNECT_TIMEOUT_MS = 10_000;

/** Resolves when the schema is current. Rejects with the database's error; nothing of the faulty list has been applied then. */
export async function migrate(options: MigrateOptions): Promise<void> {
  // A connection of its own: a migration may take longer than any time-out of the pool.
  const client = new Client({
    connectionString: options.connectionString,
    application_name: 'migrate',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  await client.connect();
  try {
    await runFolder(client, KIT_FOLDER, 'ordertx_kit_migrations', options.log);
    await runFolder(client, options.folder, 'ordertx_service_migrations', options.log);
  } finally {
    await client.end();
  }
}

async function runFolder(client: Client, folder: URL, migrationsTable: string, log: Log): Promise<void> {
  const done = await runner({
    dbClient: client,
    dir: fileURLToPath(folder),
    direction: 'up',
    migrationsTable,
    singleTransaction: true,
    advisoryLockMode: 'wait',
    logger: {
      debug: (message: string) => log.trace(message),
      info: (message: string) => log.trace(message),
      warn: (message: string) => log.warn(message),
      error: (message: string) => log.error(message),
    },
  });
  for (const { name } of done) log.info({ migration: name }, 'migration applied');
}

/**
 * A service's database as it was at some moment, and how the service is put back to it: what a restore from a backup does.
 */
import pg from 'pg';
import { waitFor } from '../../local/deadline.ts';
import type { RunningService } from '../../local/services.ts';

const FREE_MS = 20_000;

/** The service is away for a moment: a database in use cannot be copied. */
export async function backUp(service: RunningService): Promise<void> {
  await whileStopped(service, (client, name) => copy(client, name, `${name}_backup`));
}

/** What was committed since the backup is gone. Resolves when the service is ready. */
export async function restore(service: RunningService): Promise<void> {
  await whileStopped(service, (client, name) => copy(client, `${name}_backup`, name));
}

async function whileStopped(
  { part, databaseUrl }: RunningService,
  work: (client: pg.Client, name: string) => Promise<void>,
): Promise<void> {
  part.process.kill('SIGKILL');
  await part.process.exited;
  const url = new URL(databaseUrl);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await work(client, name);
  await client.end();
  await part.restart();
}

async function copy(client: pg.Client, from: string, to: string): Promise<void> {
  await client.query(`drop database if exists "${to}" with (force)`);
  // The connections of a killed process end a moment after it.
  await waitFor(async () => client.query(`create database "${to}" template "${from}"`), {
    ...{ what: `${from} to be free to be copied`, deadlineMs: FREE_MS },
  });
}

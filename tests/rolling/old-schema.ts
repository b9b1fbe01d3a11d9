/**
 * A database as the version before has left it, and the way from there to today, one migration at a time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { keptOf } from './kept.ts';

const SERVICES = join(import.meta.dirname, '../../services');
const TABLES = { kit: 'ordertx_kit_migrations', service: 'ordertx_service_migrations' } as const;

export interface Step {
  readonly name: string;
  readonly text: string;
}

function filesOf(service: string): readonly Step[] {
  const folder = join(SERVICES, service, 'migrations');
  return readdirSync(folder)
    .toSorted()
    .map((file) => ({ name: file.replace(/\.sql$/, ''), text: readFileSync(join(folder, file), 'utf8') }));
}

/** Everything that the version before had, with its own notes of what has been run. */
export async function makeOldSchema(client: pg.Client, service: string): Promise<void> {
  for (const [owner, table] of [
    ['kit', TABLES.kit],
    [service, TABLES.service],
  ] as const) {
    await client.query(
      `create table ${table} (id serial primary key, name varchar(255) not null, run_on timestamp not null)`,
    );
    for (const name of keptOf(owner).migrations) {
      const file = filesOf(owner).find((each) => each.name === name);
      if (file === undefined) throw new Error(`migration ${name} of ${owner} is gone: what was released stays`);
      await client.query(file.text);
      await client.query(`insert into ${table} (name, run_on) values ($1, now())`, [name]);
    }
  }
}

/** What has been added since, the kit's first. */
export function stepsSince(service: string): readonly Step[] {
  return ['kit', service].flatMap((owner) =>
    filesOf(owner).filter(({ name }) => !keptOf(owner).migrations.includes(name)),
  );
}

/**
 * Where a service's database is, and as whom: one role serves, another one may change the schema.
 *
 * Whoever takes a serving process over gets what it has. So it need not be able to drop a table, and where `main.ts migrate` has made
 * the changes of the schema before it, it need not even hold the password of the role that can.
 */
import { postgresUrl } from './server-url.ts';
import type { Setting, SettingProblem, ValuesOf } from './settings.ts';
import { certificatesFile, checkDatabaseTls, databaseUrlOf } from './tls-settings.ts';

/** Of a service's process and of its commands. */
export const databaseSettings = {
  databaseUrl: {
    name: 'DATABASE_URL',
    description: "The service's own Postgres database: postgres://user:password@host:5432/name.",
    secret: true,
    schema: postgresUrl,
  },
  databaseMigrationUrl: {
    name: 'DATABASE_MIGRATION_URL',
    description:
      "The same database as the role that owns its tables, for changes of the schema alone: then that of DATABASE_URL needs no right to make or drop anything. Without it, DATABASE_URL's role makes them. `main.ts migrate` makes them and exits, so that the serving process need not have it.",
    optional: true,
    secret: true,
    schema: postgresUrl,
  },
  databaseCaFile: {
    name: 'DATABASE_CA_FILE',
    description:
      "The certificates that the database's has to be signed by, PEM: connections are made with TLS, and only to a server that shows one for its name (sslmode=verify-full). Without it, as the URL says (`?sslmode=`).",
    optional: true,
    schema: certificatesFile,
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type DatabaseValues = ValuesOf<typeof databaseSettings>;

/** Gets only what could be read. */
export function checkDatabaseSettings(values: Partial<DatabaseValues>): readonly SettingProblem[] {
  const { databaseUrl, databaseMigrationUrl, databaseCaFile: caFile } = databaseSettings;
  const urls = [
    [databaseUrl.name, values.databaseUrl],
    [databaseMigrationUrl.name, values.databaseMigrationUrl],
  ] as const;
  return urls.flatMap(([name, url]) =>
    checkDatabaseTls({ url: name, caFile: caFile.name }, url, values.databaseCaFile),
  );
}

/** What connections that serve are made from. */
export function servingUrl({ databaseUrl, databaseCaFile }: Omit<DatabaseValues, 'databaseMigrationUrl'>): string {
  return databaseUrlOf(databaseUrl, databaseCaFile);
}

/** What changes of the schema are made from. */
export function migrationUrl({ databaseUrl, databaseMigrationUrl, databaseCaFile }: DatabaseValues): string {
  return databaseUrlOf(databaseMigrationUrl ?? databaseUrl, databaseCaFile);
}

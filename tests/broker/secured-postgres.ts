/**
 * A Postgres with a certificate, and in it every service's database with its roles, made by the chart's own file.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';
import type { ProcessGroup } from '../../local/process-group.ts';
import { SERVICES } from '../../local/services.ts';
import { makeAuthority, makeCertificate } from '../world/certificates.ts';
import { runPsql } from './psql.ts';

export const ROLES = readFileSync(join(import.meta.dirname, '../../helm/ordertx/files/postgres-roles.sql'), 'utf8');

/** Whose databases there are: every service's, and the archive's. */
export const OWNERS_OF_DATABASES = [...SERVICES.map(({ name }) => name), 'archive'] as const;

export interface SecuredPostgres {
  /** A superuser's, without TLS. */
  readonly adminUrl: string;
  readonly caFile: string;
  /** As this role in the database of this service, without a word about TLS: `localhost` is the name its certificate is for. */
  readonly url: (service: string, role: 'serving' | 'owner' | 'reader') => string;
  /** A superuser's, in the database of this service. */
  readonly adminUrlOf: (service: string) => string;
}

export async function startSecuredPostgres(group: ProcessGroup): Promise<SecuredPostgres> {
  const authority = makeAuthority('postgres authority');
  const tls = makeCertificate(authority, 'postgres authority', 'localhost');
  const caFile = join(group.folder, 'postgres-ca.crt');
  writeFileSync(caFile, authority.certificate);
  const { url: adminUrl, port } = await startPostgres(group, { tls, unsafeFast: true });
  for (const service of OWNERS_OF_DATABASES) await runPsql(adminUrl, ROLES, { service });
  const password = randomBytes(12).toString('hex');
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  const { rows } = await admin.query<{ readonly name: string }>(
    `select rolname as name from pg_roles where rolname like 'ordertx%'`,
  );
  for (const { name } of rows)
    await admin.query(`alter role ${pg.escapeIdentifier(name)} password ${pg.escapeLiteral(password)}`);
  await admin.end();
  const roles = { serving: '', owner: '_owner' };
  return {
    ...{ adminUrl, caFile },
    url: (service, role) => {
      const user = role === 'reader' ? 'ordertx_reader' : `ordertx_${service}${roles[role]}`;
      return `postgres://${user}:${password}@localhost:${port}/ordertx_${service}`;
    },
    adminUrlOf: (service) => {
      const url = new URL(adminUrl);
      url.pathname = `/ordertx_${service}`;
      return url.href;
    },
  };
}

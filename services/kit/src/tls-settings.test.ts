/**
 * Certificates in files: every bad one is told by its setting's name before anything is connected to.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority, makeCertificate } from '../../../tests/world/certificates.ts';
import { checkDatabaseSettings, databaseSettings, migrationUrl, servingUrl } from './database-settings.ts';
import { readSettings } from './settings.ts';
import { checkRedisTls, redisTlsSettings, redisUrlOf } from './tls-settings.ts';
import { messageSettings } from './service-settings.ts';

const DATABASE_URL = 'postgres://ordertx_order:secret@db:5432/ordertx_order';
const REDIS_URL = 'rediss://order:secret@redis:6379';

let folder: string;
let files: Readonly<Record<'ca' | 'cert' | 'key' | 'otherKey' | 'empty', string>>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const authority = makeAuthority('authority');
  const { certificate, key } = makeCertificate(authority, 'authority', 'order');
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  files = {
    ca: write('ca.crt', authority.certificate),
    cert: write('tls.crt', certificate + authority.certificate),
    key: write('tls.key', key),
    otherKey: write('other.key', authority.key),
    empty: write('empty', ''),
  };
});
afterAll(() => rmSync(folder, { recursive: true }));

const settings = { ...databaseSettings, ...messageSettings };
type Environment = Readonly<Record<string, string>>;
const read = (environment: Environment) =>
  readSettings(settings, { DATABASE_URL, REDIS_URL, ...environment }, (values) => [
    ...checkDatabaseSettings(values),
    ...checkRedisTls(values),
  ]);
function problemsOf(environment: Environment): readonly string[] {
  const result = read(environment);
  return result.kind === 'bad' ? result.problems.map(({ name, message }) => `${name} ${message}`) : [];
}

test('files that are there go into the URLs that connections are made from', () => {
  const { ca: DATABASE_CA_FILE, ca: REDIS_CA_FILE, cert: REDIS_CERT_FILE, key: REDIS_KEY_FILE } = files;
  const result = read({ DATABASE_CA_FILE, REDIS_CA_FILE, REDIS_CERT_FILE, REDIS_KEY_FILE });
  if (result.kind === 'bad') throw new Error(JSON.stringify(result.problems));
  const certificates = encodeURIComponent(files.ca);
  expect(servingUrl(result.values)).toBe(`${DATABASE_URL}?sslmode=verify-full&sslrootcert=${certificates}`);
  expect(migrationUrl({ ...result.values, databaseMigrationUrl: 'postgres://owner@db/x?application_name=a' })).toBe(
    `postgres://owner@db/x?application_name=a&sslmode=verify-full&sslrootcert=${certificates}`,
  );
  expect(new URL(redisUrlOf(result.values)).searchParams.get('ssl_keyfile')).toBe(files.key);
});

test('without files the URLs stay what they are, and migrations are made as whoever serves', () => {
  const result = read({});
  if (result.kind === 'bad') throw new Error(JSON.stringify(result.problems));
  expect(servingUrl(result.values)).toBe(DATABASE_URL);
  expect(migrationUrl(result.values)).toBe(DATABASE_URL);
  expect(redisUrlOf(result.values)).toBe(REDIS_URL);
});

test('a file that is not there, or holds something else, is told by its setting’s name and with its path', () => {
  const missing = join(folder, 'missing.crt');
  const [database, ca, key] = problemsOf({
    ...{ DATABASE_CA_FILE: missing, REDIS_CA_FILE: files.empty },
    ...{ REDIS_KEY_FILE: files.cert },
  });
  expect(database).toMatch(/^DATABASE_CA_FILE must be the path of a file with certificates, PEM \(ENOENT/);
  expect(database).toContain(missing);
  expect(ca).toMatch(/^REDIS_CA_FILE must be .* \(there is no BEGIN CERTIFICATE in it\)/);
  expect(key).toMatch(/^REDIS_KEY_FILE must be the path of a file with an unencrypted private key/);
});

test('a key without its certificate, a certificate without its key, and a key of another one are bad settings', () => {
  expect(problemsOf({ REDIS_KEY_FILE: files.key })).toEqual([expect.stringMatching(/^REDIS_CERT_FILE is not set/)]);
  expect(problemsOf({ REDIS_CERT_FILE: files.cert })).toEqual([expect.stringMatching(/^REDIS_KEY_FILE is not set/)]);
  const pair = { REDIS_CERT_FILE: files.cert, REDIS_KEY_FILE: files.otherKey };
  expect(problemsOf(pair)).toEqual([expect.stringMatching(/^REDIS_KEY_FILE is not the key of the certificate/)]);
});

test('certificates for a Redis without TLS, and two opinions about the TLS of a database, are bad settings', () => {
  expect(problemsOf({ REDIS_CA_FILE: files.ca, REDIS_URL: 'redis://redis:6379' })).toEqual([
    expect.stringMatching(new RegExp(`^${redisTlsSettings.redisCaFile.name} is set, .*: write rediss://$`)),
  ]);
  const withMode = { DATABASE_MIGRATION_URL: `${DATABASE_URL}?sslmode=disable` };
  expect(problemsOf({ ...withMode, DATABASE_CA_FILE: files.ca })).toEqual([
    expect.stringMatching(/^DATABASE_CA_FILE is set, and DATABASE_MIGRATION_URL says for itself/),
  ]);
});

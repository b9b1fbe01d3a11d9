/**
 * Whom a process believes to be its database or its Redis, and how it shows a Redis who it is: certificates in mounted files.
 *
 * 1. What is in the files is looked at when the process starts, so that a wrong mount is told by the name of its setting and not as a
 *    connection that fails.
 * 2. From then on only their paths travel, in the URL, as libpq and other clients of Redis take them too: whoever makes a connection
 *    has the URL, and reads the files for each connection anew. A certificate that is renewed under its path counts from the next one.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Setting, SettingProblem } from './settings.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A file that can be used as `read` reads it, or the sentence goes on with `wanted`. */
function pemFile(wanted: string, read: (text: string) => unknown) {
  return z.string().superRefine((path, context) => {
    try {
      read(readFileSync(path, 'utf8'));
    } catch (error) {
      const { message: why } = error as Error;
      context.addIssue({ code: 'custom', message: `must be the path of a file with ${wanted}, PEM (${why})` });
    }
  });
}

function certificatesIn(text: string): readonly X509Certificate[] {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Error('there is no BEGIN CERTIFICATE in it');
  return found.map((each) => new X509Certificate(each));
}

export const certificatesFile = pemFile('certificates', certificatesIn);
const keyFile = pemFile('an unencrypted private key', createPrivateKey);

/** Of every process that has a Redis. */
export const redisTlsSettings = {
  redisCaFile: {
    name: 'REDIS_CA_FILE',
    description:
      'The certificates that the one of Redis has to be signed by, PEM. REDIS_URL begins with rediss:// then. Without it those that Node trusts.',
    optional: true,
    schema: certificatesFile,
  },
  redisCertFile: {
    name: 'REDIS_CERT_FILE',
    description:
      'The certificate that is shown to a Redis which asks for one (tls-auth-clients), PEM, with REDIS_KEY_FILE.',
    optional: true,
    schema: certificatesFile,
  },
  redisKeyFile: {
    name: 'REDIS_KEY_FILE',
    description: 'The private key of REDIS_CERT_FILE, PEM, not encrypted.',
    optional: true,
    schema: keyFile,
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

interface RedisValues {
  readonly redisUrl: string;
  readonly redisCaFile: string | undefined;
  readonly redisCertFile: string | undefined;
  readonly redisKeyFile: string | undefined;
}

/** Gets only what could be read: a file that is wrong has been reported already. */
export function checkRedisTls(values: Partial<RedisValues>): readonly SettingProblem[] {
  const { redisUrl, redisCaFile: ca, redisCertFile: cert, redisKeyFile: key } = values;
  const { redisCaFile, redisCertFile, redisKeyFile } = redisTlsSettings;
  const problems: SettingProblem[] = [];
  const [used] = [ca && redisCaFile, cert && redisCertFile, key && redisKeyFile].filter((setting) => !!setting);
  if (used !== undefined && redisUrl?.startsWith('redis://') === true)
    problems.push({ name: used.name, message: 'is set, and REDIS_URL says redis://, without TLS: write rediss://' });
  if ('redisKeyFile' in values && cert !== undefined && key === undefined)
    problems.push({ name: redisKeyFile.name, message: 'is not set; REDIS_CERT_FILE needs it' });
  if ('redisCertFile' in values && key !== undefined && cert === undefined)
    problems.push({ name: redisCertFile.name, message: 'is not set; REDIS_KEY_FILE belongs to one' });
  if (cert !== undefined && key !== undefined && !belongTogether(cert, key))
    problems.push({ name: redisKeyFile.name, message: 'is not the key of the certificate in REDIS_CERT_FILE' });
  return problems;
}

function belongTogether(certFile: string, privateKeyFile: string): boolean {
  const [certificate] = certificatesIn(readFileSync(certFile, 'utf8'));
  return certificate?.checkPrivateKey(createPrivateKey(readFileSync(privateKeyFile, 'utf8'))) ?? false;
}

/** The URL that connections to Redis are made from (services/broker). */
export function redisUrlOf({ redisUrl, redisCaFile, redisCertFile, redisKeyFile }: RedisValues): string {
  return withParameters(redisUrl, {
    ssl_ca_certs: redisCaFile,
    ssl_certfile: redisCertFile,
    ssl_keyfile: redisKeyFile,
  });
}

/** The URL that connections to a Postgres are made from: with a file of certificates its server has to show one for its name. */
export function databaseUrlOf(url: string, caFile: string | undefined): string {
  return caFile === undefined ? url : withParameters(url, { sslmode: 'verify-full', sslrootcert: caFile });
}

/** Nothing where they say one thing. `names` are those of the settings. */
export function checkDatabaseTls(
  names: { readonly url: string; readonly caFile: string },
  url: string | undefined,
  caFile: string | undefined,
): readonly SettingProblem[] {
  if (url === undefined || caFile === undefined || !/[?&]ssl\w*=/.test(url)) return [];
  const message = `is set, and ${names.url} says for itself how to use TLS: take its ssl... parameters out (sslmode=verify-full is added)`;
  return [{ name: names.caFile, message }];
}

/** Added to the text: a URL that was read and written again is another one where somebody did not encode his password. */
function withParameters(url: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const added = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  if (added.length === 0) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${added.join('&')}`;
}

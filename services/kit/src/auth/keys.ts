/**
 * Where the keys come from that tokens are checked against: a file, or the controller's /jwks.
 *
 * A key set that cannot be read says nothing about the token, so it is `KeysUnavailable`, never "invalid token".
 */
import { readFile, stat } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** Below the caller's own time-out (3 s by default), so that it hears 503 instead of nothing. */
const FETCH_TIMEOUT_MS = 2_000;
/** An unknown key id makes us look again, but no sooner: a flood of forged tokens must not become one of fetches. */
const REFRESH_PAUSE_MS = 5_000;
/** How long a key that was taken out of the set is still accepted, at most. */
const CACHE_AGE_MAX_MS = 10 * 60 * 1_000;

export type KeySource = { readonly file: string } | { readonly url: string };

export class KeysUnavailable extends Error {
  constructor(source: string, cause: unknown) {
    super(`the key set (${source}) cannot be read`, { cause });
    this.name = 'KeysUnavailable';
  }
}

export function keySet(source: KeySource): JWTVerifyGetKey {
  return 'file' in source ? fileKeySet(source.file) : remoteKeySet(source.url);
}

function remoteKeySet(url: string): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: REFRESH_PAUSE_MS,
    cacheMaxAge: CACHE_AGE_MAX_MS,
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      throw isAboutTheToken(error) ? error : new KeysUnavailable('ORDERTX_JWKS_URL', error);
    }
  };
}

/** Read when it is first needed, and again when the file has changed: keys are rotated by replacing it. */
function fileKeySet(path: string): JWTVerifyGetKey {
  let read: { readonly changedMs: number; readonly keys: JWTVerifyGetKey } | undefined;
  const current = async (): Promise<JWTVerifyGetKey> => {
    try {
      const { mtimeMs } = await stat(path);
      if (read?.changedMs !== mtimeMs) {
        const set = JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet;
        read = { changedMs: mtimeMs, keys: createLocalJWKSet(set) };
      }
      return read.keys;
    } catch (error) {
      throw new KeysUnavailable('ORDERTX_JWKS_FILE', error);
    }
  };
  return async (header, token) => {
    const keys = await current();
    return keys(header, token);
  };
}

/** The set was there, but has no key for this token. Everything else is about the set or the way to it. */
function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

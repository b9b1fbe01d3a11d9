/**
 * Where the keys come from that tokens are checked against: a file, or the controllers' /jwks.
 *
 * 1. A key set that cannot be read says nothing about the token, so it is `KeysUnavailable`, never "invalid token".
 * 2. A set that was read once is used for KEPT_MS_MAX while it cannot be read again: keys are rotated in weeks, and whoever serves
 *    them may be away for hours without every call being turned away.
 * 3. An unknown key id makes us look again, at most every REFRESH_PAUSE_MS. What is then not in a set just read is nobody's key; where
 *    it could not be read, nobody knows.
 */
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** One of several is still asked within the caller's own time-out (3 s by default) when the one before it hangs. */
const FETCH_TIMEOUT_MS = 1_200;
/** As long as a call waits for a set that is old, when there is one: below the caller's time-out with what comes after it. */
const PATIENCE_MS = 1_500;
/** A flood of forged tokens must not become one of fetches. */
const REFRESH_PAUSE_MS = 5_000;
/** How long a key that was taken out of the set is still accepted, at most, while the set can be read. */
const FRESH_MS = 10 * 60 * 1_000;
/** How long it is accepted while the set cannot be read. */
export const KEPT_MS_MAX = 24 * 60 * 60 * 1_000;
/** A cluster has a handful of keys of less than a kilobyte. */
const KEY_SET_CHARS_MAX = 1_000_000;

export type KeySource = { readonly file: string } | { readonly urls: readonly string[] };

export interface KeySetOptions {
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
  /** Told of every time that a set could not be read; the one from before is used, if there is one. */
  readonly warn?: (error: unknown) => void;
}

export class KeysUnavailable extends Error {
  constructor(source: string, cause: unknown) {
    super(`the key set (${source}) cannot be read`, { cause });
    this.name = 'KeysUnavailable';
  }
}

export function keySet(source: KeySource, options: KeySetOptions = {}): JWTVerifyGetKey {
  return 'file' in source ? fileKeySet(source.file, options) : remoteKeySet(source.urls, options);
}

interface Kept {
  readonly keys: JWTVerifyGetKey;
  /** When it was last known to be current. */
  readonly readMs: number;
}

function remoteKeySet(urls: readonly string[], { now = monotonic, warn }: KeySetOptions): JWTVerifyGetKey {
  let kept: Kept | undefined;
  let failure: unknown;
  let triedMs = -Infinity;
  let refreshing: Promise<void> | undefined;

  const refresh = (): Promise<void> => {
    triedMs = now();
    refreshing ??= fetchFrom(urls)
      .then((set) => {
        kept = { keys: createLocalJWKSet(set), readMs: now() };
        failure = undefined;
      })
      .catch((error: unknown) => {
        failure = error;
        warn?.(error);
      })
      .finally(() => {
        refreshing = undefined;
      });
    return refreshing;
  };
  const usable = (): Kept | undefined => (kept !== undefined && now() - kept.readMs <= KEPT_MS_MAX ? kept : undefined);
  const mayTry = (): boolean => now() - triedMs >= REFRESH_PAUSE_MS;

  return async (header, token) => {
    if (usable() === undefined) await refresh();
    else if (now() - (kept?.readMs ?? 0) > FRESH_MS && mayTry()) await Promise.race([refresh(), patience()]);
    let set = usable();
    if (set === undefined) throw new KeysUnavailable('ORDERTX_JWKS_URL', failure);
    try {
      return await set.keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (mayTry()) await refresh();
      if (failure !== undefined) throw new KeysUnavailable('ORDERTX_JWKS_URL', failure);
      set = usable() ?? set;
      return set.keys(header, token);
    }
  };
}

/** The first that has a key set to give, asked in turn; rejects with what the last one said. */
async function fetchFrom(urls: readonly string[]): Promise<JSONWebKeySet> {
  let failure: unknown;
  for (const url of urls) {
    try {
      return await fetchFromOne(url);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function fetchFromOne(url: string): Promise<JSONWebKeySet> {
  const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  if (text.length > KEY_SET_CHARS_MAX) throw new Error(`${url} answered with ${text.length} characters`);
  const set = JSON.parse(text) as JSONWebKeySet;
  createLocalJWKSet(set);
  return set;
}

/** Read when it is first needed, and again when the file has changed: keys are rotated by replacing it. */
function fileKeySet(path: string, { now = monotonic, warn }: KeySetOptions): JWTVerifyGetKey {
  let kept: (Kept & { readonly changedMs: number }) | undefined;
  const current = async (): Promise<JWTVerifyGetKey> => {
    try {
      const { mtimeMs } = await stat(path);
      const keys =
        kept?.changedMs === mtimeMs
          ? kept.keys
          : createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet);
      kept = { keys, changedMs: mtimeMs, readMs: now() };
    } catch (error) {
      warn?.(error);
      if (kept === undefined || now() - kept.readMs > KEPT_MS_MAX)
        throw new KeysUnavailable('ORDERTX_JWKS_FILE', error);
    }
    return kept.keys;
  };
  return async (header, token) => {
    const keys = await current();
    return keys(header, token);
  };
}

function patience(): Promise<void> {
  return delay(PATIENCE_MS, undefined, { ref: false });
}

function monotonic(): number {
  return performance.now();
}

/**
 * Connections to Redis that heal, each for one kind of command.
 *
 * ioredis connects again by itself, for ever. What differs is what happens to a command meanwhile: a blocking read waits for
 * the connection to be back, everything else is told at once that there is none, because its caller has a better idea than waiting.
 *
 * 1. A connection on which nothing comes although an answer is due is thrown away, also while it logs in: a peer that swallows
 *    packets (a NAT table that was lost, a host without power) never closes it, and a command's time-out alone would leave it open
 *    for the next command to wait on.
 * 2. A server that may not be written to any more (a demoted primary) or has no data yet is left: its name may lead to another one.
 * 3. Certificates are read for each connection anew, from the files that the URL names: they are renewed while a process runs.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';

const RECONNECT_DELAY_MAX_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A command on a broker that does not answer. */
const COMMAND_TIMEOUT_MS = 5_000;
/** See 1. Blocking reads end by themselves within half of it, and a busy server answers far sooner. */
const SILENCE_MS = 5_000;
/** Blocking reads must end well before a silent connection is given up. */
export const READ_BLOCK_MS_MAX = SILENCE_MS / 2;

/** For blocking reads only: they occupy their connection. Commands wait while there is none. */
export function blockingConnection(url: string): Redis {
  return open(url, { maxRetriesPerRequest: null });
}

/** For everything else: a command without a connection rejects at once. */
export function commandConnection(url: string): Redis {
  return open(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS });
}

function open(url: string, options: RedisOptions): Redis {
  const { bare, tls } = tlsOf(url);
  const connection = new Redis(bare, {
    ...options,
    ...(tls && { tls }),
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: reconnectDelayMs,
    reconnectOnError: ({ message }) => /^(READONLY|LOADING|MASTERDOWN)\b/.test(message),
  });
  // Without a listener each failure to connect would be printed by ioredis.
  connection.on('error', (error: Error) => lastErrors.set(connection, error));
  connection.on('ready', () => lastErrors.delete(connection));
  connection.connect().catch(() => undefined);
  return connection;
}

/** By the names that other clients of Redis give them in URLs. */
const CERTIFICATES = { ca: 'ssl_ca_certs', cert: 'ssl_certfile', key: 'ssl_keyfile' } as const;

/** The URL without them, and what TLS gets of them; nothing where it names none: then `rediss://` alone says that there is TLS. */
function tlsOf(url: string): { readonly bare: string; readonly tls?: NonNullable<RedisOptions['tls']> } {
  const [address = '', query = ''] = url.split('?');
  const parameters = new URLSearchParams(query);
  const files = Object.entries(CERTIFICATES).flatMap(([option, name]) => {
    const file = parameters.get(name);
    parameters.delete(name);
    return file === null ? [] : [[option, file] as const];
  });
  if (files.length === 0) return { bare: url };
  const read = () =>
    createSecureContext(Object.fromEntries(files.map(([option, file]) => [option, readFileSync(file)])));
  let context = read();
  const tls = {
    // ioredis takes it for each connection, and gives a connection up for good where that throws: of files that are just being replaced
    // the ones before still count.
    get secureContext() {
      try {
        context = read();
      } catch {
        // The server that does not take it says so.
      }
      return context;
    },
  };
  const rest = parameters.toString();
  return { bare: rest === '' ? address : `${address}?${rest}`, tls };
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, RECONNECT_DELAY_MAX_MS);
}

/** Why a connection is not there: a refused login is told to its `error` listeners only, and commands reject with less. */
const lastErrors = new WeakMap<Redis, Error>();

/** The error that says more: that of the command, or that for which there is no connection. */
export function reasonOf(connection: Redis, error: unknown): unknown {
  return connection.status === 'ready' ? error : (lastErrors.get(connection) ?? error);
}

/**
 * Waits for a loop that reads from `connection` to see that it is over, and then closes the connection. A read that waits for a
 * Redis that is away never ends, not even by a disconnect while ioredis pauses between two attempts: it is left behind.
 */
export async function closeReader(connection: Redis, loop: Promise<void>, patienceMs: number): Promise<void> {
  const patience = new AbortController();
  await Promise.race([loop, delay(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
  connection.disconnect();
}

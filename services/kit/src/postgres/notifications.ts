/**
 * LISTEN, kept alive.
 *
 * A notification is a hint and nothing more: those sent while the connection was away are lost. So whoever listens looks at the rows
 * again each time `onListening` is called, and keeps a deadline of its own.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import type { Log } from '../log.ts';

export interface NotificationsOptions {
  readonly connectionString: string;
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  /** After every (re)connection: what was notified before is lost. */
  readonly onListening: () => void;
  readonly log: Log;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Long enough not to hammer a database that restarts, short enough that waiting requests still profit. */
const RECONNECT_DELAY_MS = 1_000;

/** LISTENs on a connection of its own, and connects again for ever. */
export function listenForNotifications(options: NotificationsOptions): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = keepListening(options, stop.signal);
  return {
    close: async () => {
      stop.abort();
      await running;
    },
  };
}

async function keepListening(options: NotificationsOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await listenOnce(options, signal);
    } catch (error) {
      options.log.warn({ err: error, channel: options.channel }, 'not listening for notifications; connecting again');
    }
    await delay(RECONNECT_DELAY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Resolves when `signal` is aborted or the connection has ended; rejects when it cannot be made, or breaks. */
async function listenOnce(options: NotificationsOptions, signal: AbortSignal): Promise<void> {
  const client = new Client({
    connectionString: options.connectionString,
    application_name: 'listen',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  const broken = new AbortController();
  client.on('error', (error) => broken.abort(error));
  client.on('notification', ({ payload }) => options.onNotification(payload ?? ''));
  const ended = once(client, 'end', { signal: AbortSignal.any([signal, broken.signal]) });
  ended.catch(() => undefined);
  try {
    await client.connect();
    await client.query(`listen ${escapeIdentifier(options.channel)}`);
    options.onListening();
    await ended;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

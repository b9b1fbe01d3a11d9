/**
 * Connections to Redis, each for one kind of command.
 *
 * ioredis connects again by itself, for ever. What differs is what happens to a command meanwhile: a blocking read waits for
 * the connection to be back, everything else is told at once that there is none, because its caller has a better idea than waiting.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

const RECONNECT_DELAY_MAX_MS = 2_000;
/** A command on a broker that does not answer. */
const COMMAND_TIMEOUT_MS = 5_000;
/** A connection on which nothing comes for this long while an answer is due is dead; blocking reads end much sooner. */
const SILENCE_MS = 10_000;

/** For blocking reads only: they occupy their connection. Commands wait while there is none. */
export function blockingConnection(url: string): Redis {
  return open(url, { maxRetriesPerRequest: null, socketTimeout: SILENCE_MS });
}

/** For everything else: a command without a connection rejects at once. */
export function commandConnection(url: string): Redis {
  return open(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS });
}

function open(url: string, options: object): Redis {
  const connection = new Redis(url, { ...options, lazyConnect: true, retryStrategy: reconnectDelayMs });
  // Without a listener each failure to connect would be printed by ioredis.
  connection.on('error', () => undefined);
  connection.connect().catch(() => undefined);
  return connection;
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, RECONNECT_DELAY_MAX_MS);
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

/** One log line when something stops working and one when it works again, however often it fails in between. */
export class Trouble {
  readonly #tell: { readonly warn: (error: unknown) => void; readonly well: () => void };
  #ill = false;

  constructor(tell: { readonly warn: (error: unknown) => void; readonly well: () => void }) {
    this.#tell = tell;
  }

  get ill(): boolean {
    return this.#ill;
  }

  failed(error: unknown): void {
    if (!this.#ill) this.#tell.warn(error);
    this.#ill = true;
  }

  worked(): void {
    if (this.#ill) this.#tell.well();
    this.#ill = false;
  }
}

/**
 * The connection pool.
 *
 * Every wait has an end, and the ends are ordered: a caller of the participant protocol waits 3 s by default, so a lock is given up
 * before that (the caller hears 503 and asks again), and whatever goes on after the caller has left ends soon after, so that a
 * pile of abandoned requests cannot hold the pool.
 */
import { Pool, type PoolClient } from 'pg';
import { callerCheck, CallerGone } from '../caller.ts';
import type { Log } from '../log.ts';

/** Below the participant protocol's usual time-out of 3 s; long enough for a queue on one hot SKU to move on. */
const LOCK_TIMEOUT_MS = 2_000;
/** One statement, its lock waits included. */
const STATEMENT_TIMEOUT_MS = 5_000;
/** The server's guard against a process that hangs between two statements while it holds row locks. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** The client's guard against a server that went away without a word; above the server's own, which tell more. */
const QUERY_TIMEOUT_MS = 8_000;
/** To get a connection, from the pool or the network. */
const CONNECT_TIMEOUT_MS = 2_000;
const IDLE_CONNECTION_MS = 30_000;
/** Connections move to a new primary, and to new credentials, within this time. */
const CONNECTION_LIFETIME_SECONDS = 30 * 60;
/** Fewer leaves a two-core server idle under load; more only moves the queue into it, and several replicas share its limit of 100. */
const CONNECTIONS_MAX_DEFAULT = 10;

export interface PoolOptions {
  readonly connectionString: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly log: Log;
  /** Default 10. */
  readonly connectionsMax?: number;
  /** Nothing is begun for a caller who has gone while it waited. Not for work that goes on after an answer. */
  readonly onlyForWaitingCallers?: boolean;
  /** Default 2000; below the caller's own time-out. */
  readonly lockTimeoutMs?: number;
}

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: (release?: unknown) => void) => void;

/** Gives no connection to a caller who has gone while it waited for one. */
class CallersPool extends Pool {
  override connect(): Promise<PoolClient>;
  override connect(connected: Connected): void;
  override connect(connected?: Connected): Promise<PoolClient> | void {
    const hasGone = callerCheck();
    if (connected === undefined) return this.#connectUnlessGone(hasGone);
    super.connect((error, client, done) => {
      if (client === undefined || !hasGone()) {
        connected(error, client, done);
        return;
      }
      done();
      connected(new CallerGone(), undefined, () => undefined);
    });
  }

  async #connectUnlessGone(hasGone: () => boolean): Promise<PoolClient> {
    const client = await super.connect();
    if (!hasGone()) return client;
    client.release();
    throw new CallerGone();
  }
}

export function createPool(options: PoolOptions): Pool {
  const pool = new (options.onlyForWaitingCallers === true ? CallersPool : Pool)({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT,
    lock_timeout: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    maxLifetimeSeconds: CONNECTION_LIFETIME_SECONDS,
    keepAlive: true,
  });
  // The pool listens only while a connection is idle, and its user cannot before it is told of it: a server that shuts down says so in
  // the same breath in which it has let someone in. The query that fails says it.
  pool.on('connect', (client) => client.on('error', () => undefined));
  // Without a listener, an idle connection that the server closes would end the process.
  pool.on('error', (error) => options.log.warn({ err: error }, 'an idle database connection was lost'));
  return pool;
}

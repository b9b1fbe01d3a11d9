/**
 * Schema changes: numbered SQL files (`0001_what-it-does.sql`), forward only, while older replicas go on with their work.
 *
 * The kit's own run first, then the service's; each list has its own table of what has been run. Every file is one database
 * transaction together with the note that it has been run, so a faulty one leaves nothing half done; `-- no transaction` takes a
 * file out of it (concurrent-index.ts). Which statements a file may hold, tests/house/migration-rules.ts says.
 *
 * G1  Any number of replicas may start at once: one has its turn (an advisory lock), the others ask for it again and again, for as
 *     long as it takes. They ask and do not wait in the database: a statement that waits there holds a snapshot, and an index that is
 *     built concurrently waits for every older snapshot, so each would wait for the other. Older versions do wait there: they
 *     have a lock of their own, which is let go of while an index is built, and find nothing to do.
 * G2  Nobody waits behind a change for longer than `lock_timeout`. Whoever wants a table that a change waits for queues behind it, so a
 *     change that does not get its table lets go of what it holds, leaves the others three quarters of the time, and tries again.
 * G3  What cannot be done in so many tries is a failed start that says which change, which table, and who has it. So is an index whose
 *     build others have held up for so long; one that is being built may take as long as it takes.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import { Client, DatabaseError } from 'pg';
import type { Log } from '../log.ts';
import { isOutsideTransaction, runOutsideTransaction } from './concurrent-index.ts';
import { startBuildWatch } from './build-watch.ts';
import { inTheWay, startLockWatch, type Held } from './lock-watch.ts';

export interface MigrateOptions {
  readonly connectionString: string;
  /** The service's folder: `new URL('./migrations/', import.meta.url)`. */
  readonly folder: URL;
  /** Whether the kit's own tables are made too, which every service has. Default true. */
  readonly kitTables?: boolean;
  readonly log: Log;
  /** Default 500. */
  readonly lockTimeoutMs?: number;
  /** Of one change, each up to four times as long as `lockTimeoutMs`; default 60. */
  readonly triesMax?: number;
  /** How long an index that is built concurrently may be held up by others; default 1,200 times `lockTimeoutMs`. */
  readonly buildHeldMsMax?: number;
}

const KIT_FOLDER = new URL('../../migrations/', import.meta.url);
const CONNECT_TIMEOUT_MS = 10_000;
/** Of replicas that ask for it; arbitrary, and never changed. */
const TURN = '7241865325823965';
/** Of node-pg-migrate, which older versions wait for. */
const TURN_OF_WAITERS = '7241865325823964';
const TURN_POLL_MS = 200;

/** Below the 2 s after which the pools give a lock up, so that nobody fails who queues behind a change; above any usual transaction. */
export const MIGRATION_LOCK_TIMEOUT_MS = 500;
/** Two minutes by default: longer than any statement of a service, shorter than a backup that somebody has to decide about. */
const TRIES_MAX = 60;
/** Of the pause after a try, in lock time-outs. */
const PAUSES_PER_TRY = 3;

/** Often enough to see a wait of the shortest time-out that anybody would set. */
const LOOK_MS = 20;
/** How long apart, in lock time-outs: 10 s by default, in a start that may take hours. */
const BUILD_LOOK_TIMEOUTS = 20;
/** Ten minutes by default: longer than any transaction of a service, shorter than anybody waits for a start without looking at it. */
const BUILD_HELD_TIMEOUTS = 1_200;

const LOCK_TIMEOUT = '55P03';
const DEADLOCK = '40P01';

interface Change {
  readonly name: string;
  readonly path: string;
}

/** Resolves when the schema is current. Rejects when a change is faulty or never got its table; those before it have been applied. */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { connectionString, log, lockTimeoutMs = MIGRATION_LOCK_TIMEOUT_MS } = options;
  // A connection of its own: a migration may take longer than any time-out of the pool.
  const client = new Client({
    connectionString,
    application_name: 'migrate',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The statement that fails says it; without a listener it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`set statement_timeout = 0; set lock_timeout = ${lockTimeoutMs}`);
    await takeTurn(client, log, TURN);
    await takeTurn(client, log, TURN_OF_WAITERS);
    for (const [folder, table] of [
      ...(options.kitTables === false ? [] : ([[KIT_FOLDER, 'ordertx_kit_migrations']] as const)),
      [options.folder, 'ordertx_service_migrations'],
    ] as const) {
      await new Folder(client, { ...options, folder, lockTimeoutMs }, table).run();
    }
  } finally {
    // Gives the turn to the next one.
    await client.end();
  }
}

async function takeTurn(client: Client, log: Log, turn: string): Promise<void> {
  for (let said = false; ; said = true) {
    const { rows } = await client.query<{ readonly taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      turn,
    ]);
    if (rows[0]?.taken === true) return;
    if (!said) log.info('another replica is changing the schema; waiting for it');
    await delay(TURN_POLL_MS);
  }
}

/** One list of changes, worked off by whoever has the turn. */
class Folder {
  readonly #client: Client;
  readonly #options: MigrateOptions & { readonly lockTimeoutMs: number };
  readonly #table: string;
  /** What node-pg-migrate says of a failed statement: its text, with the place in it. */
  #explanation = '';

  constructor(client: Client, options: MigrateOptions & { readonly lockTimeoutMs: number }, table: string) {
    this.#client = client;
    this.#options = options;
    this.#table = table;
  }

  async run(): Promise<void> {
    const pending = await this.#run({ dryRun: true, singleTransaction: false }).catch((error: unknown) => {
      throw new Error(`what has been migrated is not known: ${messageOf(error)}${wayOut(error)}`, { cause: error });
    });
    for (const change of pending) await this.#patiently(change);
  }

  async #patiently(change: Change): Promise<void> {
    const { log, lockTimeoutMs, triesMax = TRIES_MAX } = this.#options;
    const { name } = change;
    let held: Held | undefined;
    for (let tries = 1; ; tries += 1) {
      // One that gets its table at once, as nearly all do, is not worth a second connection.
      const watch = tries > 1 ? await this.#watch((seen) => void (held = seen ?? held)) : undefined;
      try {
        await this.#apply(change);
        log.info({ migration: name }, 'migration applied');
        return;
      } catch (error) {
        const code = error instanceof DatabaseError ? error.code : undefined;
        if (code !== LOCK_TIMEOUT && code !== DEADLOCK) {
          if (this.#explanation !== '') log.error({ migration: name }, this.#explanation);
          throw new Error(`migration ${name} failed: ${messageOf(error)}${wayOut(error)}`, { cause: error });
        }
        if (tries >= triesMax) throw new Error(givenUp(name, { tries, lockTimeoutMs, held }), { cause: error });
        log.warn({ migration: name, tries, held }, 'a table that is to be changed is in use; trying again');
        await delay(PAUSES_PER_TRY * lockTimeoutMs);
      } finally {
        await watch?.close();
      }
    }
  }

  async #apply({ name, path }: Change): Promise<void> {
    const text = await readFile(path, 'utf8');
    if (!isOutsideTransaction(text)) {
      await this.#run({ file: name, singleTransaction: true });
      return;
    }
    const { connectionString, log, lockTimeoutMs } = this.#options;
    const { buildHeldMsMax: heldMsMax = BUILD_HELD_TIMEOUTS * lockTimeoutMs } = this.#options;
    log.info({ migration: name }, 'an index is built while the table stays in use; this may take long');
    const everyMs = Math.min(BUILD_LOOK_TIMEOUTS * lockTimeoutMs, heldMsMax);
    const pid = await this.#pid();
    const watch = startBuildWatch({ connectionString, pid, migration: name, everyMs, heldMsMax, log });
    try {
      await this.#client.query('select pg_advisory_unlock($1)', [TURN_OF_WAITERS]);
      await runOutsideTransaction(this.#client, text, lockTimeoutMs);
      await takeTurn(this.#client, log, TURN_OF_WAITERS);
      await this.#run({ file: name, fake: true });
    } catch (error) {
      const held = watch.endedFor();
      throw held === undefined ? error : new Error(heldUp(held, heldMsMax), { cause: error });
    } finally {
      await watch.close();
    }
  }

  async #watch(onLook: (held: Held | undefined) => void): Promise<{ close(): Promise<void> }> {
    const { connectionString } = this.#options;
    return startLockWatch({ connectionString, pid: await this.#pid(), everyMs: LOOK_MS, onLook });
  }

  async #pid(): Promise<number> {
    const { rows } = await this.#client.query<{ readonly pid: number }>('select pg_backend_pid() as pid');
    return rows[0]?.pid ?? 0;
  }

  async #run(how: Partial<Parameters<typeof runner>[0]>): Promise<readonly Change[]> {
    const { folder, log } = this.#options;
    this.#explanation = '';
    return runner({
      dbClient: this.#client,
      dir: fileURLToPath(folder),
      direction: 'up',
      migrationsTable: this.#table,
      // migrate() has the turn for both lists.
      noLock: true,
      logger: {
        debug: (message: string) => log.trace(message),
        info: (message: string) => log.trace(message),
        warn: (message: string) => log.trace(message),
        error: (message: string) => {
          this.#explanation = message;
        },
      },
      ...how,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of a role that serves and owns nothing. node-pg-migrate passes some errors on as text alone. */
function wayOut(error: unknown): string {
  if (!/permission denied|must be owner/.test(messageOf(error))) return '';
  return '; the schema is changed by the role that owns it: run `main.ts migrate` with DATABASE_MIGRATION_URL before, or set that here';
}

interface Tries {
  readonly tries: number;
  readonly lockTimeoutMs: number;
  readonly held: Held | undefined;
}

function givenUp(name: string, { tries, lockTimeoutMs, held }: Tries): string {
  const inVain = `migration ${name} was tried ${tries} times and each time waited ${lockTimeoutMs} ms in vain for`;
  if (held === undefined)
    return `${inVain} a table that it changes; pg_locks says who has it. Start again once it is free`;
  const { who, ending } = inTheWay(held);
  return `${inVain} the lock on ${held.what}, which is held by ${who}. Wait until that has ended, or end it (${ending}), and start again`;
}

function heldUp(held: Held, heldMsMax: number): string {
  const { who, ending } = inTheWay(held);
  return `its index was held up for ${heldMsMax} ms by ${who}. Wait until that has ended, or end it (${ending}), and start again`;
}

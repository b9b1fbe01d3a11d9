/**
 * A working participant for the kit's tests: try holds seats, confirm sells them, cancel frees them.
 *
 * Real Postgres, real HTTP. Tests look at its tables and answers; `interruptAt` runs a test's own code inside a business function, where
 * the database transaction is open and the fence row is held.
 */
import { once } from 'node:events';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { freshDatabase } from '../../../tests/world/world.ts';
import { encodeDetail, formatTransaction, type Operation } from '../../protocol/src/index.ts';
import {
  createApp,
  createPool,
  listen,
  migrate,
  mountParticipant,
  type Ask,
  type Branch,
  type Later,
  type TokenSettings,
} from '../src/index.ts';
import { fenceGauges } from '../src/participant/metrics.ts';
import { memoryLog } from './memory-log.ts';
import { usualSeats } from './seat-statements.ts';
import { until } from './until.ts';

export const NAMESPACE = 'shop';
export const PATH = '/tcc/book-seats';
export const OTHER_PATH = '/tcc/swap-seats';
export const BRANCH = 'seats';
export const SEATS_AT_START = 10;

const payloadSchema = z.strictObject({ show: z.string(), seats: z.int().min(1).max(1000) });
type Payload = z.infer<typeof payloadSchema>;

type Interruption = (client: PoolClient) => Promise<Later | undefined>;

export interface Answer {
  readonly status: number;
  /** Of the header Ordertx-State. */
  readonly state: string | null;
  readonly code: unknown;
  readonly detail: unknown;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export interface CallOptions {
  readonly transaction?: string;
  readonly payload?: unknown;
  /** The body as it is, instead of a payload. */
  readonly rawBody?: string;
  readonly path?: string;
  readonly reason?: string;
  readonly detail?: string;
  /** Undefined takes a header away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

export interface ToldRow {
  readonly operation: string;
  readonly tried: boolean | null;
  readonly seats: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
}

export interface SeatService {
  readonly pool: Pool;
  readonly url: string;
  readonly databaseUrl: string;
  /** What it serves at /metrics. */
  metrics(): Promise<string>;
  readonly branch: Branch<Payload>;
  readonly logLines: readonly Record<string, unknown>[];
  call(operation: Operation, options?: CallOptions): Promise<Answer>;
  /** The next run of this operation's business function runs this first. */
  interruptAt(operation: Operation, interruption: Interruption): void;
  /** The next try has this asked, and heeds what it hears. */
  askAtTry(ask: Ask['ask']): void;
  freeSeats(): Promise<number>;
  reservation(transaction?: string): Promise<string | undefined>;
  storedState(transaction?: string): Promise<string | undefined>;
  told(): Promise<readonly ToldRow[]>;
  /** Operations that were the usual case, where the service has one. */
  readonly usual: readonly Operation[];
  close(): Promise<void>;
}

export const TRANSACTION = 'shop/book-b1';
export const PAYLOAD: Payload = { show: 'hamlet', seats: 2 };

export async function openSeatService(
  options: { readonly tokens?: TokenSettings; readonly lockTimeoutMs?: number; readonly usual?: boolean } = {},
): Promise<SeatService> {
  const database = await freshDatabase('seats');
  const { log, lines } = memoryLog();
  await migrate({ connectionString: database.url, folder: new URL('./migrations/', import.meta.url), log });
  const pool = createPool({
    connectionString: database.url,
    applicationName: 'seats',
    log,
    ...(options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs }),
  });
  await pool.query('insert into shows values ($1, $2)', ['hamlet', SEATS_AT_START]);
  const interruptions = new Map<Operation, Interruption>();
  const asks: Ask['ask'][] = [];
  const usual: Operation[] = [];
  const branch: Branch<Payload> = {
    ...seatBranch(interruptions, asks),
    ...(options.usual === true && { usual: usualSeats((operation) => usual.push(operation)) }),
  };
  const app = createApp({ name: 'seats', version: '1', log, pool });
  const tokens = options.tokens ?? { auth: 'off' };
  mountParticipant(app, { pool, branches: [branch, { ...branch, path: OTHER_PATH }], namespaces: [NAMESPACE], tokens });
  fenceGauges(app.metrics, pool, log);
  const server = await listen(app, { port: 0, graceMs: 100 });
  return {
    pool,
    url: server.url,
    metrics: () => app.metrics.metrics(),
    databaseUrl: database.url,
    branch,
    logLines: lines,
    call: (operation, callOptions) => send(server.url, operation, callOptions ?? {}),
    interruptAt: (operation, interruption) => void interruptions.set(operation, interruption),
    askAtTry: (ask) => void asks.push(ask),
    ...observations(pool),
    usual,
    close: async () => {
      await server.close();
      await pool.end();
      await database.drop();
    },
  };
}

function seatBranch(interruptions: Map<Operation, Interruption>, asks: Ask['ask'][]): Branch<Payload> {
  const interrupted = async (operation: Operation, client: PoolClient): Promise<Later | undefined> => {
    const interruption = interruptions.get(operation);
    interruptions.delete(operation);
    return (await interruption?.(client)) ?? undefined;
  };
  return {
    branch: BRANCH,
    path: PATH,
    payload: payloadSchema,
    async try(client, { transaction, payload, heard }) {
      await tell(client, 'try', formatTransaction(transaction), { seats: payload.seats });
      const { rowCount } = await client.query(
        'insert into reservations values ($1, $2, $3, $4) on conflict do nothing',
        [formatTransaction(transaction), payload.show, payload.seats, 'held'],
      );
      if (rowCount !== 1) throw new Error('tried twice');
      const later = await interrupted('try', client);
      if (later !== undefined) return later;
      const ask = asks.pop();
      if (ask !== undefined) return { kind: 'ask', ask };
      if (heard?.objection !== undefined) return heard.objection;
      const taken = await client.query('update shows set free = free - $2 where show = $1 and free >= $2', [
        payload.show,
        payload.seats,
      ]);
      if (taken.rowCount !== 1)
        return { kind: 'refused', detail: `${payload.show} has fewer than ${payload.seats} free seats` };
      return { kind: 'tried', answer: { held: payload.seats } };
    },
    async confirm(client, { transaction, payload, reason, detail }) {
      await tell(client, 'confirm', formatTransaction(transaction), { seats: payload.seats, reason, detail });
      const later = await interrupted('confirm', client);
      if (later !== undefined) return later;
      await client.query(`update reservations set state = 'sold' where transaction = $1`, [
        formatTransaction(transaction),
      ]);
      return { kind: 'done' };
    },
    async cancel(client, { transaction, payload, tried, reason, detail }) {
      await tell(client, 'cancel', formatTransaction(transaction), {
        tried,
        seats: payload?.seats ?? null,
        reason,
        detail,
      });
      const later = await interrupted('cancel', client);
      if (later !== undefined) return later;
      if (tried) {
        await client.query('delete from reservations where transaction = $1', [formatTransaction(transaction)]);
        await client.query('update shows set free = free + $2 where show = $1', [payload.show, payload.seats]);
      }
      return { kind: 'done' };
    },
  };
}

interface Told {
  readonly seats: number | null;
  readonly tried?: boolean;
  readonly reason?: string;
  readonly detail?: string;
}

async function tell(client: PoolClient, operation: Operation, transaction: string, told: Told): Promise<void> {
  await client.query(
    'insert into told (operation, transaction, tried, seats, reason, detail) values ($1, $2, $3, $4, $5, $6)',
    [operation, transaction, told.tried ?? null, told.seats, told.reason ?? null, told.detail ?? null],
  );
}

function observations(pool: Pool): Pick<SeatService, 'freeSeats' | 'reservation' | 'storedState' | 'told'> {
  return {
    freeSeats: async () =>
      (await pool.query<{ free: number }>(`select free from shows where show = 'hamlet'`)).rows[0]?.free ?? NaN,
    reservation: async (transaction = TRANSACTION) =>
      (await pool.query<{ state: string }>('select state from reservations where transaction = $1', [transaction]))
        .rows[0]?.state,
    storedState: async (transaction = TRANSACTION) =>
      (await pool.query<{ state: string }>('select state from ordertx_fence where transaction = $1', [transaction]))
        .rows[0]?.state,
    told: async () =>
      (await pool.query<ToldRow>('select operation, tried, seats, reason, detail from told order by seq')).rows,
  };
}

async function send(url: string, operation: Operation, options: CallOptions): Promise<Answer> {
  const transaction = options.transaction ?? TRANSACTION;
  const decision =
    operation === 'try'
      ? {}
      : { 'ordertx-reason': options.reason ?? 'AllTried', 'ordertx-detail': encodeDetail(options.detail ?? '') };
  const headers: Record<string, string | undefined> = {
    'content-type': 'application/json',
    'ordertx-transaction': transaction,
    'ordertx-branch': BRANCH,
    'ordertx-operation': operation,
    'ordertx-attempt': '1',
    'idempotency-key': `${transaction}/${BRANCH}/${operation}`,
    ...decision,
    ...options.headers,
  };
  const response = await fetch(`${url}${options.path ?? PATH}/${operation}`, {
    method: 'POST',
    headers: Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
    body: options.rawBody ?? JSON.stringify(options.payload ?? PAYLOAD),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return {
    status: response.status,
    state: response.headers.get('ordertx-state'),
    code: body.code,
    detail: body.detail,
    body,
    headers: response.headers,
  };
}

/** A place where a business function stands still until the test lets it go. */
export function barrier(): { readonly reached: Promise<unknown>; readonly stop: Interruption; release(): void } {
  const events = new EventTarget();
  const reached = once(events, 'reached');
  const released = once(events, 'released');
  return {
    reached,
    stop: async () => {
      events.dispatchEvent(new Event('reached'));
      await released;
    },
    release: () => void events.dispatchEvent(new Event('released')),
  };
}

/** Some connection of this database waits for a lock another one holds. */
export async function untilSomeoneWaits(pool: Pool): Promise<void> {
  await until('a connection waits for a lock', async () => {
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return (await pool.query(waiting)).rowCount === 1;
  });
}

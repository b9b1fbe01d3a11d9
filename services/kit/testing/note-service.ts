/**
 * A service of the kit's message tests: its consumer keeps every note it was handed.
 *
 * Real Postgres, real Redis (a database number of its own). Tests look at its tables, at the streams and at the receipts; `during`
 * runs a test's own code inside the handler, where the database transaction is open.
 */
import { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { freshDatabase, freshRedis } from '../../../tests/world/world.ts';
import {
  MESSAGE_FIELD,
  messagesStream,
  RECEIPT_FIELD,
  receiptsStream,
  type Receipt,
} from '../../protocol/src/index.ts';
import { Consumer } from '../src/messages/consumer.ts';
import type { AnyHandler, OnceHandler } from '../src/messages/handler.ts';
import { OutboxRelay } from '../src/messages/relay.ts';
import { createPool, migrate } from '../src/index.ts';
import { memoryLog } from './memory-log.ts';
import { until } from './until.ts';

export const SERVICE = 'notes';
export const STREAM = messagesStream(SERVICE);
export const REPLICA = 'controller-1';

const noteSchema = z.strictObject({ orderId: z.string(), pages: z.int().min(1) });
type Note = z.infer<typeof noteSchema>;

export interface NoteService {
  readonly pool: Pool;
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly logLines: readonly Record<string, unknown>[];
  /** Who the handler says is foreign, by the message itself, and what it is told when it asks others; undefined: nobody, nothing. */
  listening(to: Pick<OnceHandler<Note>, 'foreign' | 'before'>): void;
  /** The handler of notes. */
  readonly note: OnceHandler<Note>;
  /** The next runs of the handler run this first. */
  during(work: OnceHandler<Note>['handle'] | undefined): void;
  open(options?: { readonly handlers?: readonly AnyHandler[]; readonly takeoverIdleMs?: number }): OpenConsumer;
  relay(): OutboxRelay & { readonly registry: Registry };
  /** Publishes an event as it stands, or with these attributes changed; undefined takes one away. */
  publish(change?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Publishes a field's text as it stands. */
  publishText(text: string, field?: string): Promise<void>;
  /** All receipts so far, the oldest first. */
  receipts(replica?: string): Promise<readonly Receipt[]>;
  receiptsWhen(count: number, replica?: string): Promise<readonly Receipt[]>;
  notes(): Promise<readonly string[]>;
  /** Resolves once nothing lies on the stream any more. */
  emptied(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenConsumer {
  readonly registry: Registry;
  close(): Promise<void>;
}

export const EVENT = {
  specversion: '1.0',
  id: 'shop/pay-p1/note',
  source: 'ordertx/shop/pay-order',
  type: 'note.sent',
  subject: 'o1',
  time: '2026-01-01T00:00:00.000Z',
  datacontenttype: 'application/json',
  reason: 'AllTried',
  detail: 'every participant has tried',
  replyto: receiptsStream(REPLICA),
  receipttoken: 'a-token',
  attempt: 1,
  data: { orderId: 'o1', pages: 2 },
};

/** The handler of notes, and what a test has it do besides. */
function noteHandling(): Pick<NoteService, 'during' | 'listening'> & { readonly note: OnceHandler<Note> } {
  let first: OnceHandler<Note>['handle'] | undefined;
  let listening: Pick<OnceHandler<Note>, 'foreign' | 'before'> = {};
  const note: OnceHandler<Note> = {
    kind: 'once',
    type: 'note.sent',
    data: noteSchema,
    foreign: (message) => listening.foreign?.(message),
    before: async (message) => listening.before?.(message),
    async handle(client, message) {
      await client.query('insert into notes (note, order_id, detail) values ($1, $2, $3)', [
        ...[message.id, message.data.orderId, message.detail],
      ]);
      return (await first?.(client, message)) ?? { kind: 'delivered' };
    },
  };
  return { note, during: (work) => (first = work), listening: (to) => (listening = to) };
}

/** @param through where Redis is found; default: a database of the world's */
export async function openNoteService(through?: string): Promise<NoteService> {
  const database = await freshDatabase('notes');
  const redisUrl = through ?? (await freshRedis());
  const { log, lines } = memoryLog();
  await migrate({ connectionString: database.url, folder: new URL('./migrations/', import.meta.url), log });
  const pool = createPool({ connectionString: database.url, applicationName: 'notes', log });
  const redis = new Redis(redisUrl);
  const handling = noteHandling();
  const closers: (() => Promise<void>)[] = [];
  let replicas = 0;
  const receipts = async (replica = REPLICA): Promise<readonly Receipt[]> => {
    const entries = await redis.xrange(receiptsStream(replica), '-', '+');
    return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf(RECEIPT_FIELD) + 1] ?? '') as Receipt);
  };
  const publishText = async (text: string, field = MESSAGE_FIELD): Promise<void> => {
    await redis.xadd(STREAM, '*', field, text);
  };
  return {
    ...{ pool, redis, redisUrl, databaseUrl: database.url, logLines: lines, receipts, publishText },
    ...handling,
    open({ handlers = [handling.note], takeoverIdleMs } = {}) {
      replicas += 1;
      const registry = new Registry();
      const consumer = new Consumer({
        ...{ redisUrl, service: SERVICE, replica: `notes-${replicas}`, pool, handlers, namespaces: ['shop'], log },
        metrics: registry,
        ...(takeoverIdleMs === undefined ? {} : { takeoverIdleMs }),
      });
      closers.push(() => consumer.close());
      return { registry, close: () => consumer.close() };
    },
    relay() {
      replicas += 1;
      const registry = new Registry();
      const replica = `notes-${replicas}`;
      const relay = new OutboxRelay({ redisUrl, service: SERVICE, replica, pool, metrics: registry, log });
      closers.push(() => relay.close());
      return Object.assign(relay, { registry });
    },
    publish: (change = {}) => publishText(JSON.stringify({ ...EVENT, ...change })),
    async receiptsWhen(count, replica = REPLICA) {
      await until(`${count} receipts`, async () => (await receipts(replica)).length >= count);
      return receipts(replica);
    },
    async notes() {
      const { rows } = await pool.query<{ note: string }>('select note from notes order by note');
      return rows.map((row) => row.note);
    },
    emptied: () => until('the stream is empty', async () => (await redis.xlen(STREAM)) === 0),
    async close() {
      for (const closer of closers) await closer();
      redis.disconnect();
      await pool.end();
      await database.drop();
    },
  };
}

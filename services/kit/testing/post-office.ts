/**
 * A service of the kit's message tests: a post office whose consumer keeps every letter it was handed.
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

export const SERVICE = 'post';
export const STREAM = messagesStream(SERVICE);
export const REPLICA = 'controller-1';

const letterSchema = z.strictObject({ orderId: z.string(), pages: z.int().min(1) });
type Letter = z.infer<typeof letterSchema>;

export interface PostOffice {
  readonly pool: Pool;
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly logLines: readonly Record<string, unknown>[];
  /** Who the handler says is foreign, by the message itself, and what it is told when it asks others; undefined: nobody, nothing. */
  listening(to: Pick<OnceHandler<Letter>, 'foreign' | 'before'>): void;
  /** The handler of letters. */
  readonly letter: OnceHandler<Letter>;
  /** The next runs of the handler run this first. */
  during(work: OnceHandler<Letter>['handle'] | undefined): void;
  open(options?: { readonly handlers?: readonly AnyHandler[]; readonly takeoverIdleMs?: number }): OpenConsumer;
  relay(): OutboxRelay & { readonly registry: Registry };
  /** Publishes an event as it stands, or with these attributes changed; undefined takes one away. */
  publish(change?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Publishes a field's text as it stands. */
  publishText(text: string, field?: string): Promise<void>;
  /** All receipts so far, the oldest first. */
  receipts(replica?: string): Promise<readonly Receipt[]>;
  receiptsWhen(count: number, replica?: string): Promise<readonly Receipt[]>;
  letters(): Promise<readonly string[]>;
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
  id: 'shop/pay-p1/letter',
  source: 'ordertx/shop/pay-order',
  type: 'letter.sent',
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

/** The handler of letters, and what a test has it do besides. */
function letterHandling(): Pick<PostOffice, 'during' | 'listening'> & { readonly letter: OnceHandler<Letter> } {
  let first: OnceHandler<Letter>['handle'] | undefined;
  let listening: Pick<OnceHandler<Letter>, 'foreign' | 'before'> = {};
  const letter: OnceHandler<Letter> = {
    kind: 'once',
    type: 'letter.sent',
    data: letterSchema,
    foreign: (message) => listening.foreign?.(message),
    before: async (message) => listening.before?.(message),
    async handle(client, message) {
      await client.query('insert into letters (letter, order_id, detail) values ($1, $2, $3)', [
        ...[message.id, message.data.orderId, message.detail],
      ]);
      return (await first?.(client, message)) ?? { kind: 'delivered' };
    },
  };
  return { letter, during: (work) => (first = work), listening: (to) => (listening = to) };
}

/** @param through where Redis is found; default: a database of the world's */
export async function openPostOffice(through?: string): Promise<PostOffice> {
  const database = await freshDatabase('post');
  const redisUrl = through ?? (await freshRedis());
  const { log, lines } = memoryLog();
  await migrate({ connectionString: database.url, folder: new URL('./migrations/', import.meta.url), log });
  const pool = createPool({ connectionString: database.url, applicationName: 'post', log });
  const redis = new Redis(redisUrl);
  const handling = letterHandling();
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
    open({ handlers = [handling.letter], takeoverIdleMs } = {}) {
      replicas += 1;
      const registry = new Registry();
      const consumer = new Consumer({
        ...{ redisUrl, service: SERVICE, replica: `post-${replicas}`, pool, handlers, namespaces: ['shop'], log },
        metrics: registry,
        ...(takeoverIdleMs === undefined ? {} : { takeoverIdleMs }),
      });
      closers.push(() => consumer.close());
      return { registry, close: () => consumer.close() };
    },
    relay() {
      replicas += 1;
      const registry = new Registry();
      const replica = `post-${replicas}`;
      const relay = new OutboxRelay({ redisUrl, service: SERVICE, replica, pool, metrics: registry, log });
      closers.push(() => relay.close());
      return Object.assign(relay, { registry });
    },
    publish: (change = {}) => publishText(JSON.stringify({ ...EVENT, ...change })),
    async receiptsWhen(count, replica = REPLICA) {
      await until(`${count} receipts`, async () => (await receipts(replica)).length >= count);
      return receipts(replica);
    },
    async letters() {
      const { rows } = await pool.query<{ letter: string }>('select letter from letters order by letter');
      return rows.map((row) => row.letter);
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

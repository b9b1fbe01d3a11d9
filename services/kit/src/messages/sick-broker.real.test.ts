/**
 * Consumer and relay beside a Redis that is full, read-only, half-open, or has a key of the wrong type where they work: nothing is
 * lost, nothing loops, and all goes on by itself once it is mended.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from '../../../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../../../local/process-group.ts';
import { startRedis } from '../../../../local/redis.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { receiptsStream } from '../../../protocol/src/index.ts';
import { EVENT, openNoteService, REPLICA, STREAM, type NoteService } from '../../testing/note-service.ts';
import { inTransaction } from '../postgres/transaction.ts';
import { tell } from './outbox.ts';

const RECEIPTS = receiptsStream(REPLICA);
const TO_ORDER = 'ordertx:messages:order';
const TEST_MS = 90_000;
/** What is promised of a half-open connection. */
const HEALED_MS = 30_000;

let group: ProcessGroup;
let server: { readonly url: string; readonly port: number };
let redis: Redis;
let proxy: TcpProxy;
let noteService: NoteService;

beforeAll(async () => {
  group = await openProcessGroup();
  const started = await startRedis(group, { url: '' });
  if (started.kind !== 'own') throw new Error('a Redis of its own was asked for');
  server = started;
  redis = new Redis(server.url);
  proxy = await startTcpProxy(server.port);
}, TEST_MS);
afterAll(async () => {
  redis.disconnect();
  await proxy.close();
  await group.close();
});
beforeEach(async () => {
  noteService = await openNoteService(`redis://127.0.0.1:${String(proxy.port)}`);
}, TEST_MS);
afterEach(async () => {
  await redis.config('SET', 'maxmemory', '0');
  await redis.replicaof('NO', 'ONE');
  await noteService.close();
  await redis.flushall();
});

/** Room for nothing more, and nothing is evicted. */
async function fill(): Promise<void> {
  await redis.config('SET', 'maxmemory-policy', 'noeviction');
  await redis.config('SET', 'maxmemory', '1');
}
const withinS = (what: string, look: () => Promise<boolean>, deadlineMs = 20_000) =>
  waitFor(look, { what, deadlineMs, everyMs: 20 });
const lines = (sentence: string) => noteService.logLines.filter(({ msg }) => String(msg).includes(sentence)).length;
const write = (id: string) =>
  inTransaction(noteService.pool, (client) =>
    tell(client, { id: `notes/note.read/${id}`, stream: 'order', type: 'note.read', subject: 'o1', data: {} }),
  );
const metric = async (of: { readonly registry: { metrics(): Promise<string> } }, doing: string) =>
  new RegExp(`ordertx_broker_trouble\\{doing="${doing}"\\} (\\d)`).exec(await of.registry.metrics())?.[1];

describe('a Redis that is full', () => {
  test(
    'lets messages be handled and taken off, though their receipts are lost; they come again and get them',
    async () => {
      const consumer = noteService.open();
      noteService.during(async () => {
        await fill();
        return { kind: 'delivered' };
      });
      await noteService.publish({ id: 'shop/full/note' });
      await withinS('the entry is gone', async () => (await redis.xlen(STREAM)) === 0);
      expect(await noteService.notes()).toContain('shop/full/note');
      await withinS('it is told', async () => lines('receipts cannot be sent') === 1);
      expect(await metric(consumer, 'send receipts')).toBe('1');
      noteService.during(undefined);
      await redis.config('SET', 'maxmemory', '0');
      await noteService.publish({ id: 'shop/full/note', attempt: 2 });
      await withinS('its receipt', async () =>
        (await noteService.receipts()).some(({ id, result }) => id === 'shop/full/note' && result === 'delivered'),
      );
      expect((await noteService.notes()).filter((id) => id === 'shop/full/note')).toHaveLength(1);
      await withinS('it is told', async () => (await metric(consumer, 'send receipts')) === '0');
    },
    TEST_MS,
  );

  test(
    'is asked by probes that grow apart, claims nothing from the outbox, and gets all of it once there is room',
    async () => {
      const relay = noteService.relay();
      await write('first');
      relay.nudge();
      await withinS('the first', async () => (await redis.xlen(TO_ORDER)) === 1);
      await fill();
      for (let each = 0; each < 50; each += 1) await write(String(each));
      relay.nudge();
      await withinS('it is told', async () => lines('messages cannot be published') === 1);
      // What was refused until then were the messages themselves.
      await redis.config('RESETSTAT');
      const attempts = async () =>
        (await noteService.pool.query<{ sum: string }>('select sum(attempts) from ordertx_outbox')).rows[0]?.sum;
      const before = await attempts();
      await withinS('some probes', async () => (await calls('xadd')) >= 3);
      expect(await attempts()).toBe(before);
      expect(await metric(relay, 'publish')).toBe('1');
      await redis.config('SET', 'maxmemory', '0');
      await withinS('all of them', async () => (await redis.xlen(TO_ORDER)) === 51);
      expect(lines('messages cannot be published')).toBe(1);
    },
    TEST_MS,
  );
});

/** How often a command was refused or done since the statistics were reset. */
async function calls(command: string): Promise<number> {
  const line = new RegExp(`cmdstat_${command}:calls=(\\d+).*rejected_calls=(\\d+)`).exec(
    await redis.info('commandstats'),
  );
  return Number(line?.[1] ?? 0) + Number(line?.[2] ?? 0);
}

test(
  'a primary that is demoted is left: both connect again, and go on once its name leads to one that takes writes',
  async () => {
    noteService.open();
    const relay = noteService.relay();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    const before = proxy.connectionsMade();
    await redis.replicaof('127.0.0.1', '1');
    await write('a');
    relay.nudge();
    await withinS('they connect again', async () => proxy.connectionsMade() >= before + 3);
    await redis.replicaof('NO', 'ONE');
    await withinS('the outbox is published', async () => (await redis.xlen(TO_ORDER)) === 1);
    await noteService.publish({ id: 'shop/b/note' });
    await withinS('the receipt', async () => (await noteService.receipts()).length === 2);
  },
  TEST_MS,
);

describe('a half-open connection', () => {
  test(
    'is given up by consumer and relay: messages flow again within 30 s, also what was on its way',
    async () => {
      noteService.open();
      const relay = noteService.relay();
      await noteService.publish();
      await noteService.receiptsWhen(1);
      await write('a');
      relay.nudge();
      await withinS('the first publication', async () => (await redis.xlen(TO_ORDER)) === 1);
      const [[, fields]] = (await redis.xrange(TO_ORDER, '-', '+')) as [[string, string[]]];
      const { id, replyto, receipttoken: token } = JSON.parse(fields[1] ?? '') as Record<string, string>;
      // The test's own connection does not go through the proxy.
      const direct = new Redis(server.url);
      proxy.swallowOpen();
      const sinceMs = performance.now();
      await direct.xadd(STREAM, '*', 'event', JSON.stringify({ ...EVENT, id: 'shop/b/note' }));
      await direct.xadd(
        replyto ?? '',
        '*',
        'receipt',
        JSON.stringify({ id, consumer: 'order', result: 'delivered', token }),
      );
      await write('b');
      await withinS('the message has its receipt', async () => (await direct.xlen(RECEIPTS)) === 2, HEALED_MS);
      await withinS('the relay has read its receipt', async () => (await direct.xlen(replyto ?? '')) === 0, HEALED_MS);
      await withinS('the relay publishes', async () => (await direct.xlen(TO_ORDER)) === 2, HEALED_MS);
      expect(performance.now() - sinceMs).toBeLessThan(HEALED_MS);
      expect(await noteService.notes()).toEqual(['shop/b/note', EVENT.id]);
      direct.disconnect();
    },
    TEST_MS,
  );

  test(
    'at the start is given up as well',
    async () => {
      proxy.break('answers-lost');
      noteService.open();
      const relay = noteService.relay();
      await write('a');
      await withinS('they have tried', async () => proxy.openConnections() >= 4);
      proxy.swallowOpen();
      const sinceMs = performance.now();
      proxy.letNewOnesWork();
      await redis.xadd(STREAM, '*', 'event', JSON.stringify(EVENT));
      relay.nudge();
      await withinS('the receipt', async () => (await redis.xlen(RECEIPTS)) === 1, HEALED_MS);
      await withinS('the publication', async () => (await redis.xlen(TO_ORDER)) === 1, HEALED_MS);
      expect(performance.now() - sinceMs).toBeLessThan(HEALED_MS);
    },
    TEST_MS,
  );
});

describe('a key of the wrong type', () => {
  test(
    'where the messages should lie: told once, counted, not asked in a loop, and read again once it is gone',
    async () => {
      const consumer = noteService.open();
      await noteService.publish();
      await noteService.receiptsWhen(1);
      await redis.multi().del(STREAM).set(STREAM, 'no stream').exec();
      await withinS('it is told', async () => lines('messages cannot be read') === 1);
      expect(await metric(consumer, 'read messages')).toBe('1');
      await redis.config('RESETSTAT');
      await withinS('further tries', async () => (await calls('xreadgroup')) + (await calls('xautoclaim')) >= 2);
      const tries = (await calls('xreadgroup')) + (await calls('xautoclaim')) + (await calls('xgroup\\|create'));
      expect(tries).toBeLessThan(10);
      await redis.del(STREAM);
      await noteService.publish({ id: 'shop/b/note' });
      await withinS('the receipt', async () => (await noteService.receipts()).length === 2);
      expect(lines('messages cannot be read')).toBe(1);
      expect(await metric(consumer, 'read messages')).toBe('0');
    },
    TEST_MS,
  );

  test(
    "where a sender's receipts should lie: its messages are taken off all the same, and others get theirs",
    async () => {
      const consumer = noteService.open();
      await redis.set(RECEIPTS, 'no stream');
      await noteService.publish();
      await noteService.publish({ id: 'shop/b/note', replyto: receiptsStream('other') });
      expect(await noteService.receiptsWhen(1, 'other')).toHaveLength(1);
      await withinS('both are gone', async () => (await redis.xlen(STREAM)) === 0);
      // The consumer hears of it through the proxy, later than the test does.
      await withinS('it is told', async () => (await metric(consumer, 'send receipts')) === '1');
      await redis.del(RECEIPTS);
      await noteService.publish({ attempt: 2 });
      expect(await noteService.receiptsWhen(1)).toHaveLength(1);
      await withinS('it is told', async () => (await metric(consumer, 'send receipts')) === '0');
    },
    TEST_MS,
  );

  test(
    "where the relay's own receipts should lie: told once, asked less and less, and read again once it is gone",
    async () => {
      const relay = noteService.relay();
      await write('a');
      relay.nudge();
      await withinS('the publication', async () => (await redis.xlen(TO_ORDER)) === 1);
      const [[, fields]] = (await redis.xrange(TO_ORDER, '-', '+')) as [[string, string[]]];
      const { id, replyto = '', receipttoken: token } = JSON.parse(fields[1] ?? '') as Record<string, string>;
      await redis.set(replyto, 'no stream');
      await withinS('it is told', async () => lines('receipts could not be read') === 1);
      expect(await metric(relay, 'read receipts')).toBe('1');
      await redis.config('RESETSTAT');
      await withinS('further tries', async () => (await calls('xread')) >= 2);
      expect(await calls('xread')).toBeLessThan(6);
      await redis.del(replyto);
      await redis.xadd(replyto, '*', 'receipt', JSON.stringify({ id, consumer: 'order', result: 'delivered', token }));
      await withinS(
        'the outbox is empty',
        async () => (await noteService.pool.query('select from ordertx_outbox')).rowCount === 0,
      );
      expect(lines('receipts could not be read')).toBe(1);
    },
    TEST_MS,
  );
});

test(
  'a receipt whose reason no database can hold parks its message all the same',
  async () => {
    const relay = noteService.relay();
    await write('a');
    relay.nudge();
    await withinS('the publication', async () => (await redis.xlen(TO_ORDER)) === 1);
    const [[, fields]] = (await redis.xrange(TO_ORDER, '-', '+')) as [[string, string[]]];
    const { id, replyto = '', receipttoken: token } = JSON.parse(fields[1] ?? '') as Record<string, string>;
    const refusal = { id, consumer: 'order', result: 'refused', reason: 'no \0 \ud800 way', token };
    await redis.xadd(replyto, '*', 'receipt', JSON.stringify(refusal));
    await withinS('it is parked', async () => {
      const { rows } = await noteService.pool.query<{ refused_reason: string }>(
        'select refused_reason from ordertx_outbox',
      );
      return rows[0]?.refused_reason === 'order: no way';
    });
    await withinS('the receipt is gone', async () => (await redis.xlen(replyto)) === 0);
  },
  TEST_MS,
);

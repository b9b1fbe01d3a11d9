/**
 * The consumer on a real Redis and a real Postgres: every effect once, every answer to whom it belongs, whatever Redis loses.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EVENT, openNoteService, REPLICA, SERVICE, STREAM, type NoteService } from '../../testing/note-service.ts';
import { Registry } from 'prom-client';
import { memoryLog } from '../../testing/memory-log.ts';
import { until } from '../../testing/until.ts';
import { Consumer } from './consumer.ts';
import { OutboxRelay } from './relay.ts';

let noteService: NoteService;
beforeEach(async () => {
  noteService = await openNoteService();
}, 30_000);
afterEach(async () => {
  await noteService.close();
});

const DELIVERED = { id: EVENT.id, consumer: SERVICE, token: EVENT.receipttoken, result: 'delivered' };

async function inboxed(): Promise<number> {
  return (await noteService.pool.query('select from ordertx_inbox')).rowCount ?? 0;
}

async function groups(): Promise<number> {
  return ((await noteService.redis.xinfo('GROUPS', STREAM).catch(() => [])) as readonly unknown[]).length;
}

describe('a message', () => {
  test('has its effect, is answered, and leaves the stream', async () => {
    await noteService.publish();
    noteService.open();
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await noteService.notes()).toEqual([EVENT.id]);
    await noteService.emptied();
    expect(await noteService.redis.xpending(STREAM, SERVICE)).toMatchObject({ 0: 0 });
  });

  test('that comes again is answered again, to its own sender, and has no second effect', async () => {
    noteService.open();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    await noteService.publish({ replyto: 'ordertx:receipts:controller-2', attempt: 2 });
    expect(await noteService.receiptsWhen(1, 'controller-2')).toEqual([DELIVERED]);
    expect(await noteService.notes()).toEqual([EVENT.id]);
  });

  test('of another content under an id that was handled is no duplicate: it is refused in view, and has no effect', async () => {
    const { registry } = noteService.open();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    await noteService.publish({ data: { orderId: 'o1', pages: 3 }, replyto: 'ordertx:receipts:controller-2' });
    expect(await noteService.receiptsWhen(1, 'controller-2')).toMatchObject([
      { result: 'refused', reason: expect.stringContaining('id: another message was handled under it') },
    ]);
    expect(await noteService.notes()).toEqual([EVENT.id]);
    expect(await registry.metrics()).toMatch(/type="note.sent",outcome="conflict"\} 1/);
    await noteService.publish({ attempt: 2 });
    expect((await noteService.receiptsWhen(2))[1]).toEqual(DELIVERED);
  });

  test('that the version before this one handled is a duplicate by its id alone', async () => {
    await noteService.pool.query('insert into ordertx_inbox (id, type) values ($1, $2)', [EVENT.id, EVENT.type]);
    noteService.open();
    await noteService.publish();
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await noteService.notes()).toEqual([]);
  });

  test('of which thirty copies are handled side by side by two replicas has one effect', async () => {
    await Promise.all(Array.from({ length: 30 }, () => noteService.publish()));
    noteService.open();
    noteService.open();
    expect(await noteService.receiptsWhen(30)).toHaveLength(30);
    expect(await noteService.notes()).toEqual([EVENT.id]);
  });

  test('that its handler refuses leaves nothing, and is judged afresh when it comes again', async () => {
    noteService.during(async () => ({ kind: 'refused', reason: 'no stamp' }));
    noteService.open();
    await noteService.publish();
    expect(await noteService.receiptsWhen(1)).toEqual([{ ...DELIVERED, result: 'refused', reason: 'no stamp' }]);
    expect([await noteService.notes(), await inboxed()]).toEqual([[], 0]);
    noteService.during(undefined);
    await noteService.publish();
    expect((await noteService.receiptsWhen(2))[1]).toEqual(DELIVERED);
    expect(await noteService.notes()).toEqual([EVENT.id]);
  });

  test.each([
    ['cannot take yet', async () => ({ kind: 'not-yet', detail: 'the stamps are late' }) as const],
    ['stumbles over', () => Promise.reject(new Error('a fault of ours'))],
  ])('that its handler %s gets no receipt, leaves nothing, and is done when it comes again', async (_how, during) => {
    noteService.during(during);
    noteService.open();
    await noteService.publish();
    await until('it was taken', async () => (await groups()) > 0);
    await noteService.emptied();
    expect([await noteService.receipts(), await noteService.notes(), await inboxed()]).toEqual([[], [], 0]);
    noteService.during(undefined);
    await noteService.publish({ attempt: 2 });
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
  });

  test('whose database transaction is cut off is done when it comes again', async () => {
    noteService.during(async (client) => {
      noteService.during(undefined);
      await client.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
      return { kind: 'delivered' };
    });
    noteService.open();
    await noteService.publish();
    await until('it was tried', () => noteService.logLines.some(({ msg }) => String(msg).includes('it comes again')));
    expect([await noteService.receipts(), await noteService.notes()]).toEqual([[], []]);
    await noteService.publish();
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await noteService.notes()).toEqual([EVENT.id]);
  });
});

describe('a message that is foreign', () => {
  const ANSWERED = { ...DELIVERED, reason: 'without effect: it is from somebody else' };

  test.each(['by the message itself', 'by what others say', 'by the rows it meets'])(
    'judged %s, is answered without an effect, seen in log and metrics, and its id is not used up',
    async (by) => {
      const foreign = { kind: 'foreign', detail: 'it is from somebody else' } as const;
      if (by === 'by the message itself') noteService.listening({ foreign: () => foreign.detail });
      if (by === 'by what others say') noteService.listening({ before: async () => foreign });
      if (by === 'by the rows it meets') noteService.during(async () => foreign);
      const { registry } = noteService.open();
      await noteService.publish();
      expect(await noteService.receiptsWhen(1)).toEqual([ANSWERED]);
      expect([await noteService.notes(), await inboxed()]).toEqual([[], 0]);
      expect(await registry.metrics()).toContain('type="note.sent",outcome="foreign"} 1');
      expect(noteService.logLines).toContainEqual(expect.objectContaining({ reason: foreign.detail }));
      noteService.listening({});
      noteService.during(undefined);
      await noteService.publish();
      expect((await noteService.receiptsWhen(2)).at(-1)).toEqual(DELIVERED);
      expect(await noteService.notes()).toEqual([EVENT.id]);
    },
  );
});

test('what others say is asked before a message is handled, and not again once it was', async () => {
  let asked = 0;
  noteService.listening({
    before: async () => {
      asked += 1;
      return asked === 1 ? { kind: 'not-yet', detail: 'nobody answers' } : undefined;
    },
  });
  noteService.open();
  await noteService.publish();
  await noteService.emptied();
  expect([await noteService.receipts(), await inboxed()]).toEqual([[], 0]);
  await noteService.publish();
  await noteService.publish();
  await noteService.publish();
  expect(await noteService.receiptsWhen(3)).toEqual([DELIVERED, DELIVERED, DELIVERED]);
  expect(await noteService.notes()).toEqual([EVENT.id]);
  const times = asked;
  await noteService.publish();
  await noteService.receiptsWhen(4);
  expect(asked).toBe(times);
});

describe('nonsense', () => {
  test('is refused to its sender, by the name of what is wrong, and not handled', async () => {
    noteService.open();
    await noteService.publish({ type: 'note.burnt' });
    await noteService.publish({ data: { orderId: 'o1', pages: -1 } });
    await noteService.publish({ source: 'ordertx/elsewhere/pay-order', id: 'elsewhere/pay-p1/note' });
    await noteService.publish({ specversion: '0.3' });
    const reasons = (await noteService.receiptsWhen(4)).map(({ result, reason }) => `${result} ${reason}`);
    expect(reasons.toSorted()).toEqual([
      expect.stringContaining('refused data.pages'),
      expect.stringContaining('refused not a CloudEvent of this system: specversion'),
      expect.stringContaining('refused source: this service takes no part in transactions of namespace elsewhere'),
      expect.stringContaining('refused type: is not a message of this service, which takes note.sent'),
    ]);
    expect([await noteService.notes(), await inboxed()]).toEqual([[], 0]);
    await noteService.emptied();
  });

  test('that names nobody to tell is kept for people, counted, and does not stop what comes after', async () => {
    const { registry } = noteService.open();
    for (const text of ['not json \0', 'not json \0', '[]']) await noteService.publishText(text);
    await noteService.publishText(JSON.stringify(EVENT), 'message');
    await noteService.publish({ replyto: STREAM });
    await noteService.publish();
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    await noteService.emptied();
    const { rows } = await noteService.pool.query(
      'select times, reason from ordertx_unanswerable order by times, reason',
    );
    expect(rows).toEqual([
      { times: 1, reason: expect.stringContaining('replyto') },
      { times: 1, reason: expect.stringContaining('the event: ') },
      { times: 1, reason: expect.stringContaining('no field event') },
      { times: 2, reason: expect.stringContaining('is not JSON') },
    ]);
    expect(await registry.metrics()).toMatch(/^ordertx_messages_unanswerable 4$/m);
    expect(await registry.metrics()).toMatch(
      /ordertx_messages_handled_total\{stream="notes",type="none",outcome="refused"\} 5/,
    );
    expect(await noteService.redis.keys('*')).toEqual(expect.not.arrayContaining(['ordertx:receipts:']));
  });
});

describe('a consumer that has died', () => {
  test('is relieved of what it had read', async () => {
    await noteService.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await noteService.publish();
    await noteService.redis.xreadgroup('GROUP', SERVICE, 'the-dead', 'COUNT', 1, 'STREAMS', STREAM, '>');
    const { registry } = noteService.open({ takeoverIdleMs: 500 });
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await registry.metrics()).toMatch(/ordertx_messages_taken_over_total\{stream="notes"\} 1/);
  });

  test('after its commit and before its receipt: the receipt is sent, and nothing is done twice', async () => {
    await noteService.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await noteService.publish();
    await noteService.redis.xreadgroup('GROUP', SERVICE, 'the-dead', 'COUNT', 1, 'STREAMS', STREAM, '>');
    await noteService.pool.query('insert into ordertx_inbox (id, type) values ($1, $2)', [EVENT.id, EVENT.type]);
    const { registry } = noteService.open({ takeoverIdleMs: 500 });
    expect(await noteService.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await noteService.notes()).toEqual([]);
    expect(await registry.metrics()).toMatch(/type="note.sent",outcome="replayed"\} 1/);
  });

  test('keeps what it holds while it may still be alive', async () => {
    await noteService.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await noteService.publish();
    await noteService.redis.xreadgroup('GROUP', SERVICE, 'the-slow', 'COUNT', 1, 'STREAMS', STREAM, '>');
    noteService.open({ takeoverIdleMs: 3_600_000 });
    await noteService.publish({ id: 'shop/pay-p2/note' });
    expect(await noteService.receiptsWhen(1)).toEqual([{ ...DELIVERED, id: 'shop/pay-p2/note' }]);
    expect(await noteService.redis.xpending(STREAM, SERVICE)).toMatchObject({ 0: 1 });
  });
});

describe('Redis', () => {
  test('may be wiped while it is read: the group is made again, and what comes then is handled', async () => {
    noteService.open();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    for (const id of ['a', 'b', 'c']) {
      await noteService.redis.flushdb();
      await noteService.publish({ id: `shop/${id}/note` });
      expect(await noteService.receiptsWhen(1)).toEqual([{ ...DELIVERED, id: `shop/${id}/note` }]);
    }
  });

  test('keeps what was published before there was a group', async () => {
    await noteService.publish();
    await noteService.publish({ id: 'shop/b/note' });
    noteService.open();
    expect(await noteService.receiptsWhen(2)).toHaveLength(2);
  });

  test('forgets receipts that nobody reads, after a while', async () => {
    noteService.open();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    const seconds = await noteService.redis.ttl(`ordertx:receipts:${REPLICA}`);
    expect(seconds).toBeGreaterThan(60);
    expect(seconds).toBeLessThanOrEqual(3_600);
  });

  test('that is away holds up no shutdown', async () => {
    const { log } = memoryLog();
    const away = { redisUrl: 'redis://127.0.0.1:1', service: SERVICE, pool: noteService.pool, log };
    const relay = new OutboxRelay({ ...away, replica: 'notes-r', metrics: new Registry() });
    const consumer = new Consumer({
      ...{ ...away, replica: 'notes-c', metrics: new Registry() },
      ...{ handlers: [], namespaces: ['shop'] },
    });
    await consumer.close();
    await relay.close();
  }, 20_000);

  test('knows nothing more of a consumer that has closed', async () => {
    const consumer = noteService.open();
    await noteService.publish();
    await noteService.receiptsWhen(1);
    await noteService.emptied();
    await consumer.close();
    expect(await noteService.redis.xinfo('CONSUMERS', STREAM, SERVICE)).toEqual([]);
  });
});

/**
 * The consumer on a real Redis and a real Postgres: every effect once, every answer to whom it belongs, whatever Redis loses.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EVENT, openPostOffice, REPLICA, SERVICE, STREAM, type PostOffice } from '../../testing/post-office.ts';
import { Registry } from 'prom-client';
import { memoryLog } from '../../testing/memory-log.ts';
import { until } from '../../testing/until.ts';
import { Consumer } from './consumer.ts';
import { OutboxRelay } from './relay.ts';

let post: PostOffice;
beforeEach(async () => {
  post = await openPostOffice();
}, 30_000);
afterEach(async () => {
  await post.close();
});

const DELIVERED = { id: EVENT.id, consumer: SERVICE, token: EVENT.receipttoken, result: 'delivered' };

async function inboxed(): Promise<number> {
  return (await post.pool.query('select from ordertx_inbox')).rowCount ?? 0;
}

async function groups(): Promise<number> {
  return ((await post.redis.xinfo('GROUPS', STREAM).catch(() => [])) as readonly unknown[]).length;
}

describe('a message', () => {
  test('has its effect, is answered, and leaves the stream', async () => {
    await post.publish();
    post.open();
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await post.letters()).toEqual([EVENT.id]);
    await post.emptied();
    expect(await post.redis.xpending(STREAM, SERVICE)).toMatchObject({ 0: 0 });
  });

  test('that comes again is answered again, to its own sender, and has no second effect', async () => {
    post.open();
    await post.publish();
    await post.receiptsWhen(1);
    await post.publish({ replyto: 'ordertx:receipts:controller-2', attempt: 2 });
    expect(await post.receiptsWhen(1, 'controller-2')).toEqual([DELIVERED]);
    expect(await post.letters()).toEqual([EVENT.id]);
  });

  test('of another content under an id that was handled is no duplicate: it is refused in view, and has no effect', async () => {
    const { registry } = post.open();
    await post.publish();
    await post.receiptsWhen(1);
    await post.publish({ data: { orderId: 'o1', pages: 3 }, replyto: 'ordertx:receipts:controller-2' });
    expect(await post.receiptsWhen(1, 'controller-2')).toMatchObject([
      { result: 'refused', reason: expect.stringContaining('id: another message was handled under it') },
    ]);
    expect(await post.letters()).toEqual([EVENT.id]);
    expect(await registry.metrics()).toMatch(/type="letter.sent",outcome="conflict"\} 1/);
    await post.publish({ attempt: 2 });
    expect((await post.receiptsWhen(2))[1]).toEqual(DELIVERED);
  });

  test('that the version before this one handled is a duplicate by its id alone', async () => {
    await post.pool.query('insert into ordertx_inbox (id, type) values ($1, $2)', [EVENT.id, EVENT.type]);
    post.open();
    await post.publish();
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await post.letters()).toEqual([]);
  });

  test('of which thirty copies are handled side by side by two replicas has one effect', async () => {
    await Promise.all(Array.from({ length: 30 }, () => post.publish()));
    post.open();
    post.open();
    expect(await post.receiptsWhen(30)).toHaveLength(30);
    expect(await post.letters()).toEqual([EVENT.id]);
  });

  test('that its handler refuses leaves nothing, and is judged afresh when it comes again', async () => {
    post.during(async () => ({ kind: 'refused', reason: 'no stamp' }));
    post.open();
    await post.publish();
    expect(await post.receiptsWhen(1)).toEqual([{ ...DELIVERED, result: 'refused', reason: 'no stamp' }]);
    expect([await post.letters(), await inboxed()]).toEqual([[], 0]);
    post.during(undefined);
    await post.publish();
    expect((await post.receiptsWhen(2))[1]).toEqual(DELIVERED);
    expect(await post.letters()).toEqual([EVENT.id]);
  });

  test.each([
    ['cannot take yet', async () => ({ kind: 'not-yet', detail: 'the stamps are late' }) as const],
    ['stumbles over', () => Promise.reject(new Error('a fault of ours'))],
  ])('that its handler %s gets no receipt, leaves nothing, and is done when it comes again', async (_how, during) => {
    post.during(during);
    post.open();
    await post.publish();
    await until('it was taken', async () => (await groups()) > 0);
    await post.emptied();
    expect([await post.receipts(), await post.letters(), await inboxed()]).toEqual([[], [], 0]);
    post.during(undefined);
    await post.publish({ attempt: 2 });
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
  });

  test('whose database transaction is cut off is done when it comes again', async () => {
    post.during(async (client) => {
      post.during(undefined);
      await client.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
      return { kind: 'delivered' };
    });
    post.open();
    await post.publish();
    await until('it was tried', () => post.logLines.some(({ msg }) => String(msg).includes('it comes again')));
    expect([await post.receipts(), await post.letters()]).toEqual([[], []]);
    await post.publish();
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await post.letters()).toEqual([EVENT.id]);
  });
});

describe('a message that is foreign', () => {
  const ANSWERED = { ...DELIVERED, reason: 'without effect: it is from somebody else' };

  test.each(['by the message itself', 'by what others say', 'by the rows it meets'])(
    'judged %s, is answered without an effect, seen in log and metrics, and its id is not used up',
    async (by) => {
      const foreign = { kind: 'foreign', detail: 'it is from somebody else' } as const;
      if (by === 'by the message itself') post.listening({ foreign: () => foreign.detail });
      if (by === 'by what others say') post.listening({ before: async () => foreign });
      if (by === 'by the rows it meets') post.during(async () => foreign);
      const { registry } = post.open();
      await post.publish();
      expect(await post.receiptsWhen(1)).toEqual([ANSWERED]);
      expect([await post.letters(), await inboxed()]).toEqual([[], 0]);
      expect(await registry.metrics()).toContain('type="letter.sent",outcome="foreign"} 1');
      expect(post.logLines).toContainEqual(expect.objectContaining({ reason: foreign.detail }));
      post.listening({});
      post.during(undefined);
      await post.publish();
      expect((await post.receiptsWhen(2)).at(-1)).toEqual(DELIVERED);
      expect(await post.letters()).toEqual([EVENT.id]);
    },
  );
});

test('what others say is asked before a message is handled, and not again once it was', async () => {
  let asked = 0;
  post.listening({
    before: async () => {
      asked += 1;
      return asked === 1 ? { kind: 'not-yet', detail: 'nobody answers' } : undefined;
    },
  });
  post.open();
  await post.publish();
  await post.emptied();
  expect([await post.receipts(), await inboxed()]).toEqual([[], 0]);
  await post.publish();
  await post.publish();
  await post.publish();
  expect(await post.receiptsWhen(3)).toEqual([DELIVERED, DELIVERED, DELIVERED]);
  expect(await post.letters()).toEqual([EVENT.id]);
  const times = asked;
  await post.publish();
  await post.receiptsWhen(4);
  expect(asked).toBe(times);
});

describe('nonsense', () => {
  test('is refused to its sender, by the name of what is wrong, and not handled', async () => {
    post.open();
    await post.publish({ type: 'letter.burnt' });
    await post.publish({ data: { orderId: 'o1', pages: -1 } });
    await post.publish({ source: 'ordertx/elsewhere/pay-order', id: 'elsewhere/pay-p1/letter' });
    await post.publish({ specversion: '0.3' });
    const reasons = (await post.receiptsWhen(4)).map(({ result, reason }) => `${result} ${reason}`);
    expect(reasons.toSorted()).toEqual([
      expect.stringContaining('refused data.pages'),
      expect.stringContaining('refused not a CloudEvent of this system: specversion'),
      expect.stringContaining('refused source: this service takes no part in transactions of namespace elsewhere'),
      expect.stringContaining('refused type: is not a message of this service, which takes letter.sent'),
    ]);
    expect([await post.letters(), await inboxed()]).toEqual([[], 0]);
    await post.emptied();
  });

  test('that names nobody to tell is kept for people, counted, and does not stop what comes after', async () => {
    const { registry } = post.open();
    for (const text of ['not json \0', 'not json \0', '[]']) await post.publishText(text);
    await post.publishText(JSON.stringify(EVENT), 'message');
    await post.publish({ replyto: STREAM });
    await post.publish();
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    await post.emptied();
    const { rows } = await post.pool.query('select times, reason from ordertx_unanswerable order by times, reason');
    expect(rows).toEqual([
      { times: 1, reason: expect.stringContaining('replyto') },
      { times: 1, reason: expect.stringContaining('the event: ') },
      { times: 1, reason: expect.stringContaining('no field event') },
      { times: 2, reason: expect.stringContaining('is not JSON') },
    ]);
    expect(await registry.metrics()).toMatch(/^ordertx_messages_unanswerable 4$/m);
    expect(await registry.metrics()).toMatch(
      /ordertx_messages_handled_total\{stream="post",type="none",outcome="refused"\} 5/,
    );
    expect(await post.redis.keys('*')).toEqual(expect.not.arrayContaining(['ordertx:receipts:']));
  });
});

describe('a consumer that has died', () => {
  test('is relieved of what it had read', async () => {
    await post.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await post.publish();
    await post.redis.xreadgroup('GROUP', SERVICE, 'the-dead', 'COUNT', 1, 'STREAMS', STREAM, '>');
    const { registry } = post.open({ takeoverIdleMs: 500 });
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await registry.metrics()).toMatch(/ordertx_messages_taken_over_total\{stream="post"\} 1/);
  });

  test('after its commit and before its receipt: the receipt is sent, and nothing is done twice', async () => {
    await post.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await post.publish();
    await post.redis.xreadgroup('GROUP', SERVICE, 'the-dead', 'COUNT', 1, 'STREAMS', STREAM, '>');
    await post.pool.query('insert into ordertx_inbox (id, type) values ($1, $2)', [EVENT.id, EVENT.type]);
    const { registry } = post.open({ takeoverIdleMs: 500 });
    expect(await post.receiptsWhen(1)).toEqual([DELIVERED]);
    expect(await post.letters()).toEqual([]);
    expect(await registry.metrics()).toMatch(/type="letter.sent",outcome="replayed"\} 1/);
  });

  test('keeps what it holds while it may still be alive', async () => {
    await post.redis.xgroup('CREATE', STREAM, SERVICE, '0', 'MKSTREAM');
    await post.publish();
    await post.redis.xreadgroup('GROUP', SERVICE, 'the-slow', 'COUNT', 1, 'STREAMS', STREAM, '>');
    post.open({ takeoverIdleMs: 3_600_000 });
    await post.publish({ id: 'shop/pay-p2/letter' });
    expect(await post.receiptsWhen(1)).toEqual([{ ...DELIVERED, id: 'shop/pay-p2/letter' }]);
    expect(await post.redis.xpending(STREAM, SERVICE)).toMatchObject({ 0: 1 });
  });
});

describe('Redis', () => {
  test('may be wiped while it is read: the group is made again, and what comes then is handled', async () => {
    post.open();
    await post.publish();
    await post.receiptsWhen(1);
    for (const id of ['a', 'b', 'c']) {
      await post.redis.flushdb();
      await post.publish({ id: `shop/${id}/letter` });
      expect(await post.receiptsWhen(1)).toEqual([{ ...DELIVERED, id: `shop/${id}/letter` }]);
    }
  });

  test('keeps what was published before there was a group', async () => {
    await post.publish();
    await post.publish({ id: 'shop/b/letter' });
    post.open();
    expect(await post.receiptsWhen(2)).toHaveLength(2);
  });

  test('forgets receipts that nobody reads, after a while', async () => {
    post.open();
    await post.publish();
    await post.receiptsWhen(1);
    const seconds = await post.redis.ttl(`ordertx:receipts:${REPLICA}`);
    expect(seconds).toBeGreaterThan(60);
    expect(seconds).toBeLessThanOrEqual(3_600);
  });

  test('that is away holds up no shutdown', async () => {
    const { log } = memoryLog();
    const away = { redisUrl: 'redis://127.0.0.1:1', service: SERVICE, pool: post.pool, log };
    const relay = new OutboxRelay({ ...away, replica: 'post-r', metrics: new Registry() });
    const consumer = new Consumer({
      ...{ ...away, replica: 'post-c', metrics: new Registry() },
      ...{ handlers: [], namespaces: ['shop'] },
    });
    await consumer.close();
    await relay.close();
  }, 5_000);

  test('knows nothing more of a consumer that has closed', async () => {
    const consumer = post.open();
    await post.publish();
    await post.receiptsWhen(1);
    await post.emptied();
    await consumer.close();
    expect(await post.redis.xinfo('CONSUMERS', STREAM, SERVICE)).toEqual([]);
  });
});

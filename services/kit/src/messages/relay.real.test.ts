/**
 * The outbox and its relay on a real Redis and a real Postgres: told until the receipt is back, whatever Redis loses.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { inTransaction } from '../postgres/transaction.ts';
import { openNoteService, type NoteService } from '../../testing/note-service.ts';
import { until } from '../../testing/until.ts';
import { outboxCommand } from './outbox-command.ts';
import { tell } from './outbox.ts';

const TO_ORDER = 'ordertx:messages:order';

let noteService: NoteService;
beforeEach(async () => {
  noteService = await openNoteService();
}, 30_000);
afterEach(async () => {
  await noteService.close();
});

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const message = (key: string) => ({
  ...{ id: `notes/note.read/${key}`, stream: 'order', type: 'note.read', subject: 'o1', traceparent },
  data: { orderId: 'o1' },
});

async function write(key: string): Promise<void> {
  await inTransaction(noteService.pool, (client) => tell(client, message(key)));
}

interface Published {
  readonly id: string;
  readonly replyto: string;
  readonly receipttoken: string;
  readonly attempt: number;
}
async function published(): Promise<readonly Published[]> {
  const entries = await noteService.redis.xrange(TO_ORDER, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[1] ?? '') as Published);
}
async function publishedWhen(count: number): Promise<readonly Published[]> {
  await until(`${count} publications`, async () => (await published()).length >= count);
  return published();
}
async function answer({ id, replyto, receipttoken: token }: Published, result: string, reason?: string): Promise<void> {
  await noteService.redis.xadd(
    replyto,
    '*',
    'receipt',
    JSON.stringify({ id, consumer: 'order', result, reason, token }),
  );
}
async function rows(): Promise<readonly { readonly id: string; readonly refused_reason: string | null }[]> {
  return (
    await noteService.pool.query<{ id: string; refused_reason: string | null }>(
      'select id, refused_reason from ordertx_outbox order by id',
    )
  ).rows;
}
const emptied = () => until('the outbox is empty', async () => (await rows()).length === 0);

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const said: string[] = [];
  const code = await outboxCommand({ args, pool: noteService.pool, print: (line) => said.push(line) });
  return { code, said: said.join('\n') };
}

test('a message is published as a CloudEvent that says where its receipt goes, and removed when it has come', async () => {
  const relay = noteService.relay();
  await write('a');
  relay.nudge();
  const [event] = await publishedWhen(1);
  expect(event).toEqual({
    specversion: '1.0',
    id: 'notes/note.read/a',
    source: 'ordertx/notes',
    type: 'note.read',
    subject: 'o1',
    time: expect.any(String),
    datacontenttype: 'application/json',
    replyto: expect.stringMatching(/^ordertx:receipts:notes-\d+$/),
    receipttoken: expect.stringMatching(/^[\w-]{43}$/),
    attempt: 1,
    traceparent,
    data: { orderId: 'o1' },
  });
  expect(await rows()).toHaveLength(1);
  await answer(event!, 'delivered');
  await emptied();
  await until('the receipt is gone', async () => (await noteService.redis.xlen(event!.replyto)) === 0);
});

test('what was not committed is never told, and what was told before is not told anew', async () => {
  noteService.relay();
  await expect(
    inTransaction(noteService.pool, async (client) => {
      await tell(client, message('undone'));
      throw new Error('the business changed its mind');
    }),
  ).rejects.toThrow();
  await write('a');
  await write('a');
  expect((await publishedWhen(1)).map(({ id }) => id)).toEqual(['notes/note.read/a']);
  expect(await rows()).toHaveLength(1);
});

test('without a receipt it is published again, counted, also by another replica and into a Redis that lost everything', async () => {
  const first = noteService.relay();
  await write('a');
  first.nudge();
  await publishedWhen(1);
  await first.close();
  noteService.relay();
  await noteService.redis.flushdb();
  const [again] = await publishedWhen(1);
  expect(again?.attempt).toBeGreaterThan(1);
  await answer(again!, 'delivered');
  await emptied();
});

test('two replicas publish each message once', async () => {
  const keys = Array.from({ length: 250 }, (_, index) => String(index));
  await Promise.all(keys.map(write));
  noteService.relay();
  noteService.relay();
  // Where that takes long, first ones are published again before the last: by the other replica, which does not know their entry.
  const firsts = async () => (await published()).filter(({ attempt }) => attempt === 1);
  await until('all are published', async () => (await firsts()).length >= 250);
  expect(new Set((await firsts()).map(({ id }) => id)).size).toBe(250);
  expect(await firsts()).toHaveLength(250);
});

test('a refused message is parked with its reason, shown, and published again on demand', async () => {
  const relay = noteService.relay();
  await write('a');
  await write('b');
  relay.nudge();
  const [one, other] = await publishedWhen(2);
  await answer(one!, 'refused', 'there is no order o1');
  await answer(other!, 'delivered');
  await until('the one is parked and the other gone', async () => {
    const [row, ...others] = await rows();
    return others.length === 0 && row?.refused_reason === 'order: there is no order o1';
  });
  expect(await relay.registry.metrics()).toMatch(/^ordertx_outbox_refused 1$/m);
  expect(await run('list')).toEqual({
    code: 0,
    said: expect.stringContaining('refused by order: there is no order o1'),
  });
  await noteService.redis.del(TO_ORDER);
  expect(await run('retry', '--id', one!.id)).toEqual({ code: 0, said: `${one!.id} is published again` });
  const [again] = await publishedWhen(1);
  expect(again?.id).toBe(one!.id);
  await answer(again!, 'delivered');
  await emptied();
  expect(await relay.registry.metrics()).toMatch(/^ordertx_outbox_refused 0$/m);
});

test('the command says what it cannot do', async () => {
  expect(await run('list')).toEqual({ code: 0, said: 'the outbox is empty' });
  expect(await run('retry')).toEqual({ code: 1, said: 'no message is refused' });
  expect(await run('retry', '--id', 'x')).toEqual({ code: 1, said: 'no refused message has the id x' });
  for (const args of [[], ['sell'], ['list', '--id', 'x'], ['retry', '--all']]) {
    expect(await run(...args)).toMatchObject({ code: 2, said: expect.stringContaining('usage: outbox list') });
  }
});

test('a receipt that is none, or for nothing that waits here, changes nothing', async () => {
  const relay = noteService.relay();
  await write('a');
  relay.nudge();
  const [event] = await publishedWhen(1);
  await noteService.redis.xadd(event!.replyto, '*', 'receipt', 'nonsense');
  await answer({ ...event!, id: 'notes/note.read/other' }, 'refused', 'no');
  await answer(event!, 'failed', 'not today');
  await answer({ ...event!, id: 'notes/note.read/other' }, 'delivered');
  await until('they are read', async () => (await noteService.redis.xlen(event!.replyto)) === 0);
  expect(await rows()).toEqual([{ id: event!.id, refused_reason: null }]);
});

/**
 * A service with the rights of the chart's redis-acl.yaml hears, sends and counts what waits. What each may not do: tests/broker.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from '../../../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../../../local/process-group.ts';
import { startRedis } from '../../../../local/redis.ts';
import { RIGHTS } from '../../../../tests/broker/redis-users.ts';
import { samplesOf } from '../../../../tests/world/prometheus-text.ts';
import { EVENT, openNoteService, STREAM, type NoteService } from '../../testing/note-service.ts';
import { barrier } from '../../testing/seat-service.ts';
import { inTransaction } from '../postgres/transaction.ts';
import { tell } from './outbox.ts';

const TEST_MS = 60_000;
const DEADLINE_MS = 20_000;

let group: ProcessGroup;
let admin: Redis;
let noteService: NoteService;
beforeAll(async () => {
  group = await openProcessGroup();
  const started = await startRedis(group, { url: '' });
  admin = new Redis(started.url);
  const rights = [...RIGHTS.everyone, ...(RIGHTS.users.wms ?? [])].map((rule) => rule.replaceAll('wms', 'notes'));
  await admin.call('ACL', 'SETUSER', 'notes', 'on', '>secret', ...rights);
  noteService = await openNoteService(started.url.replace('://', '://notes:secret@'));
}, TEST_MS);
afterAll(async () => {
  await noteService.close();
  admin.disconnect();
  await group.close();
});

test(
  'a service handles messages, sends receipts, publishes and reads its own receipts',
  async () => {
    noteService.open();
    const relay = noteService.relay();
    const message = { id: 'notes/note.read/a', stream: 'order', type: 'note.read', subject: 'o1', data: {} };
    await inTransaction(noteService.pool, (client) => tell(client, message));
    relay.nudge();
    await admin.xadd(STREAM, '*', 'event', JSON.stringify(EVENT));
    const [, [, text]] = await waitFor(async () => (await admin.xrange('ordertx:messages:order', '-', '+'))[0], {
      ...{ what: 'the publication', deadlineMs: DEADLINE_MS },
    });
    await waitFor(async () => (await admin.xlen(EVENT.replyto)) === 1, { what: 'receipt', deadlineMs: DEADLINE_MS });
    await waitFor(async () => (await admin.xlen(STREAM)) === 0, {
      what: 'the end of the entry',
      deadlineMs: DEADLINE_MS,
    });
    const { id, replyto, receipttoken: token } = JSON.parse(text ?? '') as Record<string, string>;
    await admin.xadd(
      replyto ?? '',
      '*',
      'receipt',
      JSON.stringify({ id, consumer: 'order', result: 'delivered', token }),
    );
    await waitFor(async () => (await noteService.pool.query('select from ordertx_outbox')).rowCount === 0, {
      ...{ what: 'the end of the outbox row', deadlineMs: DEADLINE_MS },
    });
  },
  TEST_MS,
);

test(
  'and sees how many messages wait on its stream, for how long, also while it handles one',
  async () => {
    const consumer = noteService.open();
    const waiting = async (metric: string): Promise<number | undefined> =>
      samplesOf(await consumer.registry.metrics(), metric)[0]?.value;
    // Nothing is said before it is connected.
    await waitFor(async () => (await waiting('ordertx_inbox_waiting')) === 0, {
      ...{ what: 'the first figures', deadlineMs: DEADLINE_MS },
    });
    const handling = barrier();
    noteService.during(async (client) => {
      await handling.stop(client);
      return { kind: 'delivered' };
    });
    await admin.xadd(STREAM, '*', 'event', JSON.stringify({ ...EVENT, id: 'shop/pay-p2/note' }));
    await handling.reached;
    expect(await waiting('ordertx_inbox_waiting')).toBe(1);
    await waitFor(async () => ((await waiting('ordertx_inbox_oldest_seconds')) ?? 0) > 0.05, {
      ...{ what: 'the age of the message', deadlineMs: DEADLINE_MS },
    });
    handling.release();
    noteService.during(undefined);
    await waitFor(async () => (await waiting('ordertx_inbox_waiting')) === 0, {
      ...{ what: 'the end of the message', deadlineMs: DEADLINE_MS },
    });
    expect(await waiting('ordertx_inbox_oldest_seconds')).toBe(0);
  },
  TEST_MS,
);

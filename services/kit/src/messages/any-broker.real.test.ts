/**
 * A Redis that is filled, emptied, demoted, cut, left half-open and robbed of its streams while messages go from an outbox to a
 * consumer, in courses drawn by fast-check: once it is well again every message is told, and each has its effect once.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { waitFor } from '../../../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../../../local/process-group.ts';
import { startRedis } from '../../../../local/redis.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { openNoteService, SERVICE, STREAM, type NoteService } from '../../testing/note-service.ts';
import { inTransaction } from '../postgres/transaction.ts';
import { tell } from './outbox.ts';

const TEST_MS = 240_000;
const RUNS = 4;
const SETTLED_MS = 60_000;

let group: ProcessGroup;
let redis: Redis;
let proxy: TcpProxy;
let noteService: NoteService;
beforeAll(async () => {
  group = await openProcessGroup();
  const started = await startRedis(group, { url: '' });
  if (started.kind !== 'own') throw new Error('a Redis of its own was asked for');
  redis = new Redis(started.url);
  proxy = await startTcpProxy(started.port);
  noteService = await openNoteService(`redis://127.0.0.1:${String(proxy.port)}`);
}, TEST_MS);
afterAll(async () => {
  await noteService.close();
  redis.disconnect();
  await proxy.close();
  await group.close();
});

const idOf = (orderId: string): string => `${SERVICE}/note.sent/${orderId}`;

const ACTS = {
  write: async (orderId: string) => {
    const note = { id: idOf(orderId), stream: SERVICE, type: 'note.sent', subject: orderId };
    await inTransaction(noteService.pool, (client) => tell(client, { ...note, data: { orderId, pages: 1 } }));
  },
  fill: async () => redis.config('SET', 'maxmemory', '1'),
  makeRoom: async () => redis.config('SET', 'maxmemory', '0'),
  demote: async () => redis.replicaof('127.0.0.1', '1'),
  promote: async () => redis.replicaof('NO', 'ONE'),
  cut: async () => proxy.cutOnce(),
  halfOpen: async () => proxy.swallowOpen(),
  wipe: async () => redis.flushall().catch(() => undefined),
  spoil: async () =>
    redis
      .multi()
      .del(STREAM)
      .set(STREAM, 'no stream')
      .exec()
      .catch(() => undefined),
  mend: async () => redis.del(STREAM).catch(() => undefined),
} as const;
type Act = keyof typeof ACTS;
const act = fc.constantFrom(...(Object.keys(ACTS) as Act[]), 'write' as const, 'write' as const, 'write' as const);

/** Over all courses, which follow each other. */
const written: string[] = [];

test(
  'once the broker is well again every message is told and has its effect once',
  async () => {
    noteService.open({
      handlers: [
        { ...noteService.note, sentBy: { service: SERVICE, about: ({ orderId }: { orderId: string }) => orderId } },
      ],
    });
    const relay = noteService.relay();
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 14 }), async (course) => {
        for (const each of course) {
          const orderId = `o${String(written.length + 1)}`;
          if (each === 'write') written.push(idOf(orderId));
          await ACTS[each](orderId);
          relay.nudge();
        }
        await ACTS.makeRoom();
        await ACTS.promote();
        if ((await redis.type(STREAM)) !== 'stream') await ACTS.mend();
        await waitFor(async () => (await noteService.pool.query('select from ordertx_outbox')).rowCount === 0, {
          ...{ what: `all receipts after ${course.join(', ')}`, deadlineMs: SETTLED_MS, everyMs: 50 },
        });
        expect(await noteService.notes()).toEqual(written.toSorted());
      }),
      { numRuns: RUNS },
    );
  },
  TEST_MS,
);

/** `sms.paid`, through the real stream to a provider on loopback: one publication is at most one call, and what is sent stays sent. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import pg from 'pg';
import { waitFor } from '../../../../local/deadline.ts';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { createPool, sqlFile } from '../../../kit/src/index.ts';
import { memoryLog } from '../../../kit/testing/memory-log.ts';
import { until } from '../../../kit/testing/until.ts';
import type { Receipt } from '../../../protocol/src/index.ts';
import { answerWith, startWebhook, type LoopbackWebhook } from '../../../kit/testing/loopback-webhook.ts';
import {
  runNotification,
  smsPaidOf,
  TIMEOUT_SECONDS,
  type RunningNotification,
} from '../../testing/running-notification.ts';
import { callAlone } from '../call-lock.ts';

const DEADLINE_MS = 10_000;

let webhook: LoopbackWebhook;
let notification: RunningNotification;
let orders = 0;

beforeAll(async () => {
  webhook = await startWebhook();
  notification = await runNotification(webhook.url);
});
afterEach(() => webhook.answers(answerWith(204)));
afterAll(async () => {
  await notification.close();
  await webhook.stop();
});

const newOrder = (): string => `o${String(++orders)}`;

const publish = async (orderId: string, ...attempts: readonly number[]): Promise<readonly Receipt[]> =>
  notification.sender.publish(...attempts.map((attempt) => smsPaidOf(orderId, attempt)));

const callsFor = (orderId: string): number =>
  webhook.calls.filter(({ headers }) => headers['idempotency-key'] === smsPaidOf(orderId, 1).id).length;

/** So many publications have been read from the stream and not been answered. */
const inHand = (count: number): Promise<boolean> =>
  waitFor(
    async () => {
      const [pending] = (await notification.redis.xpending('ordertx:messages:notification', 'notification')) as [
        number,
      ];
      return pending === count;
    },
    { what: `${String(count)} publications in hand`, deadlineMs: DEADLINE_MS },
  );

/** An attempt whose process died before anything came of it. */
async function cutOff(orderId: string, attempt: number): Promise<void> {
  const { id } = smsPaidOf(orderId, attempt);
  await notification.database.query(
    `insert into notifications (id, order_id, channel, recipient, text) values ($1, $2, 'sms', 'u1', 'a text')`,
    [id, orderId],
  );
  await notification.database.query('insert into attempts (notification_id, publication) values ($1, $2)', [
    id,
    `attempt ${String(attempt)}`,
  ]);
}

const CALL_LOCKS = `
  from pg_locks
  where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;

async function callLocks(): Promise<number> {
  return (await notification.database.query(`select ${CALL_LOCKS}`)).rowCount ?? 0;
}

/** As when a process has died, or the database was restarted: whoever is calling the provider holds no lock any more. */
async function endCallLocks(): Promise<void> {
  const { rowCount } = await notification.database.query(`select pg_terminate_backend(pid, 5000) ${CALL_LOCKS}`);
  expect(rowCount).toBe(1);
}

test('from another namespace it calls nobody, also where it comes first', async () => {
  const orderId = newOrder();
  const { id, ...message } = smsPaidOf(orderId, 1);
  const twin = { id: id.replace('shop', TWIN_NAMESPACE), source: `ordertx/${TWIN_NAMESPACE}/pay-order` };
  expect(await notification.sender.publish({ ...message, ...twin })).toMatchObject([
    { result: 'delivered', reason: expect.stringContaining('without effect: it comes from another namespace') },
  ]);
  expect(webhook.calls.filter(({ headers }) => headers['idempotency-key'] === twin.id)).toEqual([]);
  expect(await publish(orderId, 1)).toMatchObject([{ result: 'delivered' }]);
  expect(callsFor(orderId)).toBe(1);
});

test('it is sent, and its receipt says so', async () => {
  const orderId = newOrder();
  const { id } = smsPaidOf(orderId, 1);
  expect(await publish(orderId, 1)).toEqual([{ id, consumer: 'notification', result: 'delivered' }]);
  const text = `Your payment of 9.00 for order ${orderId} has arrived.`;
  expect(JSON.parse(webhook.calls.at(-1)?.body ?? '')).toEqual({ id, channel: 'sms', to: 'u1', text });
  expect(await notification.listed(orderId)).toEqual([{ channel: 'sms', to: 'u1', text, status: 'SENT', attempts: 1 }]);
});

test('it fails with a reason, and is sent at the next publication', async () => {
  const orderId = newOrder();
  webhook.answers(answerWith(500));
  expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason: 'the provider answered 500' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
  webhook.answers(answerWith(200));
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2 }]);
});

test('a provider that hangs is a failed attempt once its time is over', async () => {
  const orderId = newOrder();
  webhook.answers(() => undefined);
  const reason = `the provider did not answer within ${TIMEOUT_SECONDS} s`;
  expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
});

describe('a publication that comes again', () => {
  test('is not sent again where it failed, and says that it did', async () => {
    const orderId = newOrder();
    webhook.answers(answerWith(503));
    await publish(orderId, 1);
    webhook.answers(answerWith(200));
    const reason = 'this attempt was made before and its outcome was failed: the provider answered 503';
    for (let copy = 0; copy < 2; copy++)
      expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 1 }]);
  });

  test('is delivered where it was sent', async () => {
    const orderId = newOrder();
    for (let copy = 0; copy < 3; copy++) expect(await publish(orderId, 1)).toMatchObject([{ result: 'delivered' }]);
    expect(callsFor(orderId)).toBe(1);
  });

  test('in ten copies at the same moment is one call', async () => {
    const orderId = newOrder();
    const receipts = await publish(orderId, ...Array.from({ length: 10 }, () => 1));
    expect(receipts.map(({ result }) => result)).toContain('delivered');
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 1 }]);
  });
});

test('later publications of what is sent are delivered without a call, also one that names no attempt', async () => {
  const orderId = newOrder();
  await publish(orderId, 1);
  const { attempt: _, ...nameless } = smsPaidOf(orderId, 1);
  const receipts = [...(await publish(orderId, 2, 3)), ...(await notification.sender.publish({ ...nameless }))];
  expect(receipts.map(({ result }) => result)).toEqual(['delivered', 'delivered', 'delivered']);
  expect(callsFor(orderId)).toBe(1);
});

test('while an attempt is under way the next publication waits for its end: two calls could both be sent', async () => {
  const orderId = newOrder();
  const held: ServerResponse[] = [];
  webhook.answers((response) => held.push(response));
  const first = publish(orderId, 1);
  await until('the provider is called', () => held.length === 1);
  const second = publish(orderId, 2);
  await inHand(2);
  expect(callsFor(orderId)).toBe(1);
  held.forEach((response) => answerWith(200)(response));
  expect(await first).toMatchObject([{ result: 'delivered' }]);
  expect(await second).toMatchObject([{ result: 'delivered' }]);
  expect(callsFor(orderId)).toBe(1);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 1 }]);
});

test('an attempt that waited for one that failed makes its own call: no publication is used up for nothing', async () => {
  const orderId = newOrder();
  const held: ServerResponse[] = [];
  webhook.answers((response) => held.push(response));
  const all = [1, 2, 3].map((attempt) => publish(orderId, attempt));
  for (const calls of [1, 2, 3]) {
    await until(`call ${String(calls)}`, () => held.length === calls);
    expect(callsFor(orderId)).toBe(calls);
    answerWith(503)(held.at(-1)!);
  }
  for (const receipt of await Promise.all(all)) expect(receipt).toMatchObject([{ result: 'failed' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'FAILED', attempts: 3 }]);
});

test('an attempt that has lost its lock and ends after the next one takes nothing back', async () => {
  const orderId = newOrder();
  const held: ServerResponse[] = [];
  webhook.answers((response) => held.push(response));
  const first = publish(orderId, 1);
  await until('the provider is called', () => held.length === 1);
  await endCallLocks();
  webhook.answers(answerWith(200));
  expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
  held.forEach((response) => answerWith(500)(response));
  expect(await first).toMatchObject([{ result: 'failed', reason: 'the provider answered 500' }]);
  expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2 }]);
});

describe('an attempt that was cut off between its row and its outcome', () => {
  const reason = 'this attempt was made before and its outcome was not known';

  test('is not made again', async () => {
    const orderId = newOrder();
    await cutOff(orderId, 1);
    expect(await publish(orderId, 1)).toMatchObject([{ result: 'failed', reason }]);
    expect(callsFor(orderId)).toBe(0);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'PENDING', attempts: 1 }]);
  });

  test('stands in nobody’s way', async () => {
    const orderId = newOrder();
    await cutOff(orderId, 1);
    expect(await publish(orderId, 2)).toMatchObject([{ result: 'delivered' }]);
    expect(callsFor(orderId)).toBe(1);
    expect(await notification.listed(orderId)).toMatchObject([{ status: 'SENT', attempts: 2, text: 'a text' }]);
  });
});

describe('an attempt of another replica', () => {
  async function lockElsewhere(orderId: string, idleMsMax: number): Promise<void> {
    const replica = new pg.Client(notification.databaseUrl);
    replica.on('error', () => undefined);
    await replica.connect();
    const values = [smsPaidOf(orderId, 1).id, String(idleMsMax)];
    await replica.query(sqlFile(import.meta.url, '../../sql/try-lock-calls.sql'), values);
  }

  /** The service has asked for the lock of a call since then. */
  async function askedForLock(since: string): Promise<boolean> {
    const { rowCount } = await notification.database.query(
      `select from pg_stat_activity
       where datname = current_database() and application_name <> '' and query like '%pg_try_advisory_lock%'
         and query_start > $1`,
      [since],
    );
    return rowCount !== 0;
  }

  test('is under way for as long as the replica lives', async () => {
    const orderId = newOrder();
    await lockElsewhere(orderId, 60_000);
    const { rows } = await notification.database.query<{ now: string }>('select clock_timestamp()::text as now');
    const waiting = publish(orderId, 1);
    await waitFor(() => askedForLock(rows[0]!.now), { what: 'the lock to be asked for', deadlineMs: DEADLINE_MS });
    await inHand(1);
    expect(callsFor(orderId)).toBe(0);
    await endCallLocks();
    expect(await waiting).toMatchObject([{ result: 'delivered' }]);
  });

  test('is over once it has taken longer than a call can, also when nothing is heard of the replica any more', async () => {
    const orderId = newOrder();
    await lockElsewhere(orderId, 20);
    await waitFor(async () => (await callLocks()) === 0, { what: 'the lock to be gone', deadlineMs: DEADLINE_MS });
    expect(await publish(orderId, 1)).toMatchObject([{ result: 'delivered' }]);
  });
});

test('no lock and no time limit stay behind on the connections that have made attempts', async () => {
  await Promise.all(Array.from({ length: 12 }, () => publish(newOrder(), 1, 1, 2)));
  expect(await callLocks()).toBe(0);
  const { log } = memoryLog();
  const pool = createPool({
    connectionString: notification.databaseUrl,
    applicationName: 'test',
    log,
    connectionsMax: 1,
  });
  await callAlone({ pool, id: 'shop/pay-p/sms', secondsMax: 60 }, async () => undefined);
  expect((await pool.query('show idle_session_timeout')).rows).toEqual([{ idle_session_timeout: '0' }]);
  await pool.end();
});

test('what is no message of this service is refused in words', async () => {
  const message = smsPaidOf(newOrder(), 1);
  expect(await notification.sender.publish({ ...message, type: 'sms.shipped' })).toMatchObject([
    { result: 'refused', reason: expect.stringContaining('sms.paid') },
  ]);
  expect(await notification.sender.publish({ ...message, data: { orderId: 'o1' } })).toMatchObject([
    { result: 'refused', reason: expect.stringContaining('data.userId') },
  ]);
});

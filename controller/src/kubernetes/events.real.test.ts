/** Events in a real API server: said once, counted after, and never in anyone's way. */
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminKubeConfig, adminTransport, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { ActEvents } from './act-events.ts';
import { ApiEvents } from './events.ts';
import { EVENTS, pathOf, type ObjectList, type StoredObject } from './stored-object.ts';
import { HttpTransport, type Transport } from './transport.ts';

interface Event extends StoredObject {
  readonly reason: string;
  readonly note: string;
  readonly type: string;
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid: string };
  readonly reportingInstance: string;
  readonly series?: { readonly count: number };
}

const direct = adminTransport();
let namespace: string;
let clock: ManualClock;
let transaction: OrderTransaction;
let dropped: string[];

function eventsWith(transport: Transport = direct): ApiEvents {
  return new ApiEvents({ transport, clock, identity: 'replica-1', onDropped: (reason) => dropped.push(reason) });
}

async function stored(): Promise<readonly Event[]> {
  return (await expectOk<ObjectList<Event>>(direct, { method: 'GET', path: pathOf(EVENTS, namespace) })).items;
}

/** Lets the pace's time pass while waiting. */
const until = (what: string, ask: () => boolean | Promise<boolean>) =>
  waitFor(
    async () => {
      await clock.advance(100);
      return ask();
    },
    { what, deadlineMs: 10_000, everyMs: 10 },
  );

beforeEach(async () => {
  namespace = await freshNamespace('events');
  clock = new ManualClock(Date.now());
  dropped = [];
  transaction = await createTransaction(direct, namespace, 'pay-1');
});

afterAll(() => direct.close());

test('an event is about its transaction and says who says so', async () => {
  eventsWith().warn(transaction, 'Stuck', 'the participant inventory gives no answer');
  await until('the event', async () => (await stored()).length === 1);
  expect((await stored())[0]).toMatchObject({
    type: 'Warning',
    reason: 'Stuck',
    note: 'the participant inventory gives no answer',
    regarding: { kind: 'OrderTransaction', name: 'pay-1', uid: transaction.metadata.uid },
    reportingInstance: 'replica-1',
  });
});

test('without the right to write any they are dropped, and that is told in the API server’s words', async () => {
  const nobody = new HttpTransport({
    ...{ kubeConfig: adminKubeConfig(), userAgent: 'ordertx-tests' },
    headers: { 'Impersonate-User': 'bob' },
  });
  const told: string[] = [];
  const options = {
    transport: nobody,
    clock,
    identity: 'replica-1',
    onForbidden: (sentence: string) => told.push(sentence),
  };
  new ApiEvents(options).warn(transaction, 'Stuck', 'no answer');
  new ActEvents(options).tell(transaction, { reason: 'Suspended', id: '1', note: 'alice suspended it' });
  await until('both to be told', () => told.length === 2);
  expect(told).toEqual([
    expect.stringContaining('User "bob" cannot create resource "events"'),
    expect.stringContaining('User "bob" cannot create resource "events"'),
  ]);
  await nobody.close();
});

test('the same sentence again is the same event with a count; another sentence is another event', async () => {
  const events = eventsWith();
  for (let i = 0; i < 5; i += 1) events.warn(transaction, 'Stuck', 'no answer');
  events.warn(transaction, 'Stuck', 'refused to confirm');
  await until('both events', async () => (await stored()).length === 2);
  await clock.advance(60_000);
  events.warn(transaction, 'Stuck', 'no answer');
  await until('the count', async () => (await stored()).some(({ series }) => series?.count === 6));
  expect(await stored()).toHaveLength(2);
});

test('after a while the same sentence is news again', async () => {
  const events = eventsWith();
  events.warn(transaction, 'Stuck', 'no answer');
  await until('the first', async () => (await stored()).length === 1);
  await clock.advance(6 * 60_000);
  events.warn(transaction, 'Stuck', 'no answer');
  await until('the second', async () => (await stored()).length === 2);
});

test('a note that is too long is cut and not refused', async () => {
  eventsWith().warn(transaction, 'Stuck', 'ü'.repeat(2_000));
  await until('the event', async () => (await stored()).length === 1);
  expect((await stored())[0]!.note).toMatch(/^ü+$/);
  expect(dropped).toEqual([]);
});

describe('a storm', () => {
  test('goes out slowly, and what does not fit is dropped and counted', async () => {
    const events = eventsWith();
    for (let i = 0; i < 1_000; i += 1) events.warn(transaction, 'Stuck', `sentence ${i}`);
    expect(dropped.filter((reason) => reason === 'queue-full').length).toBeGreaterThan(700);
    await until('some of them', async () => (await stored()).length >= 3);
    const sent = (await stored()).length;
    expect(sent).toBeLessThan(100);
    events.stop();
  });

  test('while the API server is away costs the caller nothing', async () => {
    const proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
    const cutOff = adminTransport(proxy.port);
    proxy.break('cut');
    const events = eventsWith(cutOff);
    events.warn(transaction, 'Stuck', 'no answer');
    await until('the drop', () => dropped.includes('not-taken'));
    proxy.heal();
    events.warn(transaction, 'Stuck', 'no answer');
    await until('the event', async () => (await stored()).length === 1);
    await Promise.all([cutOff.close(), proxy.close()]);
  });
});

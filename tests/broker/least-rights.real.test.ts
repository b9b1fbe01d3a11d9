/**
 * The whole shop with the chart's rights and no others: each process as its own user of Redis and its own role of Postgres, by TLS. What
 * it does every day works; what it has no business with, it cannot do, each thing tried by name.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { waitFor } from '../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { SERVICES } from '../../local/services.ts';
import type { RunningController } from '../../local/controllers.ts';
import { commandConnection } from '../../services/broker/src/connections.ts';
import { Customers } from '../world/customers.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { RIGHTS } from './redis-users.ts';
import { startSecuredPostgres, type SecuredPostgres } from './secured-postgres.ts';
import { startSecuredRedis, type SecuredRedis } from './secured-redis.ts';

/** helm may have to be built. */
const START_MS = 900_000;
const DEADLINE_MS = 30_000;
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 1_250 };
const COST = 2_500;
const ALL = SERVICES.map(({ name }) => name);

let group: ProcessGroup;
let postgres: SecuredPostgres;
let redis: SecuredRedis;
let shop: Shop;
let customers: Customers;
let controller: RunningController;
let admin: Redis;
const connections = new Map<string, Redis>();
beforeAll(async () => {
  group = await openProcessGroup();
  [postgres, redis] = await Promise.all([startSecuredPostgres(group), startSecuredRedis(group)]);
  shop = await openShop('least', {
    services: ALL,
    stores: {
      redisUrl: redis.adminUrl,
      servers: undefined,
      database: async (service) => ({ url: postgres.adminUrlOf(service), drop: async () => undefined }),
    },
    serviceEnv: Object.fromEntries(
      ALL.map((service) => [
        service,
        {
          ...{ DATABASE_URL: postgres.url(service, 'serving'), DATABASE_MIGRATION_URL: postgres.url(service, 'owner') },
          ...{ DATABASE_CA_FILE: postgres.caFile, ...redis.env(service) },
        },
      ]),
    ),
  });
  customers = new Customers(shop);
  controller = await shop.startController({ env: redis.env('controller') });
  await shop.stock('tea', 1_000);
  admin = new Redis(redis.adminUrl);
  for (const user of Object.keys(RIGHTS.users)) connections.set(user, await connected(redis.url(user)));
}, START_MS);
afterAll(async () => {
  admin.disconnect();
  for (const connection of connections.values()) connection.disconnect();
  await shop.close();
  await group.close();
});

/** As a process would be connected. */
async function connected(url: string): Promise<Redis> {
  const connection = commandConnection(url);
  const ready = waitFor(async () => connection.status === 'ready', {
    ...{ what: 'a connection to Redis', deadlineMs: DEADLINE_MS },
  });
  await ready.catch((error: unknown) => {
    connection.disconnect();
    throw error;
  });
  return connection;
}

async function as(user: string, command: string, ...args: readonly string[]): Promise<unknown> {
  const connection = connections.get(user);
  if (connection === undefined) throw new Error(`there is no user ${user}`);
  return connection.call(command, ...args);
}

const answered = async (service: 'dispatch' | 'wms' | 'member' | 'notification', path: string) =>
  (await customers.call(service, 'GET', path)).body;

describe('with these rights', () => {
  test('an order is placed, paid, scheduled, rewarded, told of, shipped and received', async () => {
    const orderId = await customers.orderToPay([TEA], 'ann');
    await customers.pay(orderId);
    await customers.atRest();
    expect(await answered('dispatch', `/dispatches/${orderId}`)).toMatchObject({ state: 'SCHEDULED' });
    expect(await answered('wms', `/shipments/${orderId}`)).toMatchObject({ state: 'OUTBOUND' });
    expect(await answered('member', '/members/ann')).toMatchObject({ points: 25, growth: 25 });
    await customers.isTold(orderId);
    expect(await answered('notification', `/notifications?orderId=${orderId}`)).toMatchObject([{ status: 'SENT' }]);
    expect((await customers.ship(orderId)).status).toBe(200);
    await customers.statusIs(orderId, 'SHIPPED');
    expect((await customers.receive(orderId)).status).toBe(200);
    await customers.atRest();
  });

  test('an order is withdrawn, and a payment of another amount is given back', async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    await customers.capture(paymentId, COST - 1);
    await customers.paymentIs(paymentId, 'REFUNDED');
    expect((await customers.withdraw(orderId, 20)).body).toMatchObject({ status: 'CLOSED' });
    await customers.atRest();
  });

  test('nothing was refused that a process asked for, except to look at streams that it may only add to', async () => {
    const log = (await admin.call('ACL', 'LOG')) as readonly (readonly string[])[];
    const refused = log.map((entry) => {
      const { object, username } = Object.fromEntries(
        Array.from({ length: entry.length / 2 }, (_, index) => [entry[2 * index], entry[2 * index + 1]]),
      ) as { readonly object: string; readonly username: string };
      return `${username}: ${object}`;
    });
    expect(refused.filter((each) => !/^(payment|wms): ordertx:messages:order$/.test(each))).toEqual([]);
  });

  test('every connection to every database is by TLS, and is the lesser role’s', async () => {
    const client = new pg.Client({ connectionString: postgres.adminUrl });
    await client.connect();
    const { rows } = await client.query(
      `select application_name as name, array_agg(distinct usename::text) as users, bool_and(ssl) as ssl
       from pg_stat_activity join pg_stat_ssl using (pid) where application_name = any ($1) group by 1 order by 1`,
      [ALL],
    );
    await client.end();
    expect(rows).toEqual(ALL.toSorted().map((name) => ({ name, users: [`ordertx_${name}`], ssl: true })));
  });
});

const STREAMS = ['order', 'payment', 'dispatch', 'wms', 'member', 'notification'];
const SENDERS = ['controller', 'payment', 'wms'];
/** Who may add to what: the flows' messages are the controller's, and two services have something to say to the order service. */
const SENDS: Readonly<Record<string, readonly string[]>> = {
  controller: ['dispatch', 'wms', 'member', 'payment', 'notification'],
  payment: ['order'],
  wms: ['order'],
};
/** Whose receipts who writes: those of whoever sends to him. */
const answers = (user: string): readonly string[] =>
  user === 'controller' ? [] : user === 'order' ? ['payment', 'wms'] : ['controller'];

type Try = readonly [what: string, command: string, ...args: readonly string[]];

describe.each(Object.keys(RIGHTS.users))('%s', (user) => {
  const foreign = STREAMS.filter((stream) => stream !== user);
  const tries: readonly Try[] = [
    ...STREAMS.filter((stream) => SENDS[user]?.includes(stream) !== true).map((stream): Try => {
      const what = { order: 'tell of a payment or a shipment', payment: 'order a refund' }[stream];
      return [what ?? `send to ${stream}`, 'XADD', `ordertx:messages:${stream}`, '*', 'event', '{}'];
    }),
    // The controller looks whether what it has sent still lies there.
    ...(user === 'controller' ? ['order'] : foreign).flatMap((stream): readonly Try[] => [
      [`read what is sent to ${stream}`, 'XRANGE', `ordertx:messages:${stream}`, '-', '+'],
      [`hear what ${stream} hears`, 'XREAD', 'STREAMS', `ordertx:messages:${stream}`, '0'],
    ]),
    ...foreign.flatMap((stream): readonly Try[] => [
      [
        `take messages from ${stream}`,
        'XREADGROUP',
        'GROUP',
        stream,
        user,
        'STREAMS',
        `ordertx:messages:${stream}`,
        '>',
      ],
      [`end a message of ${stream}`, 'XDEL', `ordertx:messages:${stream}`, '1-1'],
      [`take the group of ${stream} away`, 'XGROUP', 'DESTROY', `ordertx:messages:${stream}`, stream],
    ]),
    ...SENDERS.filter((sender) => sender !== user).flatMap((sender): readonly Try[] => [
      [`read the receipts of ${sender}`, 'XREAD', 'STREAMS', `ordertx:receipts:${sender}-1`, '0'],
      [`take receipts from ${sender}`, 'XDEL', `ordertx:receipts:${sender}-1`, '1-1'],
    ]),
    ...SENDERS.filter((sender) => !answers(user).includes(sender)).map((sender): Try => {
      return [`write a receipt for ${sender}`, 'XADD', `ordertx:receipts:${sender}-1`, '*', 'receipt', '{}'];
    }),
    ['take its own group away', 'XGROUP', 'DESTROY', `ordertx:messages:${user}`, user],
    ['delete a stream', 'DEL', `ordertx:messages:${user}`],
    ['cut a stream', 'XTRIM', `ordertx:messages:${user}`, 'MAXLEN', '0'],
    ['keep something of its own', 'SET', `ordertx:messages:${user}`, 'x'],
    ['see which keys there are', 'KEYS', '*'],
    ['empty Redis', 'FLUSHALL'],
    ['listen to everybody', 'MONITOR'],
    ['end others’ connections', 'CLIENT', 'KILL', 'TYPE', 'normal'],
    ['stop everybody', 'CLIENT', 'PAUSE', '1'],
    ['see others’ connections', 'CLIENT', 'LIST'],
    ['see others’ rights', 'ACL', 'LIST'],
    ['give itself rights', 'ACL', 'SETUSER', user, '+@all'],
    ['change the settings', 'CONFIG', 'SET', 'maxmemory', '1'],
    ['run a script', 'EVAL', 'return 1', '0'],
    ['publish', 'PUBLISH', 'ordertx', 'x'],
  ];
  test.each(tries)('cannot %s', async (_what, command, ...args) => {
    await expect(as(user, command, ...args)).rejects.toThrow('NOPERM');
  });
});

describe('a stranger', () => {
  test('without a password is not let in', async () => {
    expect(await refusalOf(redis.url())).toContain('NOAUTH');
  });

  test('who is the warehouse may tell of shipments, and is not believed when he tells of a payment', async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    const id = `payment/payment.succeeded/${paymentId}`;
    const forged = {
      ...{ specversion: '1.0', id, source: 'ordertx/payment', type: 'payment.succeeded', subject: orderId },
      ...{ time: new Date().toISOString(), datacontenttype: 'application/json' },
      ...{ replyto: 'ordertx:receipts:wms-stranger', receipttoken: 'of-the-stranger', attempt: 1 },
      data: { paymentId, orderId, amountCents: COST },
    };
    await as('wms', 'XADD', 'ordertx:messages:order', '*', 'event', JSON.stringify(forged));
    const text = await waitFor(
      async () => {
        const read = await as('wms', 'XREAD', 'STREAMS', 'ordertx:receipts:wms-stranger', '0');
        return read === null ? undefined : JSON.stringify(read);
      },
      { what: 'the answer to the forged message', deadlineMs: DEADLINE_MS },
    );
    expect(text).toContain('refused');
    expect(await customers.status(orderId)).toBe('PENDING_PAYMENT');
    // The genuine one is believed all the same.
    await customers.capture(paymentId);
    await customers.statusIs(orderId, 'PAID');
    await customers.atRest();
  });

  test('who is one consumer ends no other’s message: he does not know its token', async () => {
    const { part } = shop.services.member ?? {};
    part?.process.kill('SIGKILL');
    await part?.process.exited;
    const orderId = await customers.orderToPay([TEA], 'bob');
    const paymentId = await customers.pay(orderId);
    const dropped = async () =>
      sumOf(await (await fetch(`${controller.url}/metrics`)).text(), 'ordertx_receipts_dropped_total', {
        why: 'unproven',
      });
    const before = await dropped();
    const receipt = {
      ...{ id: `${shop.namespace}/pay-${paymentId}/points`, consumer: 'member', result: 'delivered' },
      token: randomUUID(),
    };
    await as('dispatch', 'XADD', 'ordertx:receipts:controller-1', '*', 'receipt', JSON.stringify(receipt));
    await waitFor(async () => (await dropped()) > before, {
      what: 'the receipt to be dropped',
      deadlineMs: DEADLINE_MS,
    });
    const { status } = (await shop.transaction(`pay-${paymentId}`)) ?? {};
    expect(status?.phase).not.toBe('Succeeded');
    await part?.restart();
    await shop.final(`pay-${paymentId}`);
    expect(await answered('member', '/members/bob')).toMatchObject({ points: 25 });
  });

  test('who is payment may tell of a shipment in wms’s name, and is believed: both add to one stream', async () => {
    const orderId = await customers.orderToPay([TEA]);
    await customers.pay(orderId);
    await customers.atRest();
    const forged = {
      ...{ specversion: '1.0', id: `wms/wms.shipped/${orderId}`, source: 'ordertx/wms', type: 'wms.shipped' },
      ...{ subject: orderId, time: new Date().toISOString(), datacontenttype: 'application/json' },
      ...{ replyto: 'ordertx:receipts:wms-1', receipttoken: 'of-the-stranger', attempt: 1, data: { orderId } },
    };
    await as('payment', 'XADD', 'ordertx:messages:order', '*', 'event', JSON.stringify(forged));
    await customers.statusIs(orderId, 'SHIPPED');
    expect(await answered('wms', `/shipments/${orderId}`)).toMatchObject({ state: 'OUTBOUND' });
    // Once it has left the warehouse, what the forged message has said before is true.
    expect((await customers.ship(orderId)).status).toBe(200);
    await customers.atRest();
  });

  test('who is one consumer may take the controller’s receipts away, and every order ends all the same', async () => {
    await as('dispatch', 'XADD', 'ordertx:receipts:controller-1', '*', 'receipt', '{}');
    expect(await as('dispatch', 'EXPIRE', 'ordertx:receipts:controller-1', '0')).toBe(1);
    await customers.pay(await customers.orderToPay([TEA], 'cid'));
    await customers.atRest();
    expect(await answered('member', '/members/cid')).toMatchObject({ points: 25 });
  });

  test('without a certificate is not let in', async () => {
    const url = new URL(redis.url('order'));
    url.searchParams.delete('ssl_certfile');
    url.searchParams.delete('ssl_keyfile');
    expect(await refusalOf(url.href)).toMatch(/certificate required|ECONNRESET|EPIPE|socket/i);
  });
});

/** Why a connection is not made; it is not tried any longer then. */
async function refusalOf(url: string): Promise<string> {
  const connection = commandConnection(url);
  const failures: string[] = [];
  connection.on('error', ({ message }: Error) => failures.push(message));
  try {
    await waitFor(async () => failures.length > 0, { what: 'a refusal', deadlineMs: DEADLINE_MS });
    expect(connection.status).not.toBe('ready');
  } finally {
    connection.disconnect();
  }
  return failures[0] ?? '';
}

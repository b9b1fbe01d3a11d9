/**
 * What the processes print: nothing for an order that goes well; in trouble who and what, once, and neither a secret nor what was
 * ordered.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '../../local/cluster.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { SERVICES, type ServiceName } from '../../local/services.ts';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const SEEN_MS = 20_000;
const OTHERS: readonly ServiceName[] = ['payment', 'dispatch', 'wms', 'member', 'notification'];

/** Of what is ordered: nothing but payloads has these. */
const CUSTOMER = `customer-${randomUUID()}`;
const SKU = `sku-${randomUUID()}`;
const LINES = [{ skuId: SKU, quantity: 1, unitPriceCents: 4_567_891 }];

let folder: string;
let shop: Shop;
let customers: Customers;
let controller: RunningController;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quiet-logs-'));
  const keySetFile = join(folder, 'jwks.json');
  await writeFile(keySetFile, await kubectl(world(), 'get', '--raw', '/openid/v1/jwks'));
  shop = await openShop('quiet', { services: OTHERS, ownServers: true, keySetFile });
  customers = new Customers(shop);
  controller = await shop.startController();
  await shop.stock(SKU, 100);
  await customers.atRest();
  // It is ready before it has looked at Redis, and says this when it has.
  await waitFor(async () => (await printed()).some((line) => line.includes('the controller is working')), {
    what: 'the last line of its start',
    deadlineMs: SEEN_MS,
  });
}, SETUP_MS);

afterAll(async () => {
  await shop.close();
  await rm(folder, { recursive: true });
}, TEST_MS);

const logFiles = (): readonly string[] => [
  controller.part.process.logFile,
  ...SERVICES.flatMap(({ name }) => shop.services[name]?.part.process.logFile ?? []),
];

/** All that the processes have printed, line by line. */
async function printed(): Promise<readonly string[]> {
  const texts = await Promise.all(logFiles().map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
}

async function linesOf(transaction: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const lines = (await printed())
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  return lines.filter((line) => line.transaction === `${shop.namespace}/${transaction}` && line.name === 'controller');
}

test(
  'an order that is placed, paid and shipped prints nothing, and has no Event',
  async () => {
    const before = await printed();
    const orderId = await customers.orderToPay(LINES, CUSTOMER);
    await customers.pay(orderId);
    await customers.atRest();
    await customers.ship(orderId);
    await customers.statusIs(orderId, 'SHIPPED');
    await customers.atRest();
    expect((await printed()).slice().sort()).toEqual(before.slice().sort());
    expect(await shop.kubectl('get', 'events', '-o', 'name')).toBe('');
  },
  TEST_MS,
);

test(
  'a trouble and a Cancel are a line each, with the transaction and its trace; and whatever breaks, no line has a secret or a payload',
  async () => {
    const { redis, postgres } = shop.ownServers ?? {};
    if (redis === undefined || postgres === undefined) throw new Error('the shop has servers of its own');
    const { part: inventory } = shop.services.inventory;
    inventory.process.kill('SIGKILL');
    await inventory.process.exited;
    const { body } = await customers.call(
      'order',
      'POST',
      '/orders',
      { userId: CUSTOMER, lines: LINES },
      { 'idempotency-key': randomUUID() },
    );
    const transaction = String(body.transaction);
    await waitFor(async () => (await linesOf(transaction)).length > 0, {
      what: 'the line of the trouble',
      deadlineMs: SEEN_MS,
    });
    expect(await shop.patch(transaction, { spec: { cancelRequested: true } })).toBe(200);
    await waitFor(async () => (await linesOf(transaction)).some(({ msg }) => msg === 'decided'), {
      what: 'the line of the Cancel',
      deadlineMs: SEEN_MS,
    });
    await inventory.restart();
    const { metadata } = await shop.final(transaction);
    const trace = metadata.annotations?.['ordertx.dev/traceparent']?.split('-')[1];
    const lines = await linesOf(transaction);
    expect(lines.find(({ level }) => level === 'warn')).toMatchObject({
      trace,
      waitingFor: 'inventory',
      flow: 'create-order',
    });
    expect(lines.filter(({ msg }) => msg === 'decided')).toMatchObject([
      { level: 'info', trace, decision: 'Cancel', reason: 'CancelRequested' },
    ]);
    expect(lines.length).toBeLessThanOrEqual(4);

    // Servers that go away in the middle of what they do: their clients hang what they were doing on their errors.
    const going = [1, 2, 3, 4].map(() => customers.order(LINES, CUSTOMER));
    redis.process.kill('SIGKILL');
    await redis.process.exited;
    postgres.process.kill('SIGKILL');
    await postgres.process.exited;
    await redis.restart();
    // Its children are still ending.
    const back = async () => postgres.restart().then(() => true);
    await waitFor(back, { what: 'Postgres to come back', deadlineMs: SEEN_MS });
    await Promise.all(going);
    const gone = await customers.order(
      LINES.map((line) => ({ ...line, quantity: 1_000 })),
      CUSTOMER,
    );
    await customers.statusIs(gone, 'CANCELLED');
    await customers.atRest();

    const text = (await printed()).join('\n');
    expect(text).toContain('Redis does not work');
    const passwords = [shop.redisUrl, ...Object.values(shop.services).map(({ databaseUrl }) => databaseUrl)]
      .map((url) => new URL(url).password)
      .filter((password) => password !== '');
    for (const secret of [...new Set(passwords), CUSTOMER, SKU, '4567891', 'Bearer ', 'eyJ', 'receipttoken'])
      expect([secret, text.includes(secret)]).toEqual([secret, false]);
  },
  TEST_MS,
);

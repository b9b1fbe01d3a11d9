/**
 * What people do to running transactions is told once each, under their names, and what they give up and delete is archived with who
 * did it: also when the controller is killed in between.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type pg from 'pg';
import { findByName, listArchived } from '../../controller/src/archive/queries.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { createPool } from '../../services/kit/src/postgres/pool.ts';
import { memoryLog } from '../../services/kit/testing/memory-log.ts';
import { adminAccess } from '../crds/stored-transaction.ts';
import { someoneWith } from '../crds/someone.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { freshDatabase } from '../world/world.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 20_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let shop: Shop;
let controller: RunningController;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
/** Takes every try and answers nothing else. */
let halfDone: Server;

beforeAll(async () => {
  halfDone = createServer((request, response) => {
    const isTry = request.url?.endsWith('/try') === true;
    response.writeHead(isTry ? 200 : 503, isTry ? { 'ordertx-state': 'Tried' } : {}).end();
  });
  await new Promise<void>((done) => halfDone.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(halfDone.address() as AddressInfo).port}`;
  shop = await openShop('acts');
  database = await freshDatabase('acts-archive');
  pool = createPool({ connectionString: database.url, applicationName: 'test', log: memoryLog().log });
  await shop.putFlow('half-done', { origins: { inventory: origin }, timeoutSeconds: 3_600 });
  await shop.putFlow('silent', { origins: { inventory: 'http://127.0.0.1:9' }, timeoutSeconds: 3_600 });
  controller = await shop.startController({
    allowEndpoints: [origin, 'http://127.0.0.1:9'],
    env: { ARCHIVE_DATABASE_URL: database.url },
  });
  const verbs = ['get', 'patch', 'delete', 'suspend', 'cancel', 'settle', 'abandon'];
  for (const name of ['alice', 'bob']) await (await someoneWith(adminAccess(), shop.namespace, name, ...verbs)).close();
}, SETUP_MS);
afterAll(async () => {
  await shop.close();
  await pool.end();
  await database.drop();
  halfDone.closeAllConnections();
  halfDone.close();
}, TEST_MS);

const patch = (as: string, name: string, spec: object) =>
  shop.kubectl('--as', as, 'patch', 'otx', name, '--type=merge', '-p', JSON.stringify({ spec }));

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** The Events of people's acts, the oldest first. */
async function told(name: string): Promise<readonly string[]> {
  const selector = `involvedObject.name=${name},type=Normal`;
  const printed = await shop.kubectl('get', 'events', '--field-selector', selector, '-o', 'json');
  const { items } = JSON.parse(printed) as { readonly items: readonly (Event & { readonly eventTime: string })[] };
  return items
    .toSorted((one, other) => one.eventTime.localeCompare(other.eventTime))
    .map(({ reason, message }) => `${reason}: ${message}`);
}

async function untilTold(name: string, ...events: readonly string[]): Promise<void> {
  await waitFor(async () => JSON.stringify(await told(name)) === JSON.stringify(events), {
    what: `the Events of ${name} to be ${events.join('; ')}`,
    deadlineMs: SEEN_MS,
  }).catch(async () => expect(await told(name)).toEqual(events));
}

test(
  'who suspends, lets go on and cancels is told once each, although the controller is killed after every act',
  async () => {
    const { name } = await shop.begin('silent', [TEA]);
    await patch('alice', name, { suspend: true });
    await untilTold(name, 'Suspended: alice suspended it');
    await restart();
    await patch('bob', name, { suspend: false });
    await untilTold(name, 'Suspended: alice suspended it', 'Resumed: bob let it go on');
    await restart();
    await patch('bob', name, { cancelRequested: true });
    const all = [
      'Suspended: alice suspended it',
      'Resumed: bob let it go on',
      'CancelRequested: bob asked for its cancellation',
    ];
    await untilTold(name, ...all);
    await restart();
    const another = await shop.begin('silent', [TEA]);
    await patch('alice', another.name, { suspend: true });
    await untilTold(another.name, 'Suspended: alice suspended it');
    // What is told of the other came after all that the restart had to tell.
    expect(await told(name)).toEqual(all);
  },
  TEST_MS,
);

test(
  'who settles is told, with how and why, and nothing is told of those that nobody touches',
  async () => {
    const untouched = await shop.begin('half-done', [TEA]);
    const { name } = await shop.begin('half-done', [TEA]);
    await shop.transactionWhen(name, 'to be decided', ({ status }) => status?.decision === 'Confirm', SEEN_MS);
    const resolutions = [{ target: 'inventory', as: 'Confirmed', reason: 'counted by hand' }];
    await patch('alice', name, { resolutions });
    const { spec, status } = await shop.final(name);
    expect(status?.phase).toBe('Succeeded');
    expect(spec.resolutions).toEqual([{ ...resolutions[0], by: 'alice' }]);
    await untilTold(name, 'Settled: alice settled inventory as Confirmed: counted by hand');
    expect(await told(untouched.name)).toEqual([]);
  },
  TEST_MS,
);

test(
  'who gives one up is told, and it is in the archive with his name, why, and how far it was',
  async () => {
    const { name, orderId } = await shop.begin('half-done', [TEA]);
    await shop.transactionWhen(name, 'to be decided', ({ status }) => status?.decision === 'Confirm', SEEN_MS);
    await shop.kubectl('--as', 'alice', 'annotate', 'otx', name, 'ordertx.dev/abandon=TICKET-1: settled by hand');
    await untilTold(name, 'Abandoned: alice gave it up: TICKET-1: settled by hand');
    await shop.kubectl('--as', 'bob', 'delete', 'otx', name);
    await waitFor(async () => (await findByName(pool, shop.namespace, name)).length === 1, {
      what: 'it to be archived',
      deadlineMs: SEEN_MS,
    });
    const [kept] = await findByName(pool, shop.namespace, name);
    expect(kept).toMatchObject({
      metadata: {
        annotations: {
          'ordertx.dev/abandon': 'TICKET-1: settled by hand',
          'ordertx.dev/abandoned-by': 'alice',
        },
      },
      spec: { orderId },
      status: { phase: 'Confirming', decision: 'Confirm' },
    });
    const { transactions } = await listArchived(pool, { namespace: shop.namespace, outcome: 'Abandoned' });
    expect(transactions.map(({ metadata }) => metadata.name)).toEqual([name]);
  },
  TEST_MS,
);

test(
  'giving many up and deleting them at once is told and archived of each',
  async () => {
    const many = await Promise.all(Array.from({ length: 12 }, () => shop.begin('silent', [TEA])));
    const names = many.map(({ name }) => name);
    await shop.kubectl('--as', 'alice', 'annotate', 'otx', ...names, 'ordertx.dev/abandon=of a load test');
    await shop.kubectl('--as', 'alice', 'delete', 'otx', ...names);
    for (const name of names) {
      await untilTold(name, 'Abandoned: alice gave it up: of a load test');
      await waitFor(async () => (await findByName(pool, shop.namespace, name)).length === 1, {
        what: `${name} to be archived`,
        deadlineMs: SEEN_MS,
      });
    }
  },
  TEST_MS,
);

/** Kill -9, and begun again. */
async function restart(): Promise<void> {
  const { part } = controller;
  part.process.kill('SIGKILL');
  await part.process.exited;
  await part.restart();
}

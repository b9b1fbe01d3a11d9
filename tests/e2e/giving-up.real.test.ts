/**
 * A transaction that a person gives up: it comes back from its creator unless the creator's own branch was ended before, and
 * whoever deletes it is told so. The page for that is followed as it is written.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { writeKubeconfig } from '../../local/control-plane/kubeconfig.ts';
import { pageCommands, runAsWritten } from '../world/page-commands.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';

const OPEN_MS = 120_000;
const TEST_MS = 120_000;
const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
let shop: Shop;
let database: pg.Pool;

beforeAll(async () => {
  shop = await openShop('givingup');
  database = new pg.Pool({ connectionString: shop.services.order.databaseUrl });
  await shop.stock(TEA.skuId, 100);
  // Inventory is down, so that a transaction needs somebody to give it up.
  shop.services.inventory.part.process.kill('SIGKILL');
  await shop.services.inventory.part.process.exited;
  await shop.startController();
}, OPEN_MS);

afterAll(async () => {
  await database.end();
  await shop.close();
}, OPEN_MS);

async function stuckOrder(): Promise<{ readonly orderId: string; readonly name: string }> {
  const { body } = await shop.order([TEA]);
  const waits = ({ status }: { status?: { waitingFor?: string } }) => status?.waitingFor === 'inventory';
  await shop.transactionWhen(body.transaction, 'to wait for inventory', waits);
  return { orderId: body.orderId, name: body.transaction };
}

async function giveUp(name: string): Promise<string> {
  await shop.patch(name, { metadata: { annotations: { 'ordertx.dev/abandon': 'TICKET-1: given up' } } });
  const { kubeconfig, kubectl } = world();
  const args = ['--kubeconfig', kubeconfig, '--namespace', shop.namespace, 'delete', 'otx', name];
  const { stderr } = await promisify(execFile)(kubectl, args);
  return stderr;
}

/** Outputs what each command printed. */
async function followThePage(name: string): Promise<readonly string[]> {
  const { apiServerUrl: url, certificate, token, kubectl } = world();
  const kubeconfig = join(shop.group.folder, 'kubeconfig-person');
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace: shop.namespace });
  const run = {
    kubectl,
    env: {
      ...{ KUBECONFIG: kubeconfig, HOME: shop.group.folder },
      ORDER_DATABASE_URL: shop.services.order.databaseUrl,
      INVENTORY_DATABASE_URL: shop.services.inventory.databaseUrl,
    },
    names: { 'shop/': `${shop.namespace}/`, 'pay-p2001': name, 'pay-order': 'create-order' },
  };
  const printed: string[] = [];
  for (const command of pageCommands('docs/operating/giving-up.md')) {
    const { stdout, stderr } = await runAsWritten(command, run);
    printed.push(stdout + stderr);
  }
  return printed;
}

/** Whether the order service goes on creating it: only what is in the outbox is sent. */
async function wanted(name: string): Promise<boolean> {
  const { rowCount } = await database.query('select from creation where transaction = $1', [
    `${shop.namespace}/${name}`,
  ]);
  return rowCount === 1;
}

test(
  'only deleted, it is made again, and kubectl has said so',
  async () => {
    const { name } = await stuckOrder();
    const uid = (await shop.transaction(name))?.metadata.uid;
    expect(await giveUp(name)).toContain(`the service that created ${name} makes it again`);
    const back = await shop.transactionWhen(name, 'to be back', ({ metadata }) => metadata.uid !== uid);
    expect(back.metadata.annotations).not.toHaveProperty('ordertx.dev/abandon');
  },
  TEST_MS,
);

test(
  'with its branches settled before, as the page says, it stays away',
  async () => {
    const { orderId, name } = await stuckOrder();
    expect(await wanted(name)).toBe(true);
    const [last = ''] = (await followThePage(name)).slice(-1);
    expect(last).toMatch(/in flight/);
    expect(await shop.orderStatus(orderId)).toBe('CANCELLED');
    expect([await wanted(name), await shop.transaction(name)]).toEqual([false, undefined]);
  },
  TEST_MS,
);

/**
 * The services as processes: what they say about bad settings and unknown commands, how a branch is settled and a refused message
 * published again by hand, and that they end well.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../local/ports.ts';
import { inheritedEnvironment, openProcessGroup } from '../../local/process-group.ts';
import { startService, type ServiceName } from '../../local/services.ts';
import { createPool, migrate } from '../../services/kit/src/index.ts';
import { memoryLog } from '../../services/kit/testing/memory-log.ts';
import { freshDatabase, world } from '../world/world.ts';
import { callBranch } from './call-branch.ts';
import { callOrderBranch, orderView, TEAPOTS } from './order-client.ts';
import { runInventory, runOrder, TEST_NAMESPACE, type RunningTestService } from './running.ts';

// Starting a process takes seconds where others are at work.
jest.setTimeout(60_000);

const servicesFolder = join(import.meta.dirname, '../../services');
const migrationsOf = (service: string): URL => pathToFileURL(`${join(servicesFolder, service, 'migrations')}/`);

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(service: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const main = join(servicesFolder, service, 'src/main.ts');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { env: { ...inheritedEnvironment(), ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      },
    );
  });
}

const PARTICIPANT = ['ORDERTX_AUDIENCE', 'ORDERTX_TOKEN_ISSUER', 'ORDERTX_CONTROLLER_SUBJECT', 'ORDERTX_JWKS_FILE'];

/** What each is not told here and has to ask for, and the commands it knows. */
const SERVICES: Readonly<Record<ServiceName, { readonly asksFor: readonly string[]; readonly commands: string }>> = {
  order: {
    asksFor: [...PARTICIPANT, 'REDIS_URL', 'PAYMENT_URL', 'KUBECONFIG', 'ORDER_QUOTE_SECRET'],
    commands: 'without one, or with migrate, or with settle, or with creations',
  },
  inventory: { asksFor: PARTICIPANT, commands: 'without one, or with migrate, or with settle' },
  payment: {
    asksFor: ['REDIS_URL', 'ORDER_URL', 'PAYMENT_PROVIDER_SECRET'],
    commands: 'without one, or with migrate, or with outbox, or with refund',
  },
  dispatch: { asksFor: ['REDIS_URL'], commands: 'without one, or with migrate' },
  wms: { asksFor: ['REDIS_URL'], commands: 'without one, or with migrate, or with outbox' },
  member: { asksFor: ['REDIS_URL'], commands: 'without one, or with migrate' },
  notification: { asksFor: ['REDIS_URL', 'NOTIFICATION_WEBHOOK_URL'], commands: 'without one, or with migrate' },
};

describe.each(Object.entries(SERVICES))('%s', (service, { asksFor, commands }) => {
  test('names every bad setting and ends with code 2', async () => {
    const bad = { PORT: 'eighty', ORDERTX_RETENTION_DAYS: '3', NOTIFICATION_PROVIDER: 'webhook' };
    const { code, output } = await run(service, [], { ...bad, KUBERNETES_SERVICE_HOST: '' });
    expect(code).toBe(2);
    const named = [...output.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name).toSorted();
    const everywhere = ['PORT', 'DATABASE_URL', 'ORDERTX_NAMESPACES', 'ORDERTX_RETENTION_DAYS'];
    expect(named).toEqual([...everywhere, ...asksFor].toSorted());
  });

  test('knows no other commands, and says which it knows', async () => {
    expect(await run(service, ['serve'], {})).toMatchObject({
      code: 2,
      output: `unknown command serve: start it ${commands}\n`,
    });
  });
});

test('the order service asks for an API server', async () => {
  const nowhere = await run('order', [], { KUBERNETES_SERVICE_HOST: '' });
  expect(nowhere).toMatchObject({ code: 2, output: expect.stringMatching(/KUBECONFIG.*is not set/) });
  const gone = await run('order', [], { KUBECONFIG: '/nowhere/kubeconfig' });
  expect(gone).toMatchObject({ code: 2, output: expect.stringMatching(/KUBECONFIG.*must be the path/) });
});

test('the order service keeps ended creations for less time than its fence rows, or says which settings disagree', async () => {
  const kept = { ORDER_CREATIONS_KEPT_DAYS: '30', ORDERTX_RETENTION_DAYS: '30' };
  const output = expect.stringMatching(
    /ORDER_CREATIONS_KEPT_DAYS must be less than ORDERTX_RETENTION_DAYS \(30 is not less than 30\)/,
  );
  expect(await run('order', [], kept)).toMatchObject({ code: 2, output });
  const fits = await run('order', [], { ...kept, ORDER_CREATIONS_KEPT_DAYS: '29' });
  expect(fits.output).not.toContain('ORDER_CREATIONS_KEPT_DAYS');
});

test('the order service makes ended creations due again by a command of its own', async () => {
  const { url: databaseUrl, drop } = await freshDatabase('creations');
  const { log } = memoryLog();
  await migrate({ connectionString: databaseUrl, folder: migrationsOf('order'), log });
  const pool = createPool({ connectionString: databaseUrl, applicationName: 'test', log });
  await pool.query(
    `insert into ended_creation (transaction, flow, order_id, payload, traceparent, created_at)
     values ('shop/create-o1', 'create-order', 'o1', '{}', '', now())`,
  );
  const env = { DATABASE_URL: databaseUrl };
  expect(await run('order', ['creations', 'again', '--order', 'o1'], env)).toEqual({
    code: 0,
    output: 'created again, within about 1 s, by the running service: 1 create-order\n',
  });
  expect((await pool.query('select from ended_creation where due_at <= now()')).rowCount).toBe(1);
  expect(await run('order', ['creations'], env)).toMatchObject({ code: 2 });
  await pool.end();
  await drop();
});

test.each(['payment', 'wms'])('%s shows its outbox, and publishes again what was refused', async (service) => {
  const { url: databaseUrl, drop } = await freshDatabase(service);
  const { log } = memoryLog();
  await migrate({ connectionString: databaseUrl, folder: migrationsOf(service), log });
  const env = { DATABASE_URL: databaseUrl };
  expect(await run(service, ['outbox', 'list'], env)).toEqual({ code: 0, output: 'the outbox is empty\n' });
  const pool = createPool({ connectionString: databaseUrl, applicationName: 'test', log });
  await pool.query(
    `insert into ordertx_outbox (id, stream, type, subject, data, refused_reason) values ('m1', 'order', 't', 'o1', '{}', 'no')`,
  );
  expect((await run(service, ['outbox', 'list'], env)).output).toContain('m1  t to order');
  expect(await run(service, ['outbox', 'retry', '--id', 'm1'], env)).toEqual({
    code: 0,
    output: 'm1 is published again\n',
  });
  expect((await pool.query('select refused_reason from ordertx_outbox')).rows).toEqual([{ refused_reason: null }]);
  await pool.end();
  await drop();
});

test.each(['wms', 'payment', 'notification'] as const)(
  '%s serves without a Redis, and ends with code 0 soon after a signal',
  async (name) => {
    const group = await openProcessGroup();
    const { url: databaseUrl, drop } = await freshDatabase(name);
    const service = await startService(group, {
      ...{ name, port: await freePort(), databaseUrl, redisUrl: 'redis://127.0.0.1:1', namespaces: [TEST_NAMESPACE] },
      ...{ callers: { kind: 'off' }, origins: { order: 'http://127.0.0.1:1' } },
    });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    // Its process group kills what has not ended after ten seconds: then it was ended by a signal, and not with a code.
    expect(await service.part.process.stop()).toMatchObject({ code: 0, signal: null });
    await group.close();
    await drop();
  },
);

describe('settling by hand', () => {
  const transaction = `${TEST_NAMESPACE}/create-o1`;
  const payload = { orderId: 'o1', ...TEAPOTS, totalCents: 2500 };
  let order: RunningTestService;
  let inventory: RunningTestService;

  beforeAll(async () => {
    order = await runOrder({ kubeconfig: world().kubeconfig });
    inventory = await runInventory();
  });
  afterAll(async () => {
    await order.close();
    await inventory.close();
  });

  const settle = (service: string, { databaseUrl }: RunningTestService, as: string): Promise<Ended> =>
    run(
      service,
      ['settle', '--transaction', transaction, '--branch', service, '--as', as, '--reason', 'agreed by phone'],
      {
        DATABASE_URL: databaseUrl,
      },
    );

  test('does the work of the cancel, and the late confirm is told so', async () => {
    await fetch(`${inventory.url}/stock/teapot`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stocked: 5 }),
    });
    const branch = { url: inventory.url, path: '/tcc/create-order', branch: 'inventory', transaction, payload };
    expect(await callBranch({ ...branch, operation: 'try' })).toMatchObject({ status: 200 });
    expect(await settle('inventory', inventory, 'Cancelled')).toMatchObject({ code: 0 });
    expect(await (await fetch(`${inventory.url}/stock/teapot`)).json()).toMatchObject({ sellable: 5, frozen: 0 });
    expect(await callBranch({ ...branch, operation: 'confirm' })).toMatchObject({
      status: 409,
      code: 'already-cancelled',
    });
  });

  test('does the work of the confirm, and the late one changes nothing', async () => {
    const call = { orderId: 'o1', namespace: TEST_NAMESPACE, transaction };
    await callOrderBranch(order.url, { ...call, operation: 'try' });
    expect(await settle('order', order, 'Confirmed')).toMatchObject({ code: 0 });
    expect(await callOrderBranch(order.url, { ...call, operation: 'confirm' })).toMatchObject({
      status: 200,
      state: 'Confirmed',
    });
    expect((await orderView(order.url, 'o1'))?.history.map(({ status }) => status)).toEqual([
      'INIT',
      'PENDING_PAYMENT',
    ]);
  });
});

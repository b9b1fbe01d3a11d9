/** Order and inventory as processes: what they say about bad settings, and how a branch is settled by hand. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { inheritedEnvironment } from '../../local/processes.ts';
import { world } from '../world/world.ts';
import { callBranch } from './call-branch.ts';
import { callOrderBranch, orderView, TEAPOTS } from './order-client.ts';
import { runInventory, runOrder, TEST_NAMESPACE, type RunningTestService } from './running.ts';

// Starting a process takes seconds where others are at work.
jest.setTimeout(60_000);

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(service: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const main = join(import.meta.dirname, '../../services', service, 'src/main.ts');
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

describe.each(['order', 'inventory'])('%s', (service) => {
  test('names every bad setting and ends with code 2', async () => {
    const { code, output } = await run(service, [], { PORT: 'eighty', ORDERTX_RETENTION_DAYS: '3' });
    expect(code).toBe(2);
    for (const name of ['PORT', 'DATABASE_URL', 'ORDERTX_NAMESPACES', 'ORDERTX_RETENTION_DAYS', 'ORDERTX_AUDIENCE']) {
      expect(output).toContain(name);
    }
  });
});

test('the order service asks for an API server', async () => {
  const nowhere = await run('order', [], { KUBERNETES_SERVICE_HOST: '' });
  expect(nowhere).toMatchObject({ code: 2, output: expect.stringMatching(/KUBECONFIG.*is not set/) });
  const gone = await run('order', [], { KUBECONFIG: '/nowhere/kubeconfig' });
  expect(gone).toMatchObject({ code: 2, output: expect.stringMatching(/KUBECONFIG.*must be the path/) });
});

test.each(['order', 'inventory'])(
  '%s knows no other commands',
  async (service) => {
    expect(await run(service, ['serve'], {})).toMatchObject({
      code: 2,
      output: expect.stringContaining('unknown command serve'),
    });
  },
  20_000,
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

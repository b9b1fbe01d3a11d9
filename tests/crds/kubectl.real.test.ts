/** What people see of the resources through kubectl, and that what we ship to be applied can be. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { freshNamespace, world } from '../world/world.ts';
import { branches, connectAsAdmin, status, storeTransaction } from './stored-transaction.ts';

const run = promisify(execFile);
const CRDS = join(import.meta.dirname, '../../crds');

let api: ApiServer;
let namespace: string;
beforeAll(async () => {
  api = connectAsAdmin();
  namespace = await freshNamespace('kubectl');
});
afterAll(() => api.close());

async function kubectl(...args: readonly string[]): Promise<string> {
  const { kubectl: program, kubeconfig } = world();
  return (await run(program, ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args])).stdout;
}

const filesIn = (folder: string) => readdirSync(join(CRDS, folder)).map((file) => join(CRDS, folder, file));

test.each([...filesIn('flows'), ...filesIn('samples')])('%s can be applied as it is', async (file) => {
  expect(await kubectl('apply', '--dry-run=server', '-f', file)).toContain('created (server dry run)');
});

test('a list of transactions shows flow, order, phase, decision, stuck and age; wide also the message', async () => {
  const transaction = await storeTransaction(api, namespace, 'listed');
  const step = status({
    phase: 'Cancelling',
    decision: 'Cancel',
    message: 'inventory is out of stock',
    waitingFor: 'inventory',
    branches: branches('Tried', 'Refused'),
    conditions: [{ type: 'Stuck', status: 'True', reason: 'Slow', lastTransitionTime: '2026-11-22T23:15:00Z' }],
  });
  expect(await transaction.take(step)).toMatchObject({ kind: 'accepted' });

  const [heads, row] = (await kubectl('get', 'otx')).split('\n').map((line) => line.split(/\s+/));
  expect(heads).toEqual(['NAME', 'FLOW', 'ORDER', 'PHASE', 'DECISION', 'STUCK', 'AGE']);
  expect(row?.slice(0, 6)).toEqual(['listed', 'create-order', 'o1001', 'Cancelling', 'Cancel', 'True']);
  expect(await kubectl('get', 'ordertx', '-o', 'wide')).toContain('inventory is out of stock');
});

test.each([
  ['spec.flow=create-order', 'selected'],
  ['spec.orderId=o77', 'selected'],
  ['status.phase=Trying', 'selected'],
  ['status.waitingFor!=,spec.orderId=o77', 'selected'],
  ['status.waitingFor!=', 'selected'],
  ['status.waitingFor!=,spec.flow=create-order', 'selected'],
  ['status.waitingFor=inventory', 'selected'],
  ['status.waitingFor=inventory,spec.flow=create-order', 'selected'],
  ['status.waitingFor=order,spec.flow=create-order', undefined],
  ['status.waitingFor=inventory,spec.flow=pay-order', undefined],
  ['status.expires=2026-11-22T23:15Z', 'selected'],
  ['status.phase=Succeeded', undefined],
])('transactions are selected by %s', async (selector, found) => {
  const fresh = await freshNamespace('selectors');
  const transaction = await storeTransaction(api, fresh, 'selected', { orderId: 'o77' });
  const step = status({
    phase: 'Trying',
    branches: branches('Tried', 'Untried'),
    waitingFor: 'inventory',
    expires: '2026-11-22T23:15Z',
  });
  expect(await transaction.take(step)).toMatchObject({ kind: 'accepted' });
  const names = await kubectl('get', 'otx', '--namespace', fresh, '--field-selector', selector, '-o', 'name');
  expect(names.trim()).toBe(found === undefined ? '' : `ordertransaction.ordertx.dev/${found}`);
});

test('kubectl explain tells what each phase goes on to', async () => {
  const explained = (await kubectl('explain', 'otx.status.phase')).replaceAll(/\s+/g, ' ');
  expect(explained).toContain('Confirming: every branch was tried and Confirm is decided');
  expect(explained).toContain('- Succeeded: final.');
});

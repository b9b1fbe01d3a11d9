/** Every invariant, broken once in the services' own databases, is named with the ids concerned; a healthy shop breaks none. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { callBranch } from '../services/call-branch.ts';
import { callOrderBranch, TEAPOTS } from '../services/order-client.ts';
import { runInventory, runOrder, TEST_NAMESPACE, type RunningTestService } from '../services/running.ts';
import { world } from '../world/world.ts';
import { checkInvariants, type Violation } from './check-invariants.ts';
import { BROKEN_BOOKS } from './broken-books.ts';
import { INVARIANTS } from '../../services/reconcile/src/invariants.ts';

let order: RunningTestService;
let inventory: RunningTestService;

beforeAll(async () => {
  order = await runOrder({ kubeconfig: world().kubeconfig });
  inventory = await runInventory();
}, 30_000);
afterAll(async () => {
  await order.close();
  await inventory.close();
});

/** One order that is pending, one that was cancelled after its stock was frozen, one that was cancelled before. */
beforeEach(async () => {
  await order.database.query('truncate orders, order_history, creation, ordertx_fence');
  await inventory.database.query('truncate stock, reservation, reservation_line, ordertx_fence');
  await fetch(`${inventory.url}/stock/teapot`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stocked: 10 }),
  });
  await carry('pending', 'confirm', ['order', 'inventory']);
  await carry('returned', 'cancel', ['order', 'inventory']);
  await carry('untried', 'cancel', ['order']);
});

async function carry(
  orderId: string,
  how: 'confirm' | 'cancel',
  tried: readonly ('order' | 'inventory')[],
): Promise<void> {
  const transaction = `${TEST_NAMESPACE}/create-${orderId}`;
  const payload = { orderId, ...TEAPOTS, totalCents: 2500 };
  for (const operation of ['try', how] as const) {
    const participants = operation === 'try' ? tried : (['order', 'inventory'] as const);
    for (const participant of participants) {
      const answer =
        participant === 'order'
          ? await callOrderBranch(order.url, { orderId, namespace: TEST_NAMESPACE, operation })
          : await callBranch({
              url: inventory.url,
              path: '/tcc/create-order',
              branch: 'inventory',
              transaction,
              operation,
              payload,
            });
      expect(answer.status).toBe(200);
    }
  }
}

function transaction(orderId: string, decision: 'Confirm' | 'Cancel', name = `create-${orderId}`): OrderTransaction {
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name, namespace: TEST_NAMESPACE },
    spec: { flow: 'create-order', orderId, payload: {}, suspend: false, cancelRequested: false },
    status: { phase: decision === 'Confirm' ? 'Succeeded' : 'Cancelled', decision },
  };
}

const HEALTHY = [
  transaction('pending', 'Confirm'),
  transaction('returned', 'Cancel'),
  transaction('untried', 'Cancel'),
];

function check(transactions: readonly OrderTransaction[] = HEALTHY): Promise<readonly Violation[]> {
  return checkInvariants({ databases: { order: order.databaseUrl, inventory: inventory.databaseUrl }, transactions });
}

test('a healthy shop breaks none', async () => {
  expect(await check()).toEqual([]);
});

interface Corruption {
  readonly invariant: string;
  readonly how: string;
  readonly ids: readonly string[];
  readonly inOrder?: string;
  readonly inInventory?: string;
  readonly transactions?: readonly OrderTransaction[];
}

const CORRUPTIONS: readonly Corruption[] = [
  {
    invariant: 'everything has come to rest',
    how: 'an order stays INIT',
    ids: ['pending'],
    inOrder: `update orders set status = 'INIT' where order_id = 'pending'`,
  },
  {
    invariant: 'everything has come to rest',
    how: 'a freeze is neither confirmed nor cancelled',
    ids: ['pending'],
    inInventory: `update reservation set state = 'TRIED' where order_id = 'pending'`,
  },
  {
    invariant: 'everything has come to rest',
    how: 'a creation stays in the outbox',
    ids: ['shop/create-forgotten'],
    inOrder: `insert into creation (order_id, transaction, flow, payload, traceparent, awaited, due_at)
              values ('forgotten', 'shop/create-forgotten', 'create-order', '{}', '', false, 'infinity')`,
  },
  {
    invariant: 'everything has come to rest',
    how: 'a transaction is not final',
    ids: ['create-pending'],
    transactions: [{ ...HEALTHY[0]!, status: { phase: 'Confirming', decision: 'Confirm' } }],
  },
  {
    invariant: 'sellable + frozen + sold = stocked',
    how: 'a unit is lost',
    ids: ['teapot'],
    inInventory: `update stock set sellable = sellable - 1 where sku_id = 'teapot'`,
  },
  {
    invariant: 'no amount of stock is negative',
    how: 'more was sold than there is',
    ids: ['teapot'],
    inInventory: `update stock set sellable = -1, sold = 9 where sku_id = 'teapot'`,
  },
  {
    invariant: 'frozen and sold are what orders hold',
    how: 'a unit is frozen for nobody',
    ids: ['teapot'],
    inInventory: `update stock set sellable = sellable - 1, frozen = frozen + 1 where sku_id = 'teapot'`,
  },
  {
    invariant: 'frozen and sold are what orders hold',
    how: 'a unit is sold to nobody',
    ids: ['teapot'],
    inInventory: `update stock set sellable = sellable - 1, sold = sold + 1 where sku_id = 'teapot'`,
  },
  {
    invariant: 'an order is PENDING_PAYMENT exactly while its stock is frozen',
    how: 'an order waits for its payment and has no stock',
    ids: ['pending'],
    inInventory: `delete from reservation_line where order_id = 'pending'; delete from reservation where order_id = 'pending'`,
  },
  {
    invariant: 'an order is PENDING_PAYMENT exactly while its stock is frozen',
    how: 'stock is frozen for an order that is not there',
    ids: ['pending'],
    inOrder: `delete from order_history where order_id = 'pending'; delete from orders where order_id = 'pending'`,
  },
  {
    invariant: 'an order is PAID, SHIPPED or RECEIVED exactly when its stock is sold',
    how: 'an order is paid and its stock is only frozen',
    ids: ['pending'],
    inOrder: `update orders set status = 'PAID' where order_id = 'pending'`,
  },
  {
    invariant: 'an order is PAID, SHIPPED or RECEIVED exactly when its stock is sold',
    how: 'stock is sold for an order that is not paid',
    ids: ['pending'],
    inInventory: `update reservation set state = 'SOLD' where order_id = 'pending'`,
  },
  {
    invariant: 'an order is CANCELLED or CLOSED exactly when its stock is returned',
    how: 'an order is closed and keeps its stock',
    ids: ['pending'],
    inOrder: `update orders set status = 'CLOSED' where order_id = 'pending'`,
  },
  {
    invariant: 'an order is CANCELLED or CLOSED exactly when its stock is returned',
    how: 'stock is returned of an order that lives',
    ids: ['pending'],
    inInventory: `update reservation set state = 'RETURNED' where order_id = 'pending'`,
  },
  {
    invariant: 'an order holds exactly what it ordered',
    how: 'one unit fewer is reserved than was ordered',
    ids: ['pending'],
    inInventory: `update reservation_line set quantity = 1 where order_id = 'pending'`,
  },
  {
    invariant: 'an order has one create-order transaction, and its decision is what became of the order',
    how: 'a confirmed transaction has a cancelled order',
    ids: ['returned', 'create-returned'],
    transactions: [transaction('returned', 'Confirm')],
  },
  {
    invariant: 'an order has one create-order transaction, and its decision is what became of the order',
    how: 'a cancelled transaction has a living order',
    ids: ['pending', 'create-pending'],
    transactions: [transaction('pending', 'Cancel')],
  },
  {
    invariant: 'an order has one create-order transaction, and its decision is what became of the order',
    how: 'two transactions create one order',
    ids: ['pending', 'create-pending', 'another'],
    transactions: [transaction('pending', 'Confirm'), transaction('pending', 'Confirm', 'another')],
  },
];

describe('broken on purpose', () => {
  // The databases themselves refuse some of these; the check must not rely on it.
  beforeAll(async () => {
    for (const [{ database }, table] of [
      [inventory, 'stock'],
      [order, 'orders'],
    ] as const) {
      const { rows } = await database.query<{ readonly conname: string }>(
        `select conname from pg_constraint where conrelid = '${table}'::regclass and contype = 'c'`,
      );
      for (const { conname } of rows) await database.query(`alter table ${table} drop constraint "${conname}"`);
    }
  });

  test.each(CORRUPTIONS)('$how: named "$invariant"', async ({ invariant, ids, inOrder, inInventory, transactions }) => {
    if (inOrder !== undefined) await order.database.query(inOrder);
    if (inInventory !== undefined) await inventory.database.query(inInventory);
    const violations = await check(transactions);
    expect(violations).toContainEqual({ invariant, ids, says: expect.any(String) });
  });

  test('every invariant is broken at least once', () => {
    const broken = [...CORRUPTIONS, ...BROKEN_BOOKS].map(({ invariant }) => invariant);
    expect(new Set(broken)).toEqual(new Set(INVARIANTS.map(({ name }) => name)));
  });
});

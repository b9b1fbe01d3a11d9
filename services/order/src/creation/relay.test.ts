/** How the relay divides its places between new orders and everything else. */
import { expect, test } from '@jest/globals';
import { until } from '../../../kit/testing/until.ts';
import { memoryLog } from '../../../kit/testing/memory-log.ts';
import type { Creation } from './creation.ts';
import { Relay } from './relay.ts';
import type { CreateResult } from './transaction-api.ts';

const lines = [{ skuId: 'tea', quantity: 1, unitPriceCents: 1 }];

function order(number: number): Creation {
  const orderId = `o${number}`;
  const payload = { orderId, userId: 'u1', lines, totalCents: 1 };
  return { transaction: `shop/create-${orderId}`, flow: 'create-order', payload, traceparent: '' };
}

function close(number: number): Creation {
  const payload = { orderId: `c${number}`, lines, cause: 'unpaid' as const };
  return { transaction: `shop/close-c${number}-1`, flow: 'close-order', payload, traceparent: '' };
}

/** An API server that answers when it is told to. */
function heldApi() {
  const held: { readonly name: string; readonly answer: () => void }[] = [];
  return {
    held,
    api: {
      create: ({ metadata }: { readonly metadata?: { readonly name?: string } }) =>
        new Promise<CreateResult>((resolve) => {
          held.push({ name: metadata?.name ?? '', answer: () => resolve({ kind: 'created' }) });
        }),
    },
  };
}

/** `due` may grow later. */
function relayOf(due: Creation[]) {
  const { held, api } = heldApi();
  const relay = new Relay({
    outbox: {
      claim: async (rowsMax: number) => {
        return due.splice(0, rowsMax).map((creation) => ({ creation, failures: 0, expired: false }));
      },
      postpone: async () => undefined,
      clearFailures: async () => undefined,
    },
    api,
    metrics: { sent: () => undefined },
    log: memoryLog().log,
  });
  return { relay, held, names: () => held.map(({ name }) => name) };
}

test('however many orders, payments and closes come, a quarter of the places is left to what is due', async () => {
  const due: Creation[] = [];
  const { relay, held, names } = relayOf(due);
  const dueOnes = () => names().filter((name) => /^create-o1?\d$/.test(name));
  for (let number = 100; number < 600; number++) relay.nudge(order(number));
  expect(names()).toHaveLength(20);
  for (let number = 0; number < 500; number++) relay.nudge(close(number));
  expect(names().filter((name) => name.startsWith('close-'))).toHaveLength(4);
  due.push(...Array.from({ length: 20 }, (_, number) => order(number)));
  await until('what is due has its places', () => dueOnes().length === 8);
  // Also once there is room again, which closes and orders would like to have, too.
  for (const { answer } of held) answer();
  await until('the next of what is due', () => dueOnes().length === 16);
  const closing = relay.close();
  for (const { answer } of held) answer();
  await closing;
});

test('a payment or a close that was begun just now does not queue behind orders', async () => {
  const { relay, held, names } = relayOf([]);
  for (let number = 0; number < 500; number++) relay.nudge(order(number));
  relay.nudge(close(1));
  expect(names()).toContain('close-c1-1');
  const closing = relay.close();
  for (const { answer } of held) answer();
  await closing;
});

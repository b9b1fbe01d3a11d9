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

function relayOf(due: readonly Creation[]) {
  const { held, api } = heldApi();
  let left = [...due];
  const relay = new Relay({
    outbox: {
      claim: async (rowsMax: number) => {
        const claimed = left.slice(0, rowsMax);
        left = left.slice(rowsMax);
        return claimed.map((creation) => ({ creation, failures: 0, expired: false }));
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

test('however many orders come, a quarter of the places is left to what is due', async () => {
  const { relay, held, names } = relayOf(Array.from({ length: 8 }, (_, number) => close(number)));
  for (let number = 0; number < 500; number++) relay.nudge(order(number));
  expect(names().filter((name) => name.startsWith('create-'))).toHaveLength(24);
  await until('what is due has its places', () => names().filter((name) => name.startsWith('close-')).length === 8);
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

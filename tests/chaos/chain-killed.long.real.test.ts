/**
 * kill -9 of each service and of the controller, one after the other, while fifty and more orders are in flight: every transaction
 * comes to its end and every invariant holds afterwards.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openFullShop, type FullShop } from './full-shop.ts';

const TEST_MS = 600_000;

let full: FullShop;
beforeAll(async () => {
  full = await openFullShop('chain-killed');
}, 120_000);
afterAll(() => full.close(), 60_000);

test(
  'each process killed once in the middle of it, the whole chain ends right',
  async () => {
    const { living: first } = await full.beginUntil(50, 10);
    const later: Promise<readonly string[]>[] = [];
    for (const [name, part] of Object.entries(full.parts)) {
      const { living: more } = await full.beginUntil(10, 2);
      const before = part.process.pid;
      await full.killAndRestart(part);
      expect([name, part.process.pid === before]).toEqual([name, false]);
      later.push(more);
    }
    const orderIds = (await Promise.all([first, ...later])).flat();
    const became = await full.settled(orderIds);
    process.stdout.write(`each process killed once: ${JSON.stringify(became)}\n`);
    expect(orderIds).toHaveLength(130);
    expect(became.PAID).toBeGreaterThan(0);
    expect(became.CLOSED).toBeGreaterThan(0);
    expect(became.CANCELLED).toBeGreaterThan(0);
  },
  TEST_MS,
);

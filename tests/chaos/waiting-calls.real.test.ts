/**
 * A participant with one place, which one call holds for as long as the test wants, while twenty others wait for it: what
 * people decide meanwhile holds for those that wait as well.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { openTappedShop, TEA, type TappedShop } from './every-request.ts';
import type { Verdict } from './fault-proxy.ts';
import type { Begun } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 20_000;
const WAITING = 20;

let tapped: TappedShop;
let controller: RunningController;

beforeAll(async () => {
  tapped = await openTappedShop('waiting');
  controller = await tapped.startController();
}, SETUP_MS);

afterAll(() => tapped.close(), TEST_MS);

/** One transaction whose try holds the only place at inventory until it is let go, and twenty that wait for it. */
async function crowd(flow: string) {
  const { shop, tap, origins } = tapped;
  await shop.putFlow(flow, { origins, callTimeoutSeconds: 60, timeoutSeconds: 600, maxConcurrency: 1 });
  const { promise: released, resolve } = Promise.withResolvers<undefined>();
  tap.reset({
    before: async ({ to, path }): Promise<Verdict> => {
      if (to === 'inventory' && path.endsWith('/try')) await released;
      return 'pass';
    },
  });
  const first = await shop.begin(flow, [TEA]);
  await waitFor(async () => triesAt('inventory').length === 1, { what: 'the first try', deadlineMs: SEEN_MS });
  const waiting = await Promise.all(Array.from({ length: WAITING }, () => shop.begin(flow, [TEA])));
  await waitFor(async () => triesAt('order').length === 1 + WAITING, {
    what: 'the tries of all at order',
    deadlineMs: SEEN_MS,
  });
  expect(triesAt('inventory')).toEqual([first.name]);
  return { first, waiting, release: () => resolve(undefined) };
}

/** Whose tries have reached this participant by its first endpoint, in order. */
function triesAt(participant: string): readonly string[] {
  const tries = tapped.tap.seen.filter(({ to, path }) => to === participant && path.endsWith('/try'));
  return tries.map(({ transaction }) => transaction);
}

async function callsWaiting(): Promise<number> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  return Number(/^ordertx_participant_calls_waiting (\d+)$/m.exec(text)?.[1]);
}

async function suspendAll(begun: readonly Begun[], suspend: boolean): Promise<void> {
  for (const { name } of begun) expect(await tapped.shop.patch(name, { spec: { suspend } })).toBe(200);
}

test(
  'calls that wait when their transactions are suspended are not sent, and the suspension does not wait for them',
  async () => {
    const { shop } = tapped;
    const { first, waiting, release } = await crowd('narrow');
    expect(await callsWaiting()).toBe(WAITING);
    await suspendAll(waiting, true);
    for (const { name } of waiting) {
      await shop.transactionWhen(
        name,
        'to be suspended',
        ({ status }) => findCondition(status, 'Suspended')?.status === 'True',
        SEEN_MS,
      );
    }
    expect(await callsWaiting()).toBe(0);
    release();
    // Whoever still waited would be before this one.
    const later = await shop.begin('narrow', [TEA]);
    for (const { name } of [first, later]) expect((await shop.final(name, SEEN_MS)).status?.phase).toBe('Succeeded');
    expect(triesAt('inventory')).toEqual([first.name, later.name]);
    await suspendAll(waiting, false);
    for (const { name } of waiting) expect((await shop.final(name, SEEN_MS)).status?.phase).toBe('Succeeded');
  },
  TEST_MS,
);

test(
  'calls that wait at an endpoint go to the new one as soon as people have corrected it',
  async () => {
    const { shop, origins } = tapped;
    const { first, waiting, release } = await crowd('moved');
    const corrected = { order: origins.order ?? '', inventory: shop.origins.inventory ?? '' };
    await shop.putFlow('moved', {
      ...{ origins: corrected, callTimeoutSeconds: 60, timeoutSeconds: 600, maxConcurrency: 1 },
    });
    for (const { name } of waiting) expect((await shop.final(name, SEEN_MS)).status?.phase).toBe('Succeeded');
    expect(triesAt('inventory')).toEqual([first.name]);
    release();
    expect((await shop.final(first.name, SEEN_MS)).status?.phase).toBe('Succeeded');
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);

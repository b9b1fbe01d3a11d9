/**
 * Flows that are missing, going, forced away, or wrong: a transaction never goes on under less than the flow that it was begun
 * under (T9), and goes on at once when the flow is mended.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import type { RunningController } from '../../local/controllers.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { openTappedShop, TEA, type TappedShop } from '../chaos/every-request.ts';
import type { Verdict } from '../chaos/fault-proxy.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { SLOW_RETRY, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 15_000;
const FINALIZER = 'ordertx.dev/in-use';

let tapped: TappedShop;
let shop: Shop;
let controller: RunningController;
/** Another server than a participant: it answers 200 to everything. */
let stranger: Server;
let strangerUrl: string;
/** Nobody listens there. */
let deadUrl: string;

beforeAll(async () => {
  stranger = createServer((request, response) => request.resume().on('end', () => response.end('{"ok":true}')));
  const port = await freePort();
  stranger.listen(port, '127.0.0.1');
  await once(stranger, 'listening');
  strangerUrl = `http://127.0.0.1:${port}`;
  deadUrl = `http://127.0.0.1:${await freePort()}`;
  tapped = await openTappedShop('flows');
  ({ shop } = tapped);
  controller = await startController();
}, SETUP_MS);

afterAll(async () => {
  await tapped.close();
  stranger.close();
}, TEST_MS);

async function startController(...alsoAllowed: readonly string[]): Promise<RunningController> {
  const { origins } = tapped;
  const allowEndpoints = [...Object.values(origins), ...Object.values(shop.origins), strangerUrl, deadUrl];
  return shop.startController({ allowEndpoints: [...allowEndpoints, ...alsoAllowed] });
}

async function isStuck(name: string, reason: string, sentence: string): Promise<OrderTransaction> {
  return shop.transactionWhen(
    name,
    `to be Stuck (${reason}): ${sentence}`,
    ({ status }) => {
      const stuck = findCondition(status, 'Stuck');
      const says = [stuck?.message, status?.message].every((message) => message?.includes(sentence));
      return stuck?.status === 'True' && stuck.reason === reason && says;
    },
    SEEN_MS,
  );
}

async function succeeds(name: string): Promise<void> {
  const { status } = await shop.final(name, SEEN_MS);
  expect(status).toMatchObject({ phase: 'Succeeded', message: '', waitingFor: '' });
  expect(findCondition(status, 'Stuck')?.status ?? 'False').toBe('False');
}

async function isKept(flow: string): Promise<void> {
  await waitFor(async () => (await shop.flow(flow))?.metadata.finalizers?.includes(FINALIZER), {
    what: `the flow ${flow} to carry the finalizer`,
    deadlineMs: SEEN_MS,
  });
}

async function removed(flow: string): Promise<void> {
  await waitFor(async () => (await shop.flow(flow)) === undefined, {
    what: `the flow ${flow} to be gone`,
    deadlineMs: SEEN_MS,
  });
}

/** Flows and transactions are watched apart: resolves when the controller has heard what this does to a flow. */
async function flowsAreHeardOf(act: () => Promise<unknown>): Promise<void> {
  const sinceMs = performance.now();
  await act();
  const heard = async (): Promise<boolean> => {
    const askedMs = performance.now();
    const text = await (await fetch(`${controller.url}/metrics`)).text();
    const ageSeconds = sumOf(text, 'ordertx_informer_last_event_age_seconds', { kind: 'TransactionFlow' });
    return askedMs - 1_000 * ageSeconds > sinceMs;
  };
  await waitFor(heard, { what: 'the controller to hear of the flow', deadlineMs: SEEN_MS });
}

/** Objects carry their times in whole seconds. */
async function secondAfter(transaction: OrderTransaction | undefined): Promise<void> {
  const createdMs = Date.parse(transaction?.metadata.creationTimestamp ?? '');
  await waitFor(async () => Date.now() >= createdMs + 1_000, { what: 'the next second', deadlineMs: SEEN_MS });
}

/** Inventory does not answer these calls until it is let go. */
function holdInventory(operation: 'try' | 'confirm'): { release: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  tapped.tap.reset({
    before: async ({ to, path }): Promise<Verdict> => {
      if (to === 'inventory' && path.endsWith(`/${operation}`)) await promise;
      return 'pass';
    },
  });
  return { release: () => resolve(undefined) };
}

async function isHeldAtInventory(name: string): Promise<void> {
  const isThere = () => tapped.tap.seen.some(({ to, transaction }) => to === 'inventory' && transaction === name);
  await waitFor(async () => isThere(), { what: `the call of ${name} to inventory`, deadlineMs: SEEN_MS });
}

async function confirmIsHeld(name: string): Promise<void> {
  await shop.transactionWhen(name, 'to be decided', ({ status }) => status?.decision === 'Confirm', SEEN_MS);
}

describe('a flow that is not there', () => {
  test(
    'is waited for, by name; nobody is called before it comes',
    async () => {
      tapped.tap.reset({});
      const { name, orderId } = await shop.begin('later', [TEA]);
      const { status } = await isStuck(name, 'FlowNotFound', 'the TransactionFlow later does not exist');
      expect(status?.decision).toBeUndefined();
      expect(tapped.tap.seen.filter(({ transaction }) => transaction === name)).toEqual([]);
      await shop.putFlow('later');
      await succeeds(name);
      expect(await shop.orderStatus(orderId)).toBe('PENDING_PAYMENT');
    },
    TEST_MS,
  );
});

describe('a flow that is deleted while transactions are in flight', () => {
  test(
    'carries them to their end, takes no new ones, and is gone then',
    async () => {
      await shop.putFlow('leaving', { origins: tapped.origins });
      await isKept('leaving');
      const held = holdInventory('confirm');
      const early = await shop.begin('leaving', [TEA]);
      await confirmIsHeld(early.name);
      await secondAfter(await shop.transaction(early.name));
      await flowsAreHeardOf(() => shop.admin.request('DELETE', shop.pathOf('transactionflows', 'leaving')));

      const late = await shop.begin('leaving', [TEA]);
      await isStuck(late.name, 'FlowNotFound', 'the TransactionFlow leaving was being deleted');
      expect((await shop.flow('leaving'))?.metadata).toMatchObject({ finalizers: [FINALIZER] });
      held.release();
      await succeeds(early.name);
      await removed('leaving');
      await isStuck(late.name, 'FlowNotFound', 'the TransactionFlow leaving does not exist');
      expect((await shop.transaction(late.name))?.status?.decision).toBeUndefined();

      await shop.putFlow('leaving');
      await succeeds(late.name);
    },
    TEST_MS,
  );

  test(
    'and is in use by none goes at once',
    async () => {
      await shop.putFlow('unused');
      await isKept('unused');
      await shop.admin.request('DELETE', shop.pathOf('transactionflows', 'unused'));
      await removed('unused');
    },
    TEST_MS,
  );
});

describe('a flow that is forced away and created again with fewer participants', () => {
  async function forceAway(flow: string): Promise<void> {
    await shop.admin.request('DELETE', shop.pathOf('transactionflows', flow));
    await shop.admin.request('PATCH', shop.pathOf('transactionflows', flow), { metadata: { finalizers: null } });
    await removed(flow);
  }

  test.each(['try', 'confirm'] as const)(
    'during the %s is not believed: the transaction waits for one with all of them',
    async (operation) => {
      const flow = `forced-${operation}`;
      const { origins } = tapped;
      await shop.putFlow(flow, { origins });
      await isKept(flow);
      const held = holdInventory(operation);
      const { name, orderId } = await shop.begin(flow, [TEA]);
      await (operation === 'try' ? isHeldAtInventory(name) : confirmIsHeld(name));
      await forceAway(flow);
      await shop.putFlow(flow, { origins: { order: origins.order as string } });
      await isStuck(name, 'FlowNotFound', `the TransactionFlow ${flow} lacks this transaction's participant inventory`);
      held.release();

      // The controller has seen the new flow: it carries another transaction, whose order is refused and leaves nothing.
      const other = await shop.begin(flow, []);
      await shop.final(other.name, SEEN_MS);
      const { status } = (await shop.transaction(name)) ?? {};
      expect(status?.finishedAt).toBeUndefined();
      expect(status?.decision).toBe(operation === 'try' ? undefined : 'Confirm');

      await forceAway(flow);
      await shop.putFlow(flow, { origins });
      await succeeds(name);
      expect(await shop.orderStatus(orderId)).toBe('PENDING_PAYMENT');
    },
    TEST_MS,
  );
});

describe('a wrong endpoint that is corrected in flight', () => {
  test.each([
    { where: 'nobody listens', url: () => deadUrl, says: 'refused the connection' },
    { where: 'another server answers 200', url: () => strangerUrl, says: 'answered 200 without Ordertx-State' },
  ])(
    'where $where is named, and the right one is called at once',
    async ({ url, says }) => {
      const flow = `wrong-${new URL(url()).port}`;
      await shop.putFlow(flow, { origins: { ...shop.origins, inventory: url() }, retry: SLOW_RETRY });
      const { name, orderId } = await shop.begin(flow, [TEA]);
      const { status } = await shop.transactionWhen(
        name,
        `to say "${says}"`,
        (transaction) => transaction.status?.message?.includes(`the try at inventory is not done: ${says}`) === true,
        SEEN_MS,
      );
      expect(status?.waitingFor).toBe('inventory');
      await shop.putFlow(flow, { retry: SLOW_RETRY });
      await succeeds(name);
      expect(await shop.orderStatus(orderId)).toBe('PENDING_PAYMENT');
    },
    TEST_MS,
  );
});

describe('an endpoint that the controller may not call', () => {
  test(
    'is an alarm at once that says how to allow it; corrected, the transaction goes on at once',
    async () => {
      const forbidden = 'http://198.51.100.1:8080';
      await shop.putFlow('abroad', { origins: { ...shop.origins, inventory: forbidden }, retry: SLOW_RETRY });
      const { name } = await shop.begin('abroad', [TEA]);
      const remedy = `add ${forbidden} to the controller's --allow-endpoints`;
      expect((await isStuck(name, 'EndpointForbidden', remedy)).status?.waitingFor).toBe('inventory');
      await shop.putFlow('abroad', { retry: SLOW_RETRY });
      await succeeds(name);
    },
    TEST_MS,
  );

  test(
    'is called once a controller runs that allows it',
    async () => {
      const proxied = tapped.origins.inventory as string;
      const notYetAllowed = proxied.replace('127.0.0.1', 'localhost');
      tapped.tap.reset({});
      await shop.putFlow('allowed-later', { origins: { ...shop.origins, inventory: notYetAllowed } });
      const { name } = await shop.begin('allowed-later', [TEA]);
      await isStuck(name, 'EndpointForbidden', `add ${notYetAllowed} to`);
      expect(tapped.tap.seen.filter(({ to }) => to === 'inventory')).toEqual([]);
      await controller.part.process.stop();
      controller = await startController(notYetAllowed);
      await succeeds(name);
    },
    TEST_MS,
  );
});

describe('a payload that is too large', () => {
  test(
    'is never sent, not even to cancel: it is an alarm until a person has settled it',
    async () => {
      tapped.tap.reset({});
      await shop.putFlow('large', { origins: tapped.origins });
      const { name } = await shop.begin('large', [TEA], { filler: 'x'.repeat(70_000) });
      await isStuck(name, 'PayloadTooLarge', 'over 64 kB');
      expect(await shop.patch(name, { spec: { cancelRequested: true } })).toBe(200);
      await shop.transactionWhen(
        name,
        'to be Cancelling and Stuck',
        ({ status }) => status?.decision === 'Cancel' && status.message?.includes('the cancel at') === true,
        SEEN_MS,
      );
      await isStuck(name, 'PayloadTooLarge', 'over 64 kB');
      const resolutions = ['order', 'inventory'].map((target) => ({
        target,
        as: 'Cancelled',
        reason: 'it was never sent, so there is nothing to undo',
      }));
      expect(await shop.patch(name, { spec: { resolutions } })).toBe(200);
      expect((await shop.final(name, SEEN_MS)).status).toMatchObject({ phase: 'Cancelled' });
      expect(tapped.tap.seen.filter(({ to }) => to !== 'api')).toEqual([]);
    },
    TEST_MS,
  );
});

test('at rest, the data of all services and the cluster agree', async () => {
  expect(await shop.violations()).toEqual([]);
});

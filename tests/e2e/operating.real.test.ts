/**
 * What people do to running transactions, with kubectl where they would: pause, ask for a cancel, retry, settle by hand,
 * give up. And what they are told: Events, and sentences when something is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../local/deadline.ts';
import { openTappedShop, TEA, type TappedShop } from '../chaos/every-request.ts';
import type { Tapped, Verdict } from '../chaos/fault-proxy.ts';
import { SLOW_RETRY, type Begun, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 15_000;
const run = promisify(execFile);

let tapped: TappedShop;
let shop: Shop;

beforeAll(async () => {
  tapped = await openTappedShop('operating');
  ({ shop } = tapped);
  await shop.putFlow('quick', { origins: tapped.origins });
  await shop.putFlow('slow', { origins: tapped.origins, retry: SLOW_RETRY });
  await tapped.startController();
}, SETUP_MS);

afterAll(() => tapped.close(), TEST_MS);

/** From now on these calls to inventory are answered so; all others pass. */
function inventoryAnswers(operation: 'try' | 'confirm', verdict: Verdict | (() => Promise<Verdict>)): void {
  tapped.tap.reset({
    before: ({ to, path }) => {
      if (to !== 'inventory' || !path.endsWith(`/${operation}`)) return 'pass';
      return typeof verdict === 'function' ? verdict() : verdict;
    },
  });
}

function inventoryIsWell(): void {
  tapped.tap.reset({});
}

function callsOf({ name }: Begun): readonly Tapped[] {
  return tapped.tap.seen.filter(({ to, transaction }) => to !== 'api' && transaction === name);
}

async function seen(name: string, what: string, is: (transaction: OrderTransaction) => boolean) {
  return shop.transactionWhen(name, what, is, SEEN_MS);
}

async function fails(name: string, operation: string): Promise<void> {
  const sentence = `the ${operation} at inventory is not done`;
  await seen(name, `to say "${sentence}"`, ({ status }) => status?.message?.startsWith(sentence) === true);
}

/** What kubectl complains of when the API server refuses the command; fails if it does not. */
async function refusal(...args: readonly string[]): Promise<string> {
  const answer = await shop.kubectl(...args).then(
    (printed) => ({ refused: false, said: printed }),
    (error: unknown) => ({ refused: true, said: (error as Error).message }),
  );
  expect(answer).toMatchObject({ refused: true });
  return answer.said;
}

function patch(name: string, spec: object): readonly string[] {
  return ['patch', 'otx', name, '--type=merge', '-p', JSON.stringify({ spec })];
}

async function warnings(name: string): Promise<readonly { reason: string; message: string; type: string }[]> {
  const printed = await shop.kubectl('get', 'events', '--field-selector', `involvedObject.name=${name}`, '-o', 'json');
  return (JSON.parse(printed) as { items: { reason: string; message: string; type: string }[] }).items;
}

async function isWarnedOf(name: string, reason: string, message: string): Promise<void> {
  await waitFor(
    async () => (await warnings(name)).some((event) => event.reason === reason && event.message.includes(message)),
    { what: `the Event ${reason} of ${name}: ${message}`, deadlineMs: SEEN_MS },
  );
}

describe('a suspended transaction', () => {
  test(
    'is called no more once it says Suspended, and goes on when it is resumed',
    async () => {
      inventoryAnswers('try', { status: 500 });
      const paused = await shop.begin('quick', [TEA]);
      await fails(paused.name, 'try');
      await shop.kubectl(...patch(paused.name, { suspend: true }));
      const { status } = await seen(paused.name, 'to be Suspended', (transaction) => {
        const suspended = findCondition(transaction.status, 'Suspended');
        return suspended?.status === 'True' && suspended.observedGeneration === transaction.metadata.generation;
      });
      expect(status?.decision).toBeUndefined();

      inventoryIsWell();
      const other = await shop.begin('quick', [TEA]);
      expect((await shop.final(other.name)).status?.phase).toBe('Succeeded');
      expect(callsOf(paused)).toEqual([]);

      await shop.kubectl(...patch(paused.name, { suspend: false }));
      const end = await shop.final(paused.name);
      expect(end.status?.phase).toBe('Succeeded');
      expect(findCondition(end.status, 'Suspended')).toMatchObject({ status: 'False' });
    },
    TEST_MS,
  );
});

describe('a cancel that is asked for', () => {
  test(
    'before the decision wins: everything is undone',
    async () => {
      const before = await shop.stockOf('tea');
      const { promise, resolve } = Promise.withResolvers<undefined>();
      inventoryAnswers('try', () => promise.then(() => 'pass'));
      const late: number[] = [];
      tapped.tap.fault.after = ({ to, path }, status) => {
        if (to === 'inventory' && path.endsWith('/try')) late.push(status);
        return 'pass';
      };
      const { name, orderId } = await shop.begin('quick', [TEA]);
      await waitFor(async () => tapped.tap.seen.some(({ to }) => to === 'inventory'), {
        what: 'the try at inventory',
        deadlineMs: SEEN_MS,
      });
      await shop.kubectl(...patch(name, { cancelRequested: true }));
      const { status } = await shop.final(name);
      expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'CancelRequested' });
      const tries = tapped.tap.seen.filter(({ to, path }) => to === 'inventory' && path.endsWith('/try')).length;
      resolve(undefined);
      await waitFor(async () => late.length === tries, { what: `the answers to ${tries} tries`, deadlineMs: SEEN_MS });
      expect(new Set(late)).toEqual(new Set([409]));
      expect(await shop.orderStatus(orderId)).toBe('CANCELLED');
      expect(await shop.stockOf('tea')).toEqual(before);
    },
    TEST_MS,
  );

  test(
    'after a Confirm is refused by the API server, and nothing changes',
    async () => {
      inventoryAnswers('confirm', { status: 500 });
      const { name } = await shop.begin('quick', [TEA]);
      await fails(name, 'confirm');
      const said = await refusal(...patch(name, { cancelRequested: true }));
      expect(said).toContain('cancelRequested and decision Confirm exclude each other');
      inventoryIsWell();
      expect((await shop.final(name)).status?.phase).toBe('Succeeded');
    },
    TEST_MS,
  );
});

describe('a retry that is asked for', () => {
  test(
    'is acknowledged and made at once, however long the back-off has become',
    async () => {
      const ask = async (name: string, token: string) =>
        shop.kubectl('annotate', 'otx', name, `ordertx.dev/retry-requested-at=${token}`, '--overwrite');
      inventoryAnswers('confirm', { status: 500 });
      const begun = await shop.begin('slow', [TEA]);
      await fails(begun.name, 'confirm');
      const before = callsOf(begun).length;
      await ask(begun.name, 'first');
      await seen(begun.name, 'to acknowledge', ({ status }) => status?.lastHandledRetryAt === 'first');
      await waitFor(async () => callsOf(begun).length === before + 1, { what: 'one more call', deadlineMs: SEEN_MS });

      inventoryIsWell();
      await ask(begun.name, 'second');
      const { status } = await shop.final(begun.name, SEEN_MS);
      expect(status).toMatchObject({ phase: 'Succeeded', lastHandledRetryAt: 'second' });
    },
    TEST_MS,
  );
});

describe('a retry that is asked for in an odd way', () => {
  const ask = async (name: string, token: string) =>
    shop.patch(name, { metadata: { annotations: { 'ordertx.dev/retry-requested-at': token } } });

  test(
    'with an empty token, with spaces, with 200 characters, is made once each time',
    async () => {
      inventoryAnswers('confirm', { status: 500 });
      const begun = await shop.begin('slow', [TEA]);
      await fails(begun.name, 'confirm');
      const before = callsOf(begun).length;
      let handled: string | undefined;
      for (const [index, token] of ['', '   ', 'x'.repeat(200)].entries()) {
        await ask(begun.name, token);
        const { status } = await seen(
          begun.name,
          'to acknowledge',
          (each) => each.status?.lastHandledRetryAt !== handled,
        );
        handled = status?.lastHandledRetryAt;
        await waitFor(async () => callsOf(begun).length > before + index, {
          what: 'one more call',
          deadlineMs: SEEN_MS,
        });
      }
      expect(callsOf(begun).length).toBe(before + 3);
      inventoryIsWell();
      await ask(begun.name, 'at last');
      await shop.final(begun.name, SEEN_MS);
    },
    TEST_MS,
  );

  test(
    'a hundred times in a row is made a few times, and the last one counts',
    async () => {
      inventoryAnswers('confirm', { status: 500 });
      const begun = await shop.begin('slow', [TEA]);
      await fails(begun.name, 'confirm');
      const before = callsOf(begun).length;
      const startedMs = performance.now();
      for (let index = 0; index < 100; index += 1) await ask(begun.name, `now ${index}`);
      await seen(begun.name, 'to acknowledge', ({ status }) => status?.lastHandledRetryAt === 'now 99');
      const pauses = (performance.now() - startedMs) / 5_000;
      expect(callsOf(begun).length - before).toBeLessThanOrEqual(2 + pauses);
      inventoryIsWell();
      await ask(begun.name, 'at last');
      await shop.final(begun.name, SEEN_MS);
    },
    TEST_MS,
  );
});

describe('a branch whose confirm is refused', () => {
  async function settle(name: string, as: string): Promise<string> {
    const main = join(import.meta.dirname, '../../services/inventory/src/main.ts');
    const args = ['--transaction', `${shop.namespace}/${name}`, '--branch', 'inventory', '--as', as];
    const { stdout } = await run(process.execPath, [main, 'settle', ...args, '--reason', 'counted by hand'], {
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: shop.services.inventory.databaseUrl },
    });
    return stdout;
  }

  function resolved(as: string) {
    return { resolutions: [{ target: 'inventory', as, reason: 'counted by hand' }] };
  }

  test(
    'is an alarm with an Event at once, and ends when the service and then the transaction are settled',
    async () => {
      const before = await shop.stockOf('tea');
      const body = JSON.stringify({ type: 'about:blank', code: 'no-try', detail: 'the shelf is on fire' });
      const headers = { 'content-type': 'application/problem+json', 'ordertx-state': 'None' };
      inventoryAnswers('confirm', { status: 409, headers, body });
      const { name, orderId } = await shop.begin('quick', [TEA]);
      await seen(name, 'to be Stuck', ({ status }) => findCondition(status, 'Stuck')?.reason === 'ConfirmRefused');
      await isWarnedOf(name, 'ConfirmRefused', 'the shelf is on fire');
      expect(await refusal(...patch(name, resolved('Cancelled')))).toContain('must agree with the stored decision');

      expect(await settle(name, 'Confirmed')).toContain('is Confirmed now');
      await shop.kubectl(...patch(name, resolved('Confirmed')));
      const { status } = await shop.final(name);
      expect(status).toMatchObject({ phase: 'Succeeded', waitingFor: '' });
      expect(findCondition(status, 'Stuck')?.status).toBe('False');
      expect(await shop.orderStatus(orderId)).toBe('PENDING_PAYMENT');
      expect(await shop.stockOf('tea')).toMatchObject({ frozen: before.frozen + TEA.quantity });

      const calls = callsOf({ name, orderId }).length;
      inventoryIsWell();
      const other = await shop.begin('quick', [TEA]);
      await shop.final(other.name);
      expect(calls).toBeGreaterThan(0);
      expect(callsOf({ name, orderId })).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'cannot be resolved before there is a decision',
    async () => {
      inventoryAnswers('try', { status: 500 });
      const { name } = await shop.begin('quick', [TEA]);
      await fails(name, 'try');
      expect(await refusal(...patch(name, resolved('Confirmed')))).toContain('a resolution needs a stored decision');
      inventoryIsWell();
      expect((await shop.final(name)).status?.phase).toBe('Succeeded');
    },
    TEST_MS,
  );
});

describe('an unfinished transaction', () => {
  test(
    'cannot be deleted, until it is given up with a reason',
    async () => {
      const { name } = await shop.begin('nowhere', [TEA]);
      await seen(name, 'to be Stuck', ({ status }) => findCondition(status, 'Stuck')?.reason === 'FlowNotFound');
      await isWarnedOf(name, 'FlowNotFound', 'the TransactionFlow nowhere does not exist');
      expect(await refusal('delete', 'otx', name)).toContain('is not finished: what its services reserved would stay');
      expect(await shop.transaction(name)).toBeDefined();
      await shop.kubectl('annotate', 'otx', name, 'ordertx.dev/abandon=typo in the flow');
      await shop.kubectl('delete', 'otx', name);
      expect(await shop.transaction(name)).toBeUndefined();
    },
    TEST_MS,
  );

  test(
    'that takes too long is warned of once, and a happy one never',
    async () => {
      await shop.putFlow('hasty', { origins: tapped.origins, stuckAfterSeconds: 2 });
      inventoryAnswers('confirm', { status: 500 });
      const { name } = await shop.begin('hasty', [TEA]);
      await isWarnedOf(name, 'TakingTooLong', 'the confirm at inventory is not done: answered 500');
      inventoryIsWell();
      const happy = await shop.begin('quick', [TEA]);
      await shop.final(name);
      await shop.final(happy.name);
      expect((await warnings(name)).map(({ type, reason }) => [type, reason])).toEqual([['Warning', 'TakingTooLong']]);
      expect(await warnings(happy.name)).toEqual([]);
    },
    TEST_MS,
  );
});

test('at rest, the data of all services and the cluster agree', async () => {
  expect(await shop.violations()).toEqual([]);
});

/**
 * Whatever people and scripts write into ordertx.dev/retry-requested-at: one attempt at once, then the usual back-off.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyCharacter } from '../../../tests/world/any-character.ts';
import { settle } from '../runtime/manual-clock.ts';
import type { Outcome } from '../transaction/outcome.ts';
import { RETRY_ANNOTATION, RETRY_REQUEST_PAUSE_MS } from '../transaction/requests.ts';
import { flowNamed, KEY, Shop, type Controller } from './shop-fake.ts';

const WMS = { name: 'lock-wms', when: 'Confirmed', stream: 'wms', type: 'stock.lock', delivery: 'Reliable' } as const;

function annotate(shop: Shop, controller: Controller, token: string): void {
  shop.server.edit(KEY, (transaction) => ({
    ...transaction,
    metadata: { ...transaction.metadata, annotations: { [RETRY_ANNOTATION]: token } },
  }));
  controller.queue.soon(KEY);
}

/** Delivering: its message is published and has no receipt. */
async function delivering(): Promise<{ shop: Shop; controller: Controller }> {
  const shop = new Shop();
  const flow = flowNamed('create-order');
  shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages: [WMS] } });
  shop.order();
  const controller = shop.controller();
  await controller.work();
  return { shop, controller };
}

/** How often the message was published in the time in which `act` is called every 50 ms. */
async function publishedWithin(ms: number, act: (shop: Shop, controller: Controller, turn: number) => void) {
  const { shop, controller } = await delivering();
  const before = shop.published.length;
  for (let turn = 0; turn * 50 < ms; turn += 1) {
    act(shop, controller, turn);
    await controller.workFor(50);
  }
  return { published: shop.published.length - before, shop };
}

/** What inventory's first call brings, while which a person asks for another attempt; the second one is answered by `second`. */
async function askedWhileUnderWay(second: 'none' | Outcome) {
  const shop = new Shop();
  let firstEnds = (): void => undefined;
  const first = new Promise<void>((resolve) => (firstEnds = resolve));
  const tries: string[] = [];
  shop.participants.takes = ({ participant, operation }) => {
    if (participant.name !== 'inventory' || operation !== 'try') return Promise.resolve();
    return tries.push('try') === 1 ? first : Promise.resolve();
  };
  shop.participants.fault = ({ participant }) => {
    if (participant.name !== 'inventory') return 'none';
    return tries.length === 1 ? { kind: 'unknown', detail: 'gave no answer within the time' } : second;
  };
  shop.order();
  const controller = shop.controller();
  await controller.passes();
  annotate(shop, controller, 'it is mended');
  await controller.passes();
  expect({ tries: tries.length, handled: shop.now.status?.lastHandledRetryAt }).toEqual({
    tries: 1,
    handled: 'it is mended',
  });
  firstEnds();
  await settle();
  await controller.passes();
  const answered = shop.server
    .versions(KEY)
    .flatMap(({ status }) => status?.branches ?? [])
    .filter(({ name, lastError, nextAttemptTime }) => name === 'inventory' && lastError && nextAttemptTime);
  return { shop, tries: tries.length, answers: answered.map(({ lastError }) => lastError) };
}

describe('a retry that is asked for while a call is under way', () => {
  test('is another attempt, at once: what was under way was sent before anything was mended', async () => {
    const { shop, tries, answers } = await askedWhileUnderWay('none');
    expect({ tries, answers }).toEqual({ tries: 2, answers: [] });
    expect(shop.now.status?.decision).toBe('Confirm');
  });

  test('is answered by that attempt, and not by what was under way', async () => {
    const { tries, answers } = await askedWhileUnderWay({ kind: 'unknown', detail: 'answered 503' });
    expect({ tries, answers: new Set(answers) }).toEqual({ tries: 2, answers: new Set(['answered 503']) });
  });
});

describe('a retry token', () => {
  test.each([
    ['empty', ''],
    ['of one space', ' '],
    ['of 200 spaces', ' '.repeat(200)],
    ['of 200 characters', 'x'.repeat(200)],
    ['of 200 characters outside the first plane', '😀'.repeat(200)],
  ])('%s gives one attempt at once, then the usual back-off', async (_what, token) => {
    const { published: usual } = await publishedWithin(15_000, () => undefined);
    const { published, shop } = await publishedWithin(15_000, (each, controller, turn) => {
      if (turn === 10) annotate(each, controller, token);
    });
    expect(published).toBeGreaterThan(0);
    expect(Math.abs(published - usual)).toBeLessThanOrEqual(1);
    expect(shop.now.status?.lastHandledRetryAt).toBeDefined();
  });

  test('new every 50 ms gives one attempt at once and then at most one in each pause beside the back-off', async () => {
    const { published: usual } = await publishedWithin(30_000, () => undefined);
    const { published, shop } = await publishedWithin(30_000, (each, controller, turn) =>
      annotate(each, controller, `now ${turn}`),
    );
    expect(published).toBeLessThanOrEqual(usual + 30_000 / RETRY_REQUEST_PAUSE_MS + 1);
    // Each is acknowledged, and answered.
    expect(shop.server.writes).toBeLessThanOrEqual(2 + 2 * (30_000 / RETRY_REQUEST_PAUSE_MS + 1));
  });

  test('that comes soon after another is acted on when the pause is over', async () => {
    const { shop, controller } = await delivering();
    annotate(shop, controller, 'first');
    await controller.work();
    annotate(shop, controller, 'second');
    await controller.work();
    expect(shop.now.status?.lastHandledRetryAt).toBe('first');
    await controller.workFor(RETRY_REQUEST_PAUSE_MS);
    expect(shop.now.status?.lastHandledRetryAt).toBe('second');
  });

  test('does not use up the attempts of a best-effort message', async () => {
    const shop = new Shop();
    const flow = flowNamed('create-order');
    const sms = { ...WMS, name: 'sms', delivery: 'BestEffort', maxAttempts: 2 } as const;
    shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages: [WMS, sms] } });
    shop.order();
    const controller = shop.controller();
    await controller.work();
    annotate(shop, controller, 'now');
    await controller.work();
    expect(shop.published.filter((each) => each.startsWith('sms'))).toEqual(['sms 1']);
  });

  test('of any sequence at any moment, also with restarts, never adds more than one attempt each', async () => {
    const act = fc.record({
      token: fc.option(fc.oneof(fc.constantFrom('', ' ', '\t', 'x'.repeat(200)), fc.string({ unit: anyCharacter })), {
        nil: undefined,
      }),
      waitMs: fc.constantFrom(0, 1, 50, 1_000, 6_000),
      crash: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 20 }), async (acts) => {
        const { shop, controller: first } = await delivering();
        const before = shop.published.length;
        let controller = first;
        const livesMs = [0];
        for (const { token, waitMs, crash } of acts) {
          if (crash) {
            controller.crash();
            controller = shop.controller();
            livesMs.unshift(0);
          }
          if (token !== undefined) annotate(shop, controller, token);
          await controller.workFor(waitMs);
          livesMs[0] = (livesMs[0] ?? 0) + waitMs;
        }
        const tokens = acts.filter(({ token }) => token !== undefined).length;
        // From the first second on the back-off doubles; half of it is certain. A new process goes on from what is stored.
        const byBackoff = livesMs.reduce((sum, ms) => sum + 2 + Math.log2(1 + ms / 500), 0);
        expect(shop.published.length - before).toBeLessThanOrEqual(byBackoff + tokens);
      }),
      { numRuns: 100 },
    );
  });
});

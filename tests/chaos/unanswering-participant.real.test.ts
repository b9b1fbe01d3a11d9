/**
 * A participant that answers nobody: it is asked a few times a second whatever waits for it, others do not notice, and when it is
 * back all that waits for it goes on at once, not when its back-offs end.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { SLOW_RETRY, type Begun } from '../world/shop.ts';
import { openTappedShop, TEA, type TappedShop } from './every-request.ts';
import type { Tapped, Verdict } from './fault-proxy.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const SEEN_MS = 30_000;
/** What all that wait may take once their participant is back. */
const DRAINED_MS = 10_000;
const WAITING = 60;
/** Less than two turns, and many times what an order takes. */
const UNHINDERED_MS = 1_800;

let tapped: TappedShop;
let controller: RunningController;

beforeAll(async () => {
  tapped = await openTappedShop('unanswering');
  controller = await tapped.startController();
}, SETUP_MS);

afterAll(() => tapped.close(), TEST_MS);

/** Inventory breaks these calls off, until it is back. */
function inventoryFails(concerns: (request: Tapped) => boolean = () => true): () => void {
  let isBack = false;
  tapped.tap.reset({
    before: (request): Verdict => (!isBack && request.to === 'inventory' && concerns(request) ? 'drop' : 'pass'),
  });
  return () => (isBack = true);
}

function asked(): number {
  return tapped.tap.seen.filter(({ to }) => to === 'inventory').length;
}

async function breaker(): Promise<number | undefined> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  const endpoint = tapped.origins.inventory?.replaceAll('.', '\\.');
  const found = new RegExp(`^ordertx_participant_breaker_open\\{endpoint="${endpoint}"\\} (\\d)$`, 'm').exec(text);
  return found ? Number(found[1]) : undefined;
}

async function allFinal(begun: readonly Begun[], deadlineMs: number, phase: string): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  for (const { name } of begun) {
    expect((await tapped.shop.final(name, Math.max(1, endMs - performance.now()))).status?.phase).toBe(phase);
  }
}

async function seconds(count: number): Promise<void> {
  const untilMs = performance.now() + count * 1_000;
  await waitFor(async () => performance.now() >= untilMs, { what: 'time to pass', deadlineMs: count * 1_000 + 5_000 });
}

test(
  'one transaction whose calls always fail is nobody else’s trouble',
  async () => {
    const { shop, origins } = tapped;
    await shop.putFlow('poisoned', { origins, timeoutSeconds: 600 });
    let poisonous = '';
    const back = inventoryFails(({ transaction }) => transaction.endsWith(poisonous));
    const begun = await shop.begin('poisoned', [TEA]);
    poisonous = begun.name;
    await waitFor(async () => asked() >= 5, { what: 'calls in vain', deadlineMs: SEEN_MS });
    expect(await breaker()).toBe(0);
    const others = await Promise.all(Array.from({ length: 5 }, () => shop.begin('poisoned', [TEA])));
    await allFinal(others, DRAINED_MS, 'Succeeded');
    expect((await shop.transaction(begun.name))?.status?.decision).toBeUndefined();
    back();
    await allFinal([begun], DRAINED_MS, 'Succeeded');
  },
  TEST_MS,
);

test(
  'a few whose confirms always fail keep nobody waiting, once others were answered',
  async () => {
    const { shop, origins } = tapped;
    await shop.putFlow('poisonous', { origins, timeoutSeconds: 600 });
    const poisonous = new Set<string>();
    let begins = true;
    const back = inventoryFails(({ transaction, path }) => {
      if (begins) poisonous.add(transaction);
      return path.endsWith('/confirm') && poisonous.has(transaction);
    });
    const begun = await Promise.all(Array.from({ length: 4 }, () => shop.begin('poisonous', [TEA])));
    await waitFor(async () => (await breaker()) === 1, { what: 'the breaker to open', deadlineMs: SEEN_MS });
    begins = false;
    await allFinal([await shop.begin('poisonous', [TEA])], SEEN_MS, 'Succeeded');
    for (let nth = 0; nth < 5; nth += 1) {
      await allFinal([await shop.begin('poisonous', [TEA])], UNHINDERED_MS, 'Succeeded');
      expect(await breaker()).toBe(0);
    }
    back();
    for (const { name } of begun) await shop.final(name, SEEN_MS);
  },
  TEST_MS,
);

test(
  'what waits for it is asked for a few times a second, says so, and goes on at once when it is back',
  async () => {
    const { shop, origins } = tapped;
    const back = inventoryFails();
    await shop.putFlow('waiting', { origins, timeoutSeconds: 600, stuckAfterSeconds: 600, retry: SLOW_RETRY });
    const begun = await Promise.all(Array.from({ length: WAITING }, () => shop.begin('waiting', [TEA])));
    for (const { name } of begun) {
      await shop.transactionWhen(
        name,
        'to say what it waits for',
        ({ status }) => status?.waitingFor === 'inventory',
        SEEN_MS,
      );
    }
    expect(await breaker()).toBe(1);
    const [before, sinceMs] = [asked(), performance.now()];
    await seconds(5);
    const turns = asked() - before;
    expect(turns).toBeGreaterThanOrEqual(4);
    // One a second for as long as it was looked at, and one that began before.
    expect(turns).toBeLessThanOrEqual((performance.now() - sinceMs) / 1_000 + 1);

    const requested = begun.at(-1) as Begun;
    const token = { metadata: { annotations: { 'ordertx.dev/retry-requested-at': 'now' } } };
    const askedFor = (): number =>
      tapped.tap.seen.filter(({ transaction }) => transaction.endsWith(requested.name)).length;
    const calls = askedFor();
    expect(await shop.patch(requested.name, token)).toBe(200);
    await waitFor(async () => askedFor() > calls, { what: 'the attempt that was asked for', deadlineMs: 2_000 });

    back();
    await allFinal(begun, DRAINED_MS, 'Succeeded');
    expect(await breaker()).toBe(0);
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);

test(
  'the deadlines of what waits decide in time, and what was decided is carried out when it is back',
  async () => {
    const { shop, origins } = tapped;
    await shop.putFlow('impatient', { origins, timeoutSeconds: 5, stuckAfterSeconds: 600, retry: SLOW_RETRY });
    const back = inventoryFails();
    const first = await Promise.all(Array.from({ length: 3 }, () => shop.begin('impatient', [TEA])));
    await waitFor(async () => (await breaker()) === 1, { what: 'the breaker to open', deadlineMs: SEEN_MS });
    await seconds(3);
    const begun = await Promise.all(Array.from({ length: WAITING }, () => shop.begin('impatient', [TEA])));
    for (const { name } of [...first, ...begun]) {
      const { status } = await shop.transactionWhen(
        name,
        'to be decided',
        (each) => each.status?.decision !== undefined,
        15_000,
      );
      expect(status?.decisionReason).toBe('DeadlineExceeded');
    }
    back();
    await allFinal([...first, ...begun], DRAINED_MS, 'Cancelled');
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);

test(
  'a restarted controller asks each once before its deadline counts, a few a second',
  async () => {
    const { shop, origins } = tapped;
    await controller.part.process.stop();
    await shop.putFlow('late', { origins, timeoutSeconds: 1, stuckAfterSeconds: 600, retry: SLOW_RETRY });
    const back = inventoryFails();
    const begun = await Promise.all(Array.from({ length: 20 }, () => shop.begin('late', [TEA])));
    await seconds(2);
    controller = await tapped.startController();
    for (const { name } of begun) {
      const { status } = await shop.transactionWhen(
        name,
        'to be decided',
        (each) => each.status?.decision !== undefined,
        SEEN_MS,
      );
      expect(status?.decisionReason).toBe('DeadlineExceeded');
      const tries = tapped.tap.seen.filter(
        ({ to, path, transaction }) => to === 'inventory' && path.endsWith('/try') && transaction.endsWith(name),
      );
      expect(tries.length).toBe(1);
    }
    back();
    await allFinal(begun, DRAINED_MS, 'Cancelled');
  },
  TEST_MS,
);

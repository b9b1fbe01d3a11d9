/**
 * `npm run demo`: starts the whole system, runs the scenarios of demo/scenarios.ts on it, checks the invariants, stops everything.
 *
 * Exits 0 if every scenario went as told and every invariant holds; leaves nothing running.
 */
import { join } from 'node:path';
import { violationsOf } from '../tests/invariants/of-stack.ts';
import { SCENARIOS } from './demo/scenarios.ts';
import { DemoShop } from './demo/demo-shop.ts';
import { waitFor } from './deadline.ts';
import { onEnd } from './interruption.ts';
import { say } from './progress.ts';
import { startStack, type Stack } from './stack.ts';

/** Long enough for every scenario in which somebody pays, short enough to wait for those in which nobody does. */
const PAYMENT_TIMEOUT_SECONDS = 15;
/** Nobody wants to watch an order be held off while its payment page is open. */
const PAYMENT_GRACE_SECONDS = 1;
const REST_MS = 30_000;
const FOLDER = join(import.meta.dirname, '..', '.ordertx', 'demo');

async function run(stack: Stack): Promise<void> {
  const shop = new DemoShop(stack);
  for (const [index, { title, run: runScenario }] of SCENARIOS.entries()) {
    heading(`${index + 1}. ${title}`);
    await runScenario(shop);
  }
  heading(`${SCENARIOS.length + 1}. The invariants are checked`);
  await checkInvariantsOf(stack, shop);
}

async function checkInvariantsOf(stack: Stack, shop: DemoShop): Promise<void> {
  // What was told last may still be on its way.
  const atRest = async (): Promise<boolean> => (await violationsOf(stack)).length === 0;
  await waitFor(atRest, { what: 'the system to be at rest', deadlineMs: REST_MS }).catch(() => undefined);
  const violations = await violationsOf(stack);
  for (const { invariant, ids, says } of violations) console.log(`  ${invariant}: ${says} (${ids.join(', ')})`);
  if (violations.length > 0) throw new Error(`${violations.length} invariants are broken`);
  shop.tell(`All databases and all transactions agree: every unit of stock is accounted for, an order is paid exactly
    when its stock is sold, every captured payment is applied or refunded, points are granted once, and dispatch and
    warehouse hold exactly one lock or outbound for every order that lives.`);
}

function heading(text: string): void {
  console.log(`\n${text}\n${'='.repeat(text.length)}`);
}

async function demo(): Promise<void> {
  const end = onEnd();
  say('starting the whole system: API server, etcd, Postgres, Redis, services, controller');
  const serviceEnv = {
    order: {
      ORDER_PAYMENT_TIMEOUT_SECONDS: String(PAYMENT_TIMEOUT_SECONDS),
      ORDER_PAYMENT_GRACE_SECONDS: String(PAYMENT_GRACE_SECONDS),
    },
  };
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false, serviceEnv }, end.signal);
  const interrupted = end.reason.then((reason) => Promise.reject(new Error(reason)));
  const broken = stack.broken.then((error) => Promise.reject(error));
  try {
    await Promise.race([run(stack), interrupted, broken]);
  } finally {
    await stack.close();
  }
  console.log('\nEverything is stopped. `npm run up` starts the same system and keeps it.\n');
}

try {
  await demo();
  process.exit(0);
} catch (error) {
  say(`the demo ended early: ${(error as Error).message}. Logs: ${join(FOLDER, 'logs')}`);
  process.exit(1);
}

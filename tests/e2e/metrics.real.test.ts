/**
 * What every process says at /metrics after a shop has had its usual trouble, as Prometheus itself judges it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { Customers } from '../world/customers.ts';
import { findPrometheus, type PrometheusPrograms } from '../world/prometheus.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const run = promisify(execFile);

const DEADLINE_MS = 60_000;
const TEST_MS = 180_000;
const PROCESSES = [
  ...['controller', 'order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'],
] as const;
const REFERENCE = readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8');

let shop: Shop;
let customers: Customers;
let controller: RunningController;
let programs: PrometheusPrograms;

beforeAll(async () => {
  shop = await openShop('metrics', { services: ['payment', 'dispatch', 'wms', 'member', 'notification'] });
  programs = await findPrometheus(shop.group);
  customers = new Customers(shop);
  controller = await shop.startController({ name: 'measured' });
  await shop.stock('tea', 1_000);
}, 240_000);
afterAll(() => shop.close(), 60_000);

const CLEAN = { stdout: '', stderr: '' };
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 1_250 };

function urlOf(name: (typeof PROCESSES)[number]): string {
  if (name === 'controller') return controller.url;
  const service = shop.services[name];
  if (service === undefined) throw new Error(`the shop has no ${name}`);
  return service.url;
}

async function scrape(name: (typeof PROCESSES)[number]): Promise<string> {
  const answer = await fetch(`${urlOf(name)}/metrics`);
  return answer.text();
}

/** The names in a scrape, by its TYPE lines. */
function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '').toSorted();
}

/** The names in the reference's sections that say they are served by this process. */
function documentedFor(process: string): readonly string[] {
  return REFERENCE.split(/^## /m)
    .filter((section) => /^Served by: (.*?)\./m.exec(section)?.[1]?.includes(`\`${process}\``))
    .flatMap((section) => [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name ?? ''))
    .toSorted();
}

describe('after orders, one without stock, a retry and a payment', () => {
  beforeAll(async () => {
    // A participant that is away for a moment: its calls are repeated.
    const inventory = shop.services.inventory.part.process;
    inventory.kill('SIGSTOP');
    const delayed = customers.order([TEA]);
    await waitFor(
      async () => sumOf(await scrape('controller'), 'ordertx_participant_calls_total', { outcome: 'unknown' }) > 0,
      {
        what: 'a call without an answer',
        deadlineMs: DEADLINE_MS,
      },
    );
    inventory.kill('SIGCONT');
    const orderId = await delayed;
    await customers.statusIs(orderId, 'PENDING_PAYMENT');
    await customers.statusIs(await customers.order([{ ...TEA, skuId: 'none-left' }]), 'CANCELLED');
    await customers.pay(orderId);
    await customers.statusIs(orderId, 'PAID');
  }, TEST_MS);

  test.each(PROCESSES)('promtool has nothing to say against what %s serves', async (name) => {
    const promtool = run(programs.promtool, ['check', 'metrics']);
    promtool.child.stdin?.end(await scrape(name));
    // It says what is wrong on stderr, and exits with 3.
    expect(await promtool.catch((error: unknown) => error)).toEqual(CLEAN);
  });

  test.each(PROCESSES)('the reference tells of all that %s serves, and of nothing else', async (name) => {
    expect(namesIn(await scrape(name))).toEqual(documentedFor(name));
  });
});

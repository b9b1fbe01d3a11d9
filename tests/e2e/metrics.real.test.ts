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
import { startPrometheus } from '../world/prometheus-server.ts';
import { samplesOf, sumOf } from '../world/prometheus-text.ts';
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

/** The sum of what the controller has of a metric, or of some of its series. */
async function ofController(metric: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  return sumOf(await scrape('controller'), metric, labels);
}

describe('after orders, one without stock, a retry and a payment', () => {
  beforeAll(async () => {
    // A participant that is away for a moment: its calls are repeated.
    const inventory = shop.services.inventory.part.process;
    inventory.kill('SIGSTOP');
    const delayed = customers.order([TEA]);
    await waitFor(async () => (await ofController('ordertx_participant_calls_total', { outcome: 'unknown' })) > 0, {
      ...{ what: 'a call without an answer', deadlineMs: DEADLINE_MS },
    });
    inventory.kill('SIGCONT');
    const orderId = await delayed;
    await customers.statusIs(orderId, 'PENDING_PAYMENT');
    await customers.statusIs(await customers.order([{ ...TEA, skuId: 'none-left' }]), 'CANCELLED');
    await customers.pay(orderId);
    await customers.statusIs(orderId, 'PAID');
    await customers.atRest();
  }, TEST_MS);

  test('the controller tells what has become of them', async () => {
    expect(await ofController('ordertx_transactions_decided_total', { flow: 'create-order', reason: 'AllTried' })).toBe(
      1,
    );
    expect(await ofController('ordertx_transactions_decided_total', { flow: 'create-order', reason: 'Refused' })).toBe(
      1,
    );
    expect(await ofController('ordertx_transaction_duration_seconds_count', { phase: 'Succeeded' })).toBe(2);
    expect(await ofController('ordertx_transaction_status_writes_count')).toBe(3);
    expect(await ofController('ordertx_message_publications_total', { stream: 'wms', attempt: 'first' })).toBe(2);
    expect(await ofController('ordertx_message_receipts_total', { consumer: 'wms', result: 'delivered' })).toBe(2);
  });

  test('participants tell that nothing was left without an end, and every service how far its clock is from its database’s', async () => {
    const inventory = await scrape('inventory');
    expect(sumOf(inventory, 'ordertx_fence_calls_total', { outcome: 'done' })).toBeGreaterThan(0);
    expect(samplesOf(inventory, 'ordertx_fence_open_oldest_seconds').map(({ value }) => value)).toEqual([0]);
    for (const service of PROCESSES.slice(1)) {
      const skew = samplesOf(await scrape(service), 'ordertx_clock_skew_seconds');
      expect(skew.map(({ labels }) => labels.against)).toEqual(['database']);
      expect(Math.abs(skew[0]?.value ?? NaN)).toBeLessThan(1);
    }
  });

  test.each(PROCESSES)('promtool has nothing to say against what %s serves', async (name) => {
    const promtool = run(programs.promtool, ['check', 'metrics']);
    promtool.child.stdin?.end(await scrape(name));
    // It says what is wrong on stderr, and exits with 3.
    expect(await promtool.catch((error: unknown) => error)).toEqual(CLEAN);
  });

  test.each(PROCESSES)('the reference tells of all that %s serves, and of nothing else', async (name) => {
    expect(namesIn(await scrape(name))).toEqual(documentedFor(name));
  });

  test(
    'Prometheus takes what every process serves, and keeps the exemplars that lead from a slow transaction to its trace',
    async () => {
      const targets = PROCESSES.map((name) => [name, new URL(urlOf(name)).host] as const);
      const prometheus = await startPrometheus(shop.group, { targets: Object.fromEntries(targets) });
      const { transaction } = (await shop.order([TEA], 20)).body;
      const { metadata } = await shop.final(transaction);
      const [, traceId] = metadata.annotations?.['ordertx.dev/traceparent']?.split('-') ?? [];
      await waitFor(
        async () => {
          const exemplars = await prometheus.exemplars('ordertx_transaction_decision_seconds_bucket');
          return exemplars.some(
            ({ labels }) => labels.transaction === `${shop.namespace}/${transaction}` && labels.trace_id === traceId,
          );
        },
        { what: 'the exemplar of the transaction', deadlineMs: DEADLINE_MS },
      );
      const up = PROCESSES.map((name) => ({ name, health: 'up', lastError: '' }));
      // A scrape that a busy machine did not answer in time says nothing of what is served: the next one does.
      await waitFor(
        async () => {
          expect(await prometheus.targets()).toEqual(up.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
          return true;
        },
        { what: 'a scrape of every process that finds nothing wrong', deadlineMs: DEADLINE_MS },
      );
    },
    TEST_MS,
  );
});

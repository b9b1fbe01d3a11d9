/**
 * T6: what a transaction costs the API server, counted by the API server itself, on a control plane where nobody else is.
 *
 * Counted is everything but reads in our group and of Events, so a write that nobody thought of is seen as well.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { createNamespace } from '../../local/cluster.ts';
import { waitFor } from '../../local/deadline.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { samplesOf, sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';

const READS = new Set(['GET', 'LIST', 'WATCH']);
const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const GONE: Line = { skuId: 'gone', quantity: 1, unitPriceCents: 100 };
const SETTLED_MS = 30_000;
const SAMPLES = 100;
const WAIT_SECONDS = 30;

let own: OwnControlPlane;
let shop: Shop;
let controller: RunningController;

beforeAll(async () => {
  // Durable, or the latencies printed below would say nothing.
  own = await openControlPlane({ unsafeNoFsync: false });
  shop = await openShop('budget', { cluster: own.cluster });
  controller = await shop.startController();
  await shop.stock('tea', 1_000_000);
  await shop.stock('gone', 0);
  const flowIsHeld = async () => ((await shop.flow())?.metadata.finalizers ?? []).length > 0;
  await waitFor(flowIsHeld, { what: "the flow's finalizer", deadlineMs: SETTLED_MS });
  await live([TEA]);
}, 120_000);

afterAll(async () => {
  await shop.close();
  await own.close();
}, 60_000);

type Writes = Readonly<Record<string, number>>;

/** Of every kind of write the API server has ever answered here, how many; `PUT ordertransactions/status 200`. */
async function writes(): Promise<Writes> {
  const { body } = await own.admin.request('GET', '/metrics');
  const counts: Record<string, number> = {};
  for (const { labels, value } of samplesOf(String(body), 'apiserver_request_total')) {
    const { verb = '', group = '', resource = '', subresource = '', code = '' } = labels;
    if (READS.has(verb) || (group !== 'ordertx.dev' && resource !== 'events')) continue;
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`} ${code}`;
    counts[what] = (counts[what] ?? 0) + value;
  }
  return counts;
}

function difference(after: Writes, before: Writes): Writes {
  const entries = Object.entries(after).map(([what, count]) => [what, count - (before[what] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, count]) => count !== 0));
}

async function controllerIsIdle(): Promise<boolean> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  return sumOf(text, 'ordertx_participant_calls_under_way') === 0 && sumOf(text, 'workqueue_depth') === 0;
}

async function live(lines: readonly Line[]): Promise<string | undefined> {
  const { body } = await shop.order(lines, WAIT_SECONDS);
  return (await shop.final(body.transaction)).status?.phase;
}

/** The writes from now until what `act` did has come to its end and the controller has nothing left to do. */
async function writesOf(act: () => Promise<unknown>, expected: Writes): Promise<Writes> {
  const before = await writes();
  await act();
  await waitFor(controllerIsIdle, { what: 'the controller to be idle', deadlineMs: SETTLED_MS });
  const spent = async () => difference(await writes(), before);
  // The API server counts a request a moment after it has answered it.
  const counted = async () => Object.entries(expected).every(([what]) => what in lastSpent);
  let lastSpent = await spent();
  await waitFor(async () => ((lastSpent = await spent()), counted()), { what: 'the writes', deadlineMs: SETTLED_MS });
  return lastSpent;
}

/**
 * Does removal catch up after an outage of hours without anybody noticing?
 * `npm run drill:removal-outage [-- --overdue 100000 --hours 6 --lanes 2]`
 *
 * The controller is killed (kill -9), and so many transactions are stored as they end, in equal parts over the hours before. Then it is
 * started, and as many lanes of customers order as they did before the kill and do once all are gone: their median and 99th percentile
 * are compared, the API server's CPU beside them, and how many are removed a second, looked at every five.
 *
 * Fails when anything stays, when nothing was left to remove by the end of the comparison, when more than the limit are removed in a
 * second, or when the median has doubled.
 */
import { join } from 'node:path';
import { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { closedLoop, percentile } from '../bench/closed-loop.ts';
import { runCommand } from '../bench/command.ts';
import { cpuMsOf } from '../bench/cpu-time.ts';
import { readNumbers } from '../bench/number-options.ts';
import { openCustomers, type Customers } from '../bench/orders.ts';
import { keepFor } from '../bench/stored.ts';
import { adminKubeConfig } from '../world/api-client.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { storeEnded } from './stored-ended.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'drill');
/** ORDERTX_REMOVALS_PER_SECOND, as it is where nobody says otherwise; what is between two looks is not quite what was removed between them. */
const REMOVALS_PER_SECOND_MAX = 200 * 1.05;
const MEDIAN_TIMES_MAX = 2;
/** What the customers' own orders are kept for: none of them is to go meanwhile. */
const KEPT_SECONDS = 86_400;
const WARM_UP_MS = 15_000;
const COMPARED_MS = 30_000;
/** Shorter, and how long an answer takes would be a part of what is measured. */
const LOOK_EVERY_MS = 5_000;
const HOUR_MS = 3_600_000;
/** `2026-11-22T23:15` of an ISO time. */
const MINUTE_CHARS = 16;
/** Removal may take four times as long as its limit allows. */
const CAUGHT_UP_TIMES_MAX = 4;

interface Few {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the API server, in a second. */
  readonly cpuMs: number;
}

async function fewOrders(stack: Stack, customers: Customers, lanes: number, milliseconds: number): Promise<Few> {
  const { pid } = stack.description().apiserver;
  const [beforeMs, begunMs] = [cpuMsOf(pid), performance.now()];
  const { latenciesMs } = await closedLoop({ lanes, milliseconds, roundsMax: 1_000_000 }, () => customers.order());
  const seconds = (performance.now() - begunMs) / 1_000;
  return {
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    cpuMs: (cpuMsOf(pid) - beforeMs) / seconds,
  };
}

/** What comes first is left out: processes have just been started. */
async function warmOrders(stack: Stack, customers: Customers, lanes: number): Promise<Few> {
  await fewOrders(stack, customers, lanes, WARM_UP_MS);
  return fewOrders(stack, customers, lanes, COMPARED_MS);
}

function told({ p50Ms, p99Ms, cpuMs }: Few): string {
  return `a median of ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)}, the API server ${cpuMs.toFixed(0)} ms of CPU a second`;
}

async function removedBy(stack: Stack): Promise<number> {
  const [controller] = stack.business.controllers;
  const page = await (await fetch(`${String(controller?.url)}/metrics`)).text();
  return sumOf(page, 'ordertx_removals_total', { result: 'removed' });
}

/** What ends in the hours before now while nobody removes it. */
async function storeOverdue(stack: Stack, overdue: number, hours: number, signal: AbortSignal): Promise<void> {
  const transport = new HttpTransport({
    ...{ kubeConfig: adminKubeConfig(undefined, stack.cluster.kubeconfig), userAgent: 'drill' },
  });
  const firstMs = Date.now() - hours * HOUR_MS;
  const expires = (number: number): string => {
    const at = new Date(firstMs + (number / overdue) * hours * HOUR_MS);
    return `${at.toISOString().slice(0, MINUTE_CHARS)}Z`;
  };
  try {
    await storeEnded({ transport, namespace: 'default', count: overdue, expires, signal });
  } finally {
    await transport.close();
  }
}

/** Resolves once so many are gone, with the most that went in a second, from one look to the next. */
async function allRemoved(stack: Stack, overdue: number, signal: AbortSignal): Promise<number> {
  let [before, most] = [0, 0];
  let beforeMs = performance.now();
  const isDone = async (): Promise<boolean> => {
    const [removed, nowMs] = [await removedBy(stack), performance.now()];
    most = Math.max(most, ((removed - before) * 1_000) / (nowMs - beforeMs));
    [before, beforeMs] = [removed, nowMs];
    return removed >= overdue;
  };
  const deadlineMs = (CAUGHT_UP_TIMES_MAX * overdue * 1_000) / REMOVALS_PER_SECOND_MAX + COMPARED_MS;
  await waitFor(isDone, { what: 'all that piled up to be removed', deadlineMs, everyMs: LOOK_EVERY_MS, signal });
  return most;
}

async function drill(): Promise<void> {
  const { overdue, hours, lanes } = readNumbers({ overdue: 100_000, hours: 6, lanes: 2 });
  const end = onEnd();
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false, redis: { url: '' } }, end.signal);
  const customers = await openCustomers(stack);
  try {
    await keepFor(KEPT_SECONDS, stack);
    const before = await warmOrders(stack, customers, lanes);
    const [controller] = stack.business.controllers;
    if (controller === undefined) throw new Error('no controller was started');
    controller.part.process.kill('SIGKILL');
    await controller.part.process.exited;
    await storeOverdue(stack, overdue, hours, end.signal);

    await controller.part.restart();
    const startedMs = performance.now();
    const [most, beside] = await Promise.all([
      allRemoved(stack, overdue, end.signal),
      warmOrders(stack, customers, lanes).then(async (few) => {
        const left = overdue - (await removedBy(stack));
        say(`beside removal ${told(few)}; ${String(left)} were left then`);
        if (left <= 0) throw new Error('all were removed before customers were compared: take more --overdue');
        return few;
      }),
    ]);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    say(`all ${String(overdue)} were removed ${seconds} s after its start, at most ${most.toFixed(0)} in a second`);
    say(`before the kill ${told(before)}`);
    say(`once all were removed ${told(await warmOrders(stack, customers, lanes))}`);
    if (most > REMOVALS_PER_SECOND_MAX)
      throw new Error(`at most ${String(REMOVALS_PER_SECOND_MAX)} may be removed in a second`);
    if (beside.p50Ms > MEDIAN_TIMES_MAX * before.p50Ms) throw new Error('the median has doubled');
  } finally {
    await customers.close();
    await stack.close();
  }
}

await runCommand(drill);

/**
 * Does removal catch up after an outage without anybody noticing? `npm run drill:removal-outage [-- --orders 10000 --ttl 240 --lanes 50]`
 *
 * So many orders end, and the controller is killed (kill -9) before any of them may be removed; it stays away until all of them should
 * have been gone. Then it is started, and two lanes of customers order as they did before: their median is compared, the API server's CPU
 * beside it, and how many are removed a second. What has piled up is looked through page by page, whatever its age: an outage of hours
 * differs by nothing but the number. Fails when anything stays, when more than the limit are removed in a second, or when the median has doubled.
 */
import { join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { closedLoop, percentile } from '../bench/closed-loop.ts';
import { runCommand } from '../bench/command.ts';
import { cpuMsOf } from '../bench/cpu-time.ts';
import { readNumbers } from '../bench/number-options.ts';
import { openCustomers, type Customers } from '../bench/orders.ts';
import { keepFor, storedNow } from '../bench/stored.ts';
import { sumOf } from '../world/prometheus-text.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'drill');
/** ORDERTX_REMOVALS_PER_SECOND, as it is where nobody says otherwise; a second is a little longer at times. */
const REMOVALS_PER_SECOND_MAX = 200 * 1.1;
const MEDIAN_TIMES_MAX = 2;
const FEW_LANES = 2;
const COMPARED_MS = 15_000;
/** The minute it ends in, and the one after. */
const BESIDES_TTL_MS = 130_000;
const LOOK_EVERY_MS = 1_000;
const CAUGHT_UP_MS = 20 * 60_000;

interface Few {
  readonly p50Ms: number;
  /** Of the API server, in a second. */
  readonly cpuMs: number;
}

async function fewOrders(stack: Stack, customers: Customers): Promise<Few> {
  const { pid } = stack.description().apiserver;
  const [beforeMs, begunMs] = [cpuMsOf(pid), performance.now()];
  const { latenciesMs } = await closedLoop({ lanes: FEW_LANES, milliseconds: COMPARED_MS, roundsMax: 1_000_000 }, () =>
    customers.order(),
  );
  const seconds = (performance.now() - begunMs) / 1_000;
  return { p50Ms: percentile(latenciesMs, 0.5), cpuMs: (cpuMsOf(pid) - beforeMs) / seconds };
}

async function removedBy(stack: Stack): Promise<number> {
  const [controller] = stack.business.controllers;
  const page = await (await fetch(`${String(controller?.url)}/metrics`)).text();
  return sumOf(page, 'ordertx_removals_total', { result: 'removed' });
}

async function drill(): Promise<void> {
  const { orders, ttl, lanes } = readNumbers({ orders: 10_000, ttl: 240, lanes: 50 });
  const end = onEnd();
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false, redis: { url: '' } }, end.signal);
  const customers = await openCustomers(stack);
  const until = (what: string, deadlineMs: number, is: () => Promise<boolean>) =>
    waitFor(is, { what, deadlineMs, everyMs: LOOK_EVERY_MS, signal: end.signal });
  try {
    await keepFor(ttl, stack);
    const begunMs = performance.now();
    await closedLoop({ lanes, milliseconds: ttl * 1_000, roundsMax: orders }, () => customers.order());
    const before = await fewOrders(stack, customers);
    const [controller] = stack.business.controllers;
    if (controller === undefined) throw new Error('no controller was started');
    controller.part.process.kill('SIGKILL');
    const stored = await storedNow(stack);
    say(
      `${String(stored)} have ended after ${((performance.now() - begunMs) / 1_000).toFixed(0)} s; the controller is killed`,
    );
    const dueMs = performance.now() + ttl * 1_000 + BESIDES_TTL_MS;
    await until('all of them to be overdue', 2 * (dueMs - performance.now()), async () => performance.now() > dueMs);

    await controller.part.restart();
    const startedMs = performance.now();
    const removals: number[] = [];
    const timer = setInterval(() => {
      removedBy(stack).then(
        (removed) => removals.push(removed),
        () => undefined,
      );
    }, LOOK_EVERY_MS);
    const beside = await fewOrders(stack, customers);
    const left = await storedNow(stack);
    if (left < stored / 10)
      say('nearly all were removed meanwhile: take more --orders for a median beside the removal');
    await until('all that piled up to be removed', CAUGHT_UP_MS, async () => (await removedBy(stack)) >= stored);
    clearInterval(timer);
    const most = Math.max(...removals.map((removed, index) => removed - (removals[index - 1] ?? 0)));
    const seconds = (performance.now() - startedMs) / 1_000;
    say(
      `all were removed ${seconds.toFixed(0)} s after its start, at most ${String(most)} in a second; beside it ${String(FEW_LANES)} lanes had a median of ` +
        `${beside.p50Ms.toFixed(1)} ms (before ${before.p50Ms.toFixed(1)}), and the API server took ${beside.cpuMs.toFixed(0)} ms of CPU a second (before ${before.cpuMs.toFixed(0)})`,
    );
    if (most > REMOVALS_PER_SECOND_MAX)
      throw new Error(`at most ${String(REMOVALS_PER_SECOND_MAX)} may be removed in a second`);
    if (beside.p50Ms > MEDIAN_TIMES_MAX * before.p50Ms) throw new Error('the median has doubled');
  } finally {
    await customers.close();
    await stack.close();
  }
}

await runCommand(drill);

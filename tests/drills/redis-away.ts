/**
 * What does waiting cost? `npm run drill:redis-away [-- --orders 10000 --seconds 60 --lanes 40]`
 *
 * The whole system with Redis behind a proxy that refuses every connection. So many orders are placed, so that each has messages that
 * wait for the broker; then nothing is done for a while, and the controller's CPU time is what waiting costs. Then Redis is back, and
 * the time to the last transaction's end is taken. Fails when waiting takes more than a twentieth of a core, or a message is lost.
 */
import { join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { startStack } from '../../local/stack.ts';
import { runCommand } from '../bench/command.ts';
import { cpuTimes } from '../bench/cpu-time.ts';
import { openCustomers } from '../bench/orders.ts';
import { readNumbers } from '../bench/number-options.ts';
import { startTcpProxy } from '../world/tcp-proxy.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'drill');
/** Of one core, while nothing but the broker is waited for. */
const IDLE_SHARE_MAX = 0.05;
/** Each is marked Stuck 60 s after it was created: a write that is not the waiting's. */
const QUIET_AFTER_MS = 75_000;
const DRAIN_MS_MAX = 15 * 60_000;

/** What is measured is time that passes. */
async function passed(milliseconds: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + milliseconds;
  const isOver = async (): Promise<boolean> => performance.now() >= untilMs;
  await waitFor(isOver, { what: 'the time to pass', deadlineMs: 2 * milliseconds, everyMs: 250, signal });
}

async function drill(): Promise<void> {
  const { orders, seconds, lanes } = readNumbers({ orders: 10_000, seconds: 60, lanes: 40 });
  const end = onEnd();
  const group = await openProcessGroup();
  const redis = await startRedis(group, { url: '' });
  if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
  const proxy = await startTcpProxy(redis.port);
  const url = `redis://127.0.0.1:${String(proxy.port)}`;
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false, redis: { url } }, end.signal);
  const customers = await openCustomers(stack);
  try {
    proxy.break('cut');
    let placed = 0;
    const startedMs = performance.now();
    const lane = async (): Promise<void> => {
      while (placed < orders && !end.signal.aborted) {
        placed += 1;
        if (placed % 1_000 === 0) say(`${String(placed)} orders`);
        await customers.order();
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    say(
      `${String(placed)} orders in ${String(Math.round((performance.now() - startedMs) / 1_000))} s, their messages wait`,
    );
    await passed(QUIET_AFTER_MS, end.signal);
    const before = cpuTimes(stack.description());
    await passed(seconds * 1_000, end.signal);
    const after = cpuTimes(stack.description());
    const share = ((after.controller ?? 0) - (before.controller ?? 0)) / (seconds * 1_000);
    say(`waiting for the broker takes ${(100 * share).toFixed(1)} % of a core`);
    proxy.heal();
    const healedMs = performance.now();
    await waitFor(async () => (await customers.endedSoFar()) >= orders, {
      ...{ signal: end.signal, what: 'every transaction to be ended', deadlineMs: DRAIN_MS_MAX, everyMs: 250 },
    });
    const drainedSeconds = (performance.now() - healedMs) / 1_000;
    const controllerMs = (cpuTimes(stack.description()).controller ?? 0) - (after.controller ?? 0);
    say(
      `all ended ${drainedSeconds.toFixed(1)} s after it was back, ${(controllerMs / orders).toFixed(2)} ms of CPU each`,
    );
    if (share > IDLE_SHARE_MAX) throw new Error(`waiting may take ${String(100 * IDLE_SHARE_MAX)} % of a core`);
  } finally {
    await customers.close();
    await stack.close();
    await proxy.close();
    await group.close();
  }
}

await runCommand(drill);

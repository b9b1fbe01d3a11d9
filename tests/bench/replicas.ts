/**
 * What does a second replica cost? `npm run bench:replicas [-- --replicas 1,2,4 --seconds 10 --lanes 10]`
 *
 * First two controllers with one shard: one has all the work, and what the other spends for an order is what it costs to hear of all that
 * is another's. Then the whole system with so many controllers that share eight shards: the CPU time of each of them for an order of
 * all, and what they spend together with nothing to do.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { closedLoop, type LoopLimits } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { cpuMsOf } from './cpu-time.ts';
import { describeMachine } from './machine.ts';
import { openCustomers } from './orders.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
/** Divisible among 1, 2, 4 and 8. */
const SHARDS_SHARED = 8;
const SHARED_MS = 60_000;
const IDLE_SECONDS = 5;
/** By orders and not by time: Node compiles what is hot only after so many, in each of the replicas. */
const WARM_UP: LoopLimits = { lanes: 10, milliseconds: 60_000, roundsMax: 1_000 };

interface Numbers {
  readonly replicas: readonly number[];
  readonly seconds: number;
  readonly lanes: number;
}

function readNumbers(): Numbers {
  const { values } = parseArgs({
    options: {
      replicas: { type: 'string', default: '1,2,4' },
      seconds: { type: 'string', default: '10' },
      lanes: { type: 'string', default: '10' },
    },
  });
  const replicas = values.replicas.split(',').map(Number);
  const numbers = { replicas, seconds: Number(values.seconds), lanes: Number(values.lanes) };
  const { seconds, lanes } = numbers;
  if (![seconds, lanes].every((value) => value >= 1)) throw new Error('--seconds and --lanes must be numbers from 1');
  if (!replicas.every((count) => count >= 1 && SHARDS_SHARED % count === 0))
    throw new Error(`--replicas must be numbers that divide ${String(SHARDS_SHARED)}`);
  return numbers;
}

const spentBy = (stack: Stack): readonly number[] => stack.description().controllers.map(({ pid }) => cpuMsOf(pid));

/** What each has spent since. */
const since = (before: readonly number[], stack: Stack): readonly number[] =>
  spentBy(stack).map((ms, index) => ms - (before[index] ?? 0));

const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0);

/** Until each shard has one owner, and where they share, each as many as the others. */
async function shared(stack: Stack, shards: number): Promise<void> {
  const { controllers } = stack.description();
  const held = async (url: string) =>
    sumOf(await (await fetch(`${url}/metrics`)).text(), 'leader_election_master_status');
  await waitFor(
    async () => {
      const shares = await Promise.all(controllers.map(({ url }) => held(url)));
      return sum(shares) === shards && (shards === 1 || Math.min(...shares) * controllers.length === shards);
    },
    { what: 'an equal share for each', deadlineMs: SHARED_MS },
  );
}

/** Resolves with milliseconds of CPU for an order, of each replica. */
async function measure(
  replicas: number,
  shards: number,
  { seconds, lanes }: Numbers,
  abort: AbortSignal,
): Promise<readonly number[]> {
  const controllerEnv = { ORDERTX_LEADER_ELECTION: 'on', ORDERTX_SHARDS: String(shards) };
  const options = { folder: FOLDER, controllers: replicas, restart: false, redis: { url: '' }, controllerEnv };
  const stack = await startStack(options, abort);
  const customers = await openCustomers(stack);
  const order = () => (abort.aborted ? Promise.reject(new Error('interrupted')) : customers.order());
  try {
    await shared(stack, shards);
    await closedLoop(WARM_UP, order);
    const endedBefore = await customers.endedSoFar();
    const before = spentBy(stack);
    const { rounds } = await closedLoop({ lanes, milliseconds: seconds * 1_000, roundsMax: 1_000_000 }, order);
    await customers.ended(endedBefore + rounds);
    const each = since(before, stack).map((ms) => ms / rounds);
    const idleBefore = spentBy(stack);
    const untilMs = performance.now() + IDLE_SECONDS * 1_000;
    await waitFor(async () => performance.now() > untilMs, {
      ...{ signal: abort, what: 'the time to pass', deadlineMs: 2 * IDLE_SECONDS * 1_000, everyMs: 100 },
    });
    const idle = sum(since(idleBefore, stack)) / IDLE_SECONDS;
    say(
      `${String(replicas)} replicas, ${String(shards)} shards: ${each.map((ms) => ms.toFixed(2)).join(' + ')} = ${sum(each).toFixed(2)} ms an order, of ${String(rounds)} ` +
        `in ${String(seconds)} s; ${idle.toFixed(1)} ms a second with nothing to do`,
    );
    return each;
  } finally {
    await customers.close();
    await stack.close();
  }
}

async function bench(): Promise<void> {
  const numbers = readNumbers();
  const end = onEnd();
  const { cores, processor, loadAverage } = await describeMachine();
  say(`${String(cores)} cores (${processor}), load average before the start ${loadAverage.toFixed(1)}`);
  const both = await measure(2, 1, numbers, end.signal);
  const [working, hearing] = [Math.max(...both), Math.min(...both)];
  say(`to hear of what is another's costs ${((100 * hearing) / working).toFixed(0)} % of the work`);
  for (const replicas of numbers.replicas) await measure(replicas, SHARDS_SHARED, numbers, end.signal);
}

await runCommand(bench);

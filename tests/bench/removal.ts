/**
 * Do live objects stay bounded at full speed? `npm run bench:removal [-- --minutes 10 --lanes 50 --ttl 60 --kill-after SECONDS --archive]`
 *
 * The whole system under concurrent orders for so many minutes, its flows keeping what has ended for `ttl` seconds. Every ten seconds it
 * prints how many transactions the API server stores, as it says itself, and how large etcd's database is: in all, and what of it is in
 * use, for the API server has etcd forget what is older than five minutes. Fails when any are stored that ended longer ago than `ttl`, two
 * minutes and what is between two looks; that is, when removal does not keep up. With `--kill-after`, the controller is killed (kill -9)
 * after so many seconds and started again, and what it does until a minute later is not judged. With `--archive`, all that goes is kept in
 * a Postgres of its own before.
 */
import { join } from 'node:path';
import { onEnd } from '../../local/interruption.ts';
import { createDatabase, startPostgres } from '../../local/postgres.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { closedLoop } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { describeMachine } from './machine.ts';
import { readNumbers } from './number-options.ts';
import { openCustomers } from './orders.ts';
import { keepFor, storedNow } from './stored.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
const LOOK_EVERY_MS = 10_000;
/** The minute it ends in, the one it goes in, and what is between two looks, the remover's and those here. */
const BESIDES_TTL_SECONDS = 140;
/** A killed controller's Leases expire, and what was due meanwhile goes. */
const SPARED_SECONDS = 60;
/** Some looks at least. */
const JUDGED_SECONDS_MIN = 30;
const MEBIBYTE = 1024 ** 2;

type Options = ReturnType<typeof readOptions>;

function readOptions() {
  const numbers = readNumbers({ minutes: 10, lanes: 50, ttl: 60, 'kill-after': Infinity }, ['archive']);
  const { minutes, ttl, 'kill-after': killAfter } = numbers;
  const judgedFrom = ttl + BESIDES_TTL_SECONDS;
  const secondsMin = Math.max(judgedFrom, killAfter < Infinity ? killAfter + SPARED_SECONDS : 0) + JUDGED_SECONDS_MIN;
  if (minutes * 60 < secondsMin)
    throw new Error(
      `--minutes must be at least ${(secondsMin / 60).toFixed(1)}: what is stored is judged from ${String(judgedFrom)} s on (--ttl and ${String(BESIDES_TTL_SECONDS)}), ` +
        `and not in the ${String(SPARED_SECONDS)} s after --kill-after`,
    );
  return numbers;
}

interface Sight {
  readonly atMs: number;
  readonly ended: number;
  readonly stored: number;
  readonly etcdMiB: number;
  readonly inUseMiB: number;
}

/** @param ended how many orders were answered: their transactions end in the same second */
async function look(stack: Stack, ended: () => number): Promise<Sight> {
  const etcd = await (await fetch(`${stack.cluster.etcdUrl}/metrics`)).text();
  return {
    stored: await storedNow(stack),
    ended: ended(),
    atMs: performance.now(),
    etcdMiB: sumOf(etcd, 'etcd_mvcc_db_total_size_in_bytes') / MEBIBYTE,
    inUseMiB: sumOf(etcd, 'etcd_mvcc_db_total_size_in_use_in_bytes') / MEBIBYTE,
  };
}

/** How many of those that ended before this sight were due long enough by then to be gone. */
function overdue(sights: readonly Sight[], { atMs, ended, stored }: Sight, keptSeconds: number, lanes: number): number {
  const earlier = sights.filter((each) => each.atMs <= atMs - keptSeconds * 1_000).at(-1);
  return earlier === undefined ? 0 : Math.max(0, stored - lanes - (ended - earlier.ended));
}

async function startAgain({ business }: Stack): Promise<void> {
  const [controller] = business.controllers;
  if (controller === undefined) throw new Error('no controller was started');
  controller.part.process.kill('SIGKILL');
  await controller.part.process.exited;
  await controller.part.restart();
}

async function bench(): Promise<boolean> {
  const options = readOptions();
  if (!options.archive) return underLoad(options, {});
  const group = await openProcessGroup();
  try {
    const url = await createDatabase((await startPostgres(group)).url, 'archive');
    return await underLoad(options, { ARCHIVE_DATABASE_URL: url });
  } finally {
    await group.close();
  }
}

async function underLoad(options: Options, controllerEnv: Readonly<Record<string, string>>): Promise<boolean> {
  const { minutes, lanes, ttl, 'kill-after': killAfter } = options;
  const end = onEnd();
  const { cores, loadAverage } = await describeMachine();
  const stack = await startStack(
    { folder: FOLDER, controllers: 1, restart: false, redis: { url: '' }, controllerEnv },
    end.signal,
  );
  const customers = await openCustomers(stack);
  const sights: Sight[] = [];
  let ended = 0;
  try {
    await keepFor(ttl, stack);
    say(`${String(cores)} cores, load average before the start ${loadAverage.toFixed(1)}; ${String(lanes)} lanes`);
    const begunMs = performance.now();
    const timer = setInterval(() => {
      look(stack, () => ended).then(
        (sight) => {
          sights.push(sight);
          const { stored, etcdMiB, inUseMiB } = sight;
          const seconds = String(Math.round((sight.atMs - begunMs) / 1_000));
          const size = `etcd ${etcdMiB.toFixed(0)} MiB, in use ${inUseMiB.toFixed(0)}`;
          say(`${seconds} s: ended ${String(sight.ended)}, stored ${String(stored)}, ${size}`);
        },
        (error: unknown) => say(`a look failed: ${(error as Error).message}`),
      );
    }, LOOK_EVERY_MS);
    const killing = killAfter < Infinity ? setTimeout(() => void startAgain(stack), killAfter * 1_000) : undefined;
    const limits = { lanes, milliseconds: minutes * 60_000, roundsMax: 10_000_000 };
    await closedLoop(limits, async () => {
      if (end.signal.aborted) throw new Error('interrupted');
      await customers.order();
      ended += 1;
    });
    clearInterval(timer);
    clearTimeout(killing);
    const keptSeconds = ttl + BESIDES_TTL_SECONDS;
    const isSpared = (seconds: number): boolean => seconds >= killAfter && seconds < killAfter + SPARED_SECONDS;
    const judged = sights.filter(({ atMs }) => {
      const seconds = (atMs - begunMs) / 1_000;
      return seconds > keptSeconds && !isSpared(seconds);
    });
    if (judged.length === 0) throw new Error('no look could be judged: see what is said above of each');
    const worst = Math.max(...judged.map((sight) => overdue(sights, sight, keptSeconds, lanes)));
    const most = Math.max(...sights.map(({ stored }) => stored));
    say(
      `at most ${String(most)} were stored; at most ${String(worst)} of them had ended more than ${String(keptSeconds)} s before`,
    );
    return worst === 0;
  } finally {
    await customers.close();
    await stack.close();
  }
}

await runCommand(bench);

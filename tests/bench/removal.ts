/**
 * Do live objects stay bounded at full speed? `npm run bench:removal [-- --minutes 10 --lanes 50 --ttl 60]`
 *
 * The whole system under concurrent orders for so many minutes, its flows keeping what has ended for `ttl` seconds. Every ten seconds it
 * prints how many transactions the API server stores and how large etcd's database is. Fails when there are ever more than end in
 * `ttl`, two minutes and what one look takes, at the fastest minute's rate; that is, when removal does not keep up.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { closedLoop } from './closed-loop.ts';
import { describeMachine } from './machine.ts';
import { openCustomers, type Customers } from './orders.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
const LOOK_EVERY_MS = 10_000;
/** The minute it ends in, the one it goes in, and what is between two looks. */
const BESIDES_TTL_SECONDS = 150;
const MEBIBYTE = 1024 ** 2;

function readNumbers(): { readonly minutes: number; readonly lanes: number; readonly ttl: number } {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      lanes: { type: 'string', default: '50' },
      ttl: { type: 'string', default: '60' },
    },
  });
  const numbers = { minutes: Number(values.minutes), lanes: Number(values.lanes), ttl: Number(values.ttl) };
  if (!Object.values(numbers).every((value) => value >= 1)) throw new Error('each option must be a number from 1');
  return numbers;
}

async function keepFor(seconds: number, { cluster }: Stack): Promise<void> {
  const path = '/apis/ordertx.dev/v1alpha1/namespaces/default/transactionflows';
  for (const flow of ['create-order', 'pay-order', 'close-order']) {
    const change = { spec: { ttlSecondsAfterFinished: seconds } };
    const { status } = await cluster.admin.request('PATCH', `${path}/${flow}`, change);
    if (status !== 200) throw new Error(`changing the flow ${flow} was answered ${status}`);
  }
}

interface Sight {
  readonly atMs: number;
  readonly ended: number;
  readonly removed: number;
  readonly etcdMiB: number;
}

async function look({ cluster, business }: Stack, customers: Customers): Promise<Sight> {
  const etcd = await (await fetch(`${cluster.etcdUrl}/metrics`)).text();
  const pages = await Promise.all(business.controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return {
    atMs: performance.now(),
    ended: await customers.endedSoFar(),
    removed: pages.reduce((sum, page) => sum + sumOf(page, 'ordertx_removals_total'), 0),
    etcdMiB: sumOf(etcd, 'etcd_mvcc_db_total_size_in_bytes') / MEBIBYTE,
  };
}

/** The most that ended in a second, over any minute or so. */
function fastest(sights: readonly Sight[]): number {
  const apart = 6;
  const rates = sights.slice(apart).map((each, index) => {
    const before = sights[index] as Sight;
    return (each.ended - before.ended) / ((each.atMs - before.atMs) / 1_000);
  });
  return Math.max(0, ...rates);
}

async function bench(): Promise<boolean> {
  const { minutes, lanes, ttl } = readNumbers();
  const end = onEnd();
  const { cores, loadAverage } = await describeMachine();
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false, redis: { url: '' } }, end.signal);
  const customers = await openCustomers(stack);
  const sights: Sight[] = [];
  try {
    await keepFor(ttl, stack);
    say(`${String(cores)} cores, load average before the start ${loadAverage.toFixed(1)}; ${String(lanes)} lanes`);
    const begunMs = performance.now();
    const timer = setInterval(() => {
      void look(stack, customers).then((sight) => {
        sights.push(sight);
        const { ended, removed, etcdMiB } = sight;
        const seconds = Math.round((sight.atMs - begunMs) / 1_000);
        say(
          `${String(seconds)} s: ended ${ended}, removed ${removed}, stored ${ended - removed}, etcd ${etcdMiB.toFixed(0)} MiB`,
        );
      });
    }, LOOK_EVERY_MS);
    const limits = { lanes, milliseconds: minutes * 60_000, roundsMax: 10_000_000 };
    await closedLoop(limits, () => (end.signal.aborted ? Promise.reject(new Error('interrupted')) : customers.order()));
    clearInterval(timer);
    const bound = Math.ceil(fastest(sights) * (ttl + BESIDES_TTL_SECONDS));
    const most = Math.max(...sights.map(({ ended, removed }) => ended - removed));
    say(
      `at most ${String(most)} ended ones were stored; ${String(bound)} are what ends in ${String(ttl + BESIDES_TTL_SECONDS)} s`,
    );
    return most <= bound;
  } finally {
    await customers.close();
    await stack.close();
  }
}

try {
  process.exit((await bench()) ? 0 : 1);
} catch (error) {
  say((error as Error).message);
  process.exit(1);
}

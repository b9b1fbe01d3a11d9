/**
 * An API server that answers everything in 3.5 s, for minutes: `npm run drill:slow-api-server [-- --seconds 180 --answers 3500]`
 *
 * A shop on a control plane of its own, with tokens, Leases (four shards) and two controllers, gets an order every two
 * seconds: while the API server is quick, while every one of its answers is late, and while it is quick again. In the middle
 * of the slow time one controller is killed with -9 and started again, whose whole start is slow then.
 *
 * It passes when every order was carried to its end, none was cancelled, and all data agree.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kubectl } from '../../local/cluster.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { percentile } from '../bench/closed-loop.ts';
import { openControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { startTcpProxy } from '../world/tcp-proxy.ts';

const QUICK_SECONDS = 20;
const ORDER_EVERY_MS = 2_000;
/** From the last order on: well above what its way takes with slow answers. */
const ENDS_MS = 120_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

interface OrderResult {
  readonly transaction: string;
  readonly phase: string | undefined;
  readonly seconds: number;
}

async function orderOne(shop: Shop): Promise<OrderResult> {
  const startedMs = performance.now();
  const { body } = await shop.order([TEA]);
  const { status } = await shop.final(body.transaction, ENDS_MS);
  return { transaction: body.transaction, phase: status?.phase, seconds: (performance.now() - startedMs) / 1000 };
}

/** Orders begun in this time, one after another, and how each of them ended. */
async function ordersFor(shop: Shop, milliseconds: number, signal: AbortSignal): Promise<readonly OrderResult[]> {
  const startedMs = performance.now();
  const orders: Promise<OrderResult>[] = [];
  await waitFor(
    async () => {
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs < milliseconds && elapsedMs >= orders.length * ORDER_EVERY_MS) orders.push(orderOne(shop));
      return elapsedMs >= milliseconds;
    },
    { what: 'the time for orders to be over', deadlineMs: 2 * milliseconds, giveUp: () => signal.throwIfAborted() },
  );
  return Promise.all(orders);
}

function report(what: string, orders: readonly OrderResult[]): boolean {
  const good = orders.filter(({ phase }) => phase === 'Succeeded');
  const seconds = orders.map((each) => each.seconds);
  const figures = [0.5, 0.99, 1].map((share) => percentile(seconds, share).toFixed(1));
  console.log(
    `${what.padEnd(22)} ${good.length} of ${orders.length} orders ended well; from POST to the stored end p50 ${figures[0]} s, p99 ${figures[1]} s, longest ${figures[2]} s`,
  );
  for (const { transaction, phase } of orders) {
    if (phase !== 'Succeeded') console.log(`  ${transaction} ended ${phase}`);
  }
  return good.length === orders.length;
}

async function metric(controllers: readonly RunningController[], name: string, labels = {}): Promise<number> {
  const texts = await Promise.all(controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return texts.reduce((sum, text) => sum + sumOf(text, name, labels), 0);
}

async function drill(seconds: number, answersMs: number, signal: AbortSignal): Promise<boolean> {
  const group = await openProcessGroup();
  const own = await openControlPlane();
  const proxy = await startTcpProxy(Number(new URL(own.plane.url).port));
  const keySetFile = join(group.folder, 'jwks.json');
  await writeFile(keySetFile, await kubectl(own.cluster, 'get', '--raw', '/openid/v1/jwks'));
  const apiServerThrough = `https://127.0.0.1:${proxy.port}`;
  const shop = await openShop('drill', { cluster: own.cluster, apiServerThrough, ownServers: true, keySetFile });
  try {
    await shop.stock(TEA.skuId, 1_000_000);
    const env = { ORDERTX_LEADER_ELECTION: 'on', ORDERTX_SHARDS: '4' };
    const controllers = [await shop.startController({ env }), await shop.startController({ env })];
    const good = [report('quick', await ordersFor(shop, QUICK_SECONDS * 1000, signal))];

    proxy.delayAnswers(answersMs);
    const half = (seconds * 1000) / 2;
    good.push(report(`answers in ${answersMs} ms`, await ordersFor(shop, half, signal)));
    const victim = controllers[1]?.part;
    victim?.process.kill('SIGKILL');
    const restarted = victim?.restart();
    good.push(report('  one killed with -9', await ordersFor(shop, half, signal)));
    await restarted;
    const calls = await metric(controllers, 'ordertx_participant_calls_total', { operation: 'try' });
    console.log(`${''.padEnd(22)} ${calls} tries in all since each of the controllers started`);

    proxy.delayAnswers(0);
    good.push(report('quick again', await ordersFor(shop, QUICK_SECONDS * 1000, signal)));
    const violations = await shop.violations();
    console.log(`${'all data'.padEnd(22)} ${violations.length === 0 ? 'agree' : JSON.stringify(violations)}`);
    return good.every(Boolean) && violations.length === 0;
  } finally {
    await shop.close();
    await proxy.close();
    await own.close();
    await group.close();
  }
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '180' }, answers: { type: 'string', default: '3500' } },
});
const [seconds, answersMs] = [Number(values.seconds), Number(values.answers)];
if (!(seconds >= 20) || !(answersMs >= 0)) {
  console.error('--seconds must be a number of at least 20, --answers a number of milliseconds');
  process.exit(2);
}
const { signal, reason } = onEnd();
void reason.then((why) => say(`stopping: ${why}`));
process.exit((await drill(seconds, answersMs, signal)) ? 0 : 1);

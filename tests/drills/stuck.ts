/**
 * What do ten thousand cost that are stuck, and whose sentences alternate? `npm run drill:stuck [-- --transactions 10000 --seconds 60 --lanes 32]`
 *
 * So many transactions behind a participant that answers 503, then nothing, then 425, at random. Once all are Stuck the API server's own
 * count of status writes is read every ten seconds.
 *
 * Fails where ten seconds have more than 200 status writes a second for 10,000; in proportion for others.
 */
import type { ServerResponse } from 'node:http';
import { answerState, startParticipant } from '../../controller/src/participants/loopback-participant.ts';
import { FLOWS, pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import { grantAccess } from '../../local/access.ts';
import { startController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { freePort } from '../../local/ports.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { runCommand } from '../bench/command.ts';
import { readNumbers } from '../bench/number-options.ts';
import { adminKubeConfig, expectOk } from '../world/api-client.ts';
import { openControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';

const NAMESPACE = 'default';
const WRITES_A_SECOND_MAX = 200;
const PER = 10_000;
const WINDOW_SECONDS = 10;
const SETTLED_MS = 10 * 60_000;
const DAY_SECONDS = 86_400;
const CALL_SECONDS = 1;

/** 503, nothing until the call's time-out, or 425. */
function answerBadly(response: ServerResponse): void {
  const kind = Math.random() * 3;
  if (kind < 1) response.writeHead(503).end();
  else if (kind < 2) response.writeHead(425).end();
}

function flowOf(well: string, bad: string): object {
  const at = (name: string, url: string) => ({
    ...{ name, path: '/tcc/stuck', endpoint: { url }, timeoutSeconds: CALL_SECONDS, maxConcurrency: 256 },
  });
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: 'stuck' } },
    spec: { timeoutSeconds: DAY_SECONDS, participants: [at('order', well), at('inventory', bad)] },
  };
}

function transactionOf(number: number): object {
  const orderId = `o${String(number)}`;
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: `create-${orderId}` } },
    spec: { flow: 'stuck', orderId, payload: { orderId, userId: 'u1', lines: [], totalCents: 0 } },
  };
}

async function drill(): Promise<void> {
  const { transactions, seconds, lanes } = readNumbers({ transactions: 10_000, seconds: 60, lanes: 32 });
  const { signal } = onEnd();
  const own = await openControlPlane();
  const group = await openProcessGroup();
  const well = await startParticipant((response) => answerState(response, 'Tried'));
  const bad = await startParticipant((response) => answerBadly(response));
  const transport = new HttpTransport({
    kubeConfig: adminKubeConfig(undefined, own.cluster.kubeconfig),
    userAgent: 'drill',
  });
  const until = (what: string, deadlineMs: number, everyMs: number, is: () => Promise<boolean>) =>
    waitFor(is, { what, deadlineMs, everyMs, signal });
  const statusWrites = async (): Promise<number> => {
    const { body } = await own.admin.request('GET', '/metrics');
    const labels = { resource: 'ordertransactions', subresource: 'status', verb: 'PUT' };
    return sumOf(String(body), 'apiserver_request_total', labels);
  };
  try {
    const redis = await startRedis(group, { url: '' });
    const access = await grantAccess(own.plane, NAMESPACE, group.folder);
    await expectOk(transport, {
      method: 'POST',
      path: pathOf(FLOWS, NAMESPACE),
      body: flowOf(well.origin, bad.origin),
    });
    const { url } = await startController(group, {
      ...{ name: 'controller', port: await freePort(), kubeconfig: access.controllerKubeconfig, redisUrl: redis.url },
      ...{ namespaces: [NAMESPACE], allowEndpoints: [well.origin, bad.origin] },
      env: { LOG_LEVEL: 'error' },
    });
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < transactions && !signal.aborted) {
        next += 1;
        await expectOk(transport, { method: 'POST', path: pathOf(TRANSACTIONS, NAMESPACE), body: transactionOf(next) });
      }
    };
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: lanes }, lane));
    say(`${String(transactions)} are stored after ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
    await until('every transaction to be Stuck', SETTLED_MS, 1_000, async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return sumOf(text, 'ordertx_transactions_stuck', { flow: 'stuck' }) >= transactions;
    });
    say(`all are Stuck after ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
    const rates: number[] = [];
    for (let window = 0; window * WINDOW_SECONDS < seconds; window += 1) {
      const [before, fromMs] = [await statusWrites(), performance.now()];
      await until('the time to pass', 2 * WINDOW_SECONDS * 1_000, 100, async () => {
        return performance.now() - fromMs >= WINDOW_SECONDS * 1_000;
      });
      rates.push(((await statusWrites()) - before) / ((performance.now() - fromMs) / 1_000));
    }
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    say(
      `status writes a second, every ${String(WINDOW_SECONDS)} s: ${rates.map((rate) => rate.toFixed(0)).join(' ')}; on the average ${mean.toFixed(0)}`,
    );
    const allowed = (WRITES_A_SECOND_MAX * transactions) / PER;
    if (Math.max(...rates) > allowed) throw new Error(`${allowed.toFixed(0)} a second are enough`);
  } finally {
    await transport.close();
    await group.close();
    await own.close();
    await Promise.all([well.stop(), bad.stop()]);
  }
}

await runCommand(drill);

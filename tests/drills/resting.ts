/**
 * What do resting transactions cost the controller? `npm run drill:resting [-- --objects 50000 --lanes 32]`
 *
 * A controller is started in a cluster without transactions and its memory taken; then in the same one with so many that have ended and
 * are not removed yet. Fails when it then holds any of them, or takes a tenth more memory.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
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
import { adminKubeConfig } from '../world/api-client.ts';
import { openControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';

const NAMESPACE = 'default';
const MORE_MEMORY_MAX = 1.1;
const MEBIBYTE = 1024 ** 2;
/** After it has started, until garbage is collected. */
const QUIET_MS = 20_000;

async function storeResting(transport: HttpTransport, number: number): Promise<void> {
  const payload = {
    orderId: `o${number}`,
    lines: [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }],
    totalCents: 450,
  };
  const path = pathOf(TRANSACTIONS, NAMESPACE);
  const created = await transport.request<OrderTransaction>({
    ...{ method: 'POST', path },
    body: {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: `create-o${number}` } },
      spec: { flow: 'create-order', orderId: `o${number}`, payload },
    },
  });
  if (created.kind !== 'ok') throw new Error(JSON.stringify(created));
  // Its end in one write: all that counts here is that it rests.
  const body = { ...created.body, status: { expires: '2126-01-01T00:00Z' } };
  const ended = await transport.request({ method: 'PUT', path: `${path}/create-o${number}/status`, body });
  if (ended.kind !== 'ok') throw new Error(JSON.stringify(ended));
}

async function drill(): Promise<void> {
  const { objects, lanes } = readNumbers({ objects: 50_000, lanes: 32 });
  const end = onEnd();
  const own = await openControlPlane();
  const group = await openProcessGroup();
  const kubeConfig = adminKubeConfig(undefined, own.cluster.kubeconfig);
  const transport = new HttpTransport({ kubeConfig, userAgent: 'drill' });
  try {
    const redis = await startRedis(group, { url: '' });
    const access = await grantAccess(own.plane, NAMESPACE, group.folder);
    const memoryOfController = async (name: string): Promise<number> => {
      const controller = await startController(group, {
        ...{ name, port: await freePort(), kubeconfig: access.controllerKubeconfig, redisUrl: redis.url },
        ...{ namespaces: [NAMESPACE], allowEndpoints: [] },
      });
      const page = async () => (await fetch(`${controller.url}/metrics`)).text();
      const untilMs = performance.now() + QUIET_MS;
      await waitFor(async () => performance.now() > untilMs, {
        ...{ signal: end.signal, what: 'it to be quiet', deadlineMs: 2 * QUIET_MS, everyMs: 500 },
      });
      const text = await page();
      controller.part.process.kill('SIGKILL');
      await controller.part.process.exited;
      const held = sumOf(text, 'ordertx_transactions');
      if (held > 0) throw new Error(`the controller holds ${String(held)} transactions that rest`);
      return sumOf(text, 'process_resident_memory_bytes') / MEBIBYTE;
    };
    const without = await memoryOfController('without');
    say(`${without.toFixed(0)} MiB without any`);
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < objects && !end.signal.aborted) {
        next += 1;
        if (next % 5_000 === 0) say(`${String(next)} are stored`);
        await storeResting(transport, next);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const beside = await memoryOfController('beside');
    say(`${beside.toFixed(0)} MiB beside ${String(objects)} that rest`);
    if (beside > MORE_MEMORY_MAX * without)
      throw new Error(`it may be ${String(MORE_MEMORY_MAX)} of the memory without them`);
  } finally {
    await transport.close();
    await group.close();
    await own.close();
  }
}

await runCommand(drill);

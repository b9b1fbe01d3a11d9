/**
 * What do resting transactions cost the controller? `npm run drill:resting [-- --objects 50000]`
 *
 * A controller is started in a cluster without transactions and its memory taken; then in the same one with so many that have ended and
 * are not removed yet. Fails when it then holds any of them, or takes a tenth more memory.
 */
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
import { storeEnded } from './stored-ended.ts';

const NAMESPACE = 'default';
const MORE_MEMORY_MAX = 1.1;
const NEVER_DUE = '2126-01-01T00:00Z';
const MEBIBYTE = 1024 ** 2;
/** After it has started, until garbage is collected. */
const QUIET_MS = 20_000;

async function drill(): Promise<void> {
  const { objects } = readNumbers({ objects: 50_000 });
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
    await storeEnded({
      ...{ transport, namespace: NAMESPACE, count: objects, signal: end.signal },
      expires: () => NEVER_DUE,
    });
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

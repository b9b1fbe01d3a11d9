/**
 * The system in a cluster, as a shop's customers and operators see it: each service by a port that kubectl forwards.
 *
 * A forwarded port ends in the pod itself, so network policies do not stand in its way, and no address of the cluster's has to be
 * reachable from here.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { Place } from '../demo/demo-shop.ts';
import { runPart, type Part } from '../parts.ts';
import { freePort } from '../ports.ts';
import { inheritedEnvironment, type ProcessGroup } from '../process-group.ts';
import type { ServiceName } from '../services.ts';
import type { Target } from './release.ts';

export type OpenPlace = Place & { readonly close: () => Promise<void> };

/** Where the chart serves what. */
const PORTS = { public: 'http', operators: 'admin' } as const;
/** Whom the demo's customer meets. */
const VISITED: readonly ServiceName[] = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'];
const FORWARDED_MS = 30_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const CONNECT_MS = 2_000;

export async function openPlace(target: Target, group: ProcessGroup): Promise<OpenPlace> {
  const { kubeconfig, namespace, release } = target;
  const own = ['--kubeconfig', kubeconfig, '--namespace', namespace];
  const kubectl = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('kubectl', [...own, ...args], { maxBuffer: OUTPUT_BYTES_MAX })).stdout;

  const forward = async (service: ServiceName): Promise<Forwarded> => {
    const labels = `app.kubernetes.io/instance=${release},app.kubernetes.io/component=${service}`;
    const found = (await kubectl('get', 'service', '--selector', labels, '--output', 'name')).trim();
    if (!/^service\/\S+$/.test(found))
      throw new Error(`release ${release} in namespace ${namespace} has no one Service of ${service}: "${found}"`);
    const [open, operators] = [await freePort(), await freePort()];
    const ports = [`${open}:${PORTS.public}`, `${operators}:${PORTS.operators}`];
    const spec = {
      ...{ name: `port-forward-${service}`, command: 'kubectl', env: inheritedEnvironment(), leaf: true },
      args: [...own, 'port-forward', found, ...ports],
    };
    const urls = { public: `http://127.0.0.1:${open}`, operators: `http://127.0.0.1:${operators}` };
    const part = await runPart(group, { spec, ready: () => answers(urls.public), readyMs: FORWARDED_MS });
    return { service, part, urls };
  };
  const forwarded = await Promise.all(VISITED.map(forward));
  const byService = new Map(forwarded.map((each) => [each.service, each.urls]));

  return {
    kubectl,
    urlOf(service, side) {
      const urls = byService.get(service);
      if (urls === undefined) throw new Error(`no port is forwarded to ${service}`);
      return urls[side];
    },
    async transaction(name) {
      const found = await kubectl('get', 'ordertransaction', name, '--ignore-not-found', '--output', 'json');
      return found.trim() === '' ? undefined : (JSON.parse(found) as OrderTransaction);
    },
    async close() {
      await Promise.all(forwarded.map(({ part }) => part.process.stop()));
    },
  };
}

type Forwarded = {
  readonly service: ServiceName;
  readonly part: Part;
  readonly urls: Readonly<Record<keyof typeof PORTS, string>>;
};

/** Whatever it answers: that there is somebody is enough, for a release that was waited for. */
async function answers(url: string): Promise<boolean> {
  await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(CONNECT_MS) });
  return true;
}

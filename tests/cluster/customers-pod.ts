/**
 * The pod that in-pod/customers.ts runs in: brought in, looked at, and sent home.
 *
 * It goes by the names of Services, as any client in the cluster does, and is let in by its label.
 */
import { build } from 'esbuild';
import { join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import type { Cluster } from './cluster.ts';
import type { Summary } from './in-pod/customers.ts';
import { restrictedPod } from './pods.ts';

export type { Summary } from './in-pod/customers.ts';

const NAME = 'ordertx-test-customers';
const SKU = 'ordertx-test';
const STOCKED = 1_000_000;
const BEGIN_MS = 120_000;
/** As long as a customer insists on one thing, and some. */
const LEAVE_MS = 180_000;

export class CustomersPod {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Resolves when the first of them has received what he ordered. */
  static async begin(cluster: Cluster, image: string): Promise<CustomersPod> {
    const { release, namespace } = cluster.target;
    await CustomersPod.clear(cluster);
    const { outputFiles } = await build({
      ...{ entryPoints: [join(import.meta.dirname, 'in-pod', 'customers.ts')], bundle: true, write: false },
      ...{ platform: 'node', format: 'esm', target: 'node24' },
    });
    const text = outputFiles[0]?.text ?? '';
    const metadata = { name: NAME, namespace };
    await cluster.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'customers.mjs': text } });
    await stock(cluster);
    const services = {
      order: { url: `http://${release}-order:8080` },
      payment: { url: `http://${release}-payment:8080` },
      wms: { url: `http://${release}-wms:8081` },
    };
    const env = { SERVICES: JSON.stringify(services), SKU };
    await cluster.apply(
      restrictedPod({
        name: NAME,
        image,
        command: ['node', '/files/customers.mjs'],
        env,
        configMap: NAME,
        isClient: true,
      }),
    );
    const pod = new CustomersPod(cluster);
    await pod.received(1);
    return pod;
  }

  static async clear(cluster: Cluster): Promise<void> {
    await cluster.kubectl(['delete', `pod/${NAME}`, `configmap/${NAME}`, '--ignore-not-found', '--grace-period=1']);
  }

  /** How it goes so far. */
  async soFar(): Promise<Summary> {
    const last = (await this.#cluster.kubectl(['logs', NAME, '--tail=1'])).trim();
    return JSON.parse(last) as Summary;
  }

  /** Waits until so many more orders than by now have gone their whole way. */
  async received(more: number): Promise<Summary> {
    const before = await this.soFar().then(
      ({ received }) => received,
      () => 0,
    );
    return waitFor(
      async () => {
        const now = await this.soFar();
        if (now.complaints.length > 0) throw new Error(now.complaints[0]);
        return now.received >= before + more && now;
      },
      { what: `${more} more orders to be received`, deadlineMs: BEGIN_MS, everyMs: 500 },
    );
  }

  /** They finish what they have begun. */
  async leave(): Promise<Summary> {
    const signal = 'process.kill(1, "SIGUSR1")';
    await this.#cluster.kubectl(['exec', NAME, '--', 'node', '--eval', signal]);
    const isOver = async (): Promise<boolean> => {
      const { status } = await this.#cluster.get<{ readonly status: { readonly phase: string } }>('pod', NAME);
      return status.phase === 'Succeeded' || status.phase === 'Failed';
    };
    await waitFor(isOver, { what: 'the customers to leave', deadlineMs: LEAVE_MS, everyMs: 500 });
    const summary = await this.soFar();
    await CustomersPod.clear(this.#cluster);
    return summary;
  }
}

/** There is enough of it. */
async function stock(cluster: Cluster): Promise<void> {
  const { metadata } = await cluster.podOf('inventory');
  const put = `const answer = await fetch('http://127.0.0.1:8081/stock/${SKU}', {
    method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ stocked: ${STOCKED} }) });
  if (!answer.ok) throw new Error(answer.status + ' ' + (await answer.text()));`;
  await cluster.inPod(metadata.name, put);
}

/**
 * From sources to an order that was shipped.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ProcessGroup } from '../../../local/process-group.ts';
import { buildAndLoad, imagesOf, install, run, shipAnOrder, testRelease } from '../../../local/try-out/steps.ts';
import { isReady, type Cluster } from '../cluster.ts';
import type { Wanted } from '../options.ts';
import type { Step } from '../report.ts';

const STORES = join(import.meta.dirname, '..', 'stores');
const MEGABYTE = 1e6;

/** What the chart is told where the nodes have the stores' images from here. */
export const storesImage = (store: 'postgres' | 'redis'): string => `ordertx/try-${store}`;

export type ReleaseOptions = {
  readonly cluster: Cluster;
  readonly wanted: Wanted;
  readonly group: ProcessGroup;
  readonly signal: AbortSignal;
};

async function buildStores({ cluster, wanted, signal }: ReleaseOptions, base: string): Promise<void> {
  for (const store of ['postgres', 'redis'] as const) {
    const image = `${storesImage(store)}:${cluster.target.tag}`;
    const target = ['--target', store, '--tag', image, '--build-arg', `DEBIAN_IMAGE=${base}`];
    await run([...wanted.docker, 'build', ...target, ...wanted.buildArgs, STORES], signal);
    await run([...wanted.load, image], signal);
  }
}

/** Of the images that the release is upgraded to: the same ones by another name. */
export const nextTag = (tag: string): string => `${tag}-next`;

async function loadNext({ cluster, wanted, signal }: ReleaseOptions): Promise<void> {
  const { tag } = cluster.target;
  const next = imagesOf(nextTag(tag));
  for (const [index, image] of imagesOf(tag).entries()) {
    await run([...wanted.docker, 'tag', image, next[index] ?? ''], signal);
    await run([...wanted.load, next[index] ?? ''], signal);
  }
}

/** The largest of them, in words. */
async function largest({ docker: [program = 'docker', ...global] }: Wanted, tag: string): Promise<string> {
  const images = imagesOf(tag);
  const args = [...global, 'image', 'inspect', '--format', '{{.Size}}', ...images];
  const { stdout } = await promisify(execFile)(program, args);
  const sizes = stdout.trim().split('\n').map(Number);
  return `${images.length} images, the largest of ${(Math.max(...sizes) / MEGABYTE).toFixed(0)} MB`;
}

export function releaseSteps(options: ReleaseOptions): readonly Step[] {
  const { cluster, wanted, group, signal } = options;
  const { target } = cluster;
  return [
    {
      name: 'images are built and loaded',
      run: async () => {
        const { load, docker, buildArgs } = wanted;
        await buildAndLoad({ tag: target.tag, load, docker, buildArgs }, signal);
        if (wanted.stores !== undefined) await buildStores(options, wanted.stores);
        await loadNext(options);
        return largest(wanted, target.tag);
      },
    },
    {
      name: 'helm upgrade --install --wait, in a namespace that enforces Restricted',
      run: async () => {
        await restrict(cluster);
        await install(target, signal);
        const pods = await cluster.pods();
        const waiting = pods.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name);
        if (waiting.length > 0) throw new Error(`helm is done, and not ready are ${waiting.join(', ')}`);
        return `${pods.length} pods are ready`;
      },
    },
    {
      name: 'helm test',
      run: async () => {
        await testRelease(target, signal);
        return 'everybody is ready, and what must not be stored or deleted was refused';
      },
    },
    {
      name: 'an order is placed, paid, shipped and received',
      run: async () => {
        await shipAnOrder(target, group);
        const unfinished = await cluster.unfinished();
        if (unfinished.length > 0) throw new Error(`unfinished are ${unfinished.join(', ')}`);
        return 'each answer is above, and kubectl get otx';
      },
    },
  ];
}

async function restrict(cluster: Cluster): Promise<void> {
  const { namespace } = cluster.target;
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
}

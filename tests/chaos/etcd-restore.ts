/**
 * etcd's data as they were at some moment, and how a control plane is put back to them: what a restore from a snapshot does.
 */
import { cp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import type { OwnControlPlane } from '../world/own-control-plane.ts';
import { putForeignKey } from './api-server-etcd.ts';

export interface EtcdSnapshot {
  readonly folder: string;
  /** Nothing that was stored later is in it. */
  readonly takenAt: Date;
}

function dataOf({ plane }: OwnControlPlane): string {
  return join(dirname(plane.kubeconfig), 'control-plane', 'etcd');
}

/** etcd is away for a moment, so that its files belong together. */
export async function takeSnapshot(own: OwnControlPlane, name = 'snapshot'): Promise<EtcdSnapshot> {
  const { etcd } = own.plane;
  const folder = join(dirname(dataOf(own)), name);
  etcd.process.kill('SIGKILL');
  await etcd.process.exited;
  const takenAt = new Date();
  await rm(folder, { recursive: true, force: true });
  await cp(dataOf(own), folder, { recursive: true });
  await etcd.restart();
  return { folder, takenAt };
}

const SERVED_MS = 30_000;
const TRANSACTIONS = '/apis/ordertx.dev/v1alpha1/ordertransactions?limit=1';

/**
 * Everything stored since is gone. Resolves when the API server is ready.
 *
 * @param foreignPuts how far etcd's revision has gone on by then, for reasons of others
 */
export async function putBack(own: OwnControlPlane, { folder }: EtcdSnapshot, foreignPuts = 0): Promise<void> {
  const { etcd, apiserver } = own.plane;
  for (const part of [apiserver, etcd]) {
    part.process.kill('SIGKILL');
    await part.process.exited;
  }
  await rm(dataOf(own), { recursive: true });
  await cp(folder, dataOf(own), { recursive: true });
  await etcd.restart();
  await putForeignKey(own.plane.etcdUrl, foreignPuts);
  await apiserver.restart();
  // Ready, it may still be reading them in.
  await waitFor(async () => (await own.admin.request('GET', TRANSACTIONS)).status === 200, {
    ...{ what: 'the API server to serve transactions', deadlineMs: SERVED_MS },
  });
}

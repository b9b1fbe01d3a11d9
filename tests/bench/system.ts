/**
 * What a benchmark needs to know of a system that is up, in this process or, by its stack.json, in another.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '../../local/control-plane/api.ts';
import type { ControlPlane } from '../../local/control-plane/start.ts';
import type { Stack, StackDescription } from '../../local/stack.ts';

export interface System {
  readonly cluster: Pick<ControlPlane, 'url' | 'token' | 'certificate' | 'admin'> &
    Partial<Pick<ControlPlane, 'etcdUrl'>>;
  readonly description: Stack['description'];
}

/** The part of a kubeconfig as `up` writes it. */
interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [{ readonly user: { readonly token: string } }];
}

/** The system whose stack.json lies in `folder`. Its parts are taken not to be restarted meanwhile. */
export async function attach(folder: string): Promise<System & { readonly close: () => Promise<void> }> {
  const description = JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8')) as StackDescription;
  const { clusters, users } = JSON.parse(await readFile(description.kubeconfig, 'utf8')) as Kubeconfig;
  const { server, 'certificate-authority-data': authority } = clusters[0].cluster;
  const to = {
    url: server,
    token: users[0].user.token,
    certificate: Buffer.from(authority, 'base64').toString('utf8'),
  };
  const admin = connect(to);
  return { cluster: { ...to, admin }, description: () => description, close: () => admin.close() };
}

/**
 * Starts a real control plane on this machine: etcd and kube-apiserver, no kubelet, no controller-manager.
 *
 * 1. Callers are authenticated by tokens: the administrator's stands in a token file, everyone else's are service
 *    accounts' from the TokenRequest API. So no client certificates and no certificate authority of ours are needed.
 * 2. The API server makes its own serving certificate (valid for 127.0.0.1 and localhost) in `--cert-dir`, and finds it
 *    there again when it is restarted; kubeconfigs trust exactly that file.
 * 3. RBAC is on; only the ServiceAccount admission plugin is off, because it would wait for a controller-manager.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPart, type Part } from '../parts.ts';
import { freePort } from '../ports.ts';
import type { ProcessGroup } from '../process-group.ts';
import { connect, type ApiServer } from './api.ts';
import { findControlPlaneBinaries } from './binaries.ts';
import { writeKubeconfig } from './kubeconfig.ts';

export type ControlPlaneOptions = {
  /** Its folder within the process group's. Default: control-plane. */
  readonly folder?: string;
  /** Gives up etcd's durability for speed. For tests only: a figure measured with it says nothing. */
  readonly unsafeNoFsync?: boolean;
  /** Appended to kube-apiserver's flags; a later flag wins. */
  readonly apiserverFlags?: readonly string[];
  /** Added to kube-apiserver's environment, for example GOGC. */
  readonly apiserverEnv?: Readonly<Record<string, string>>;
};

export type ControlPlane = {
  readonly etcd: Part;
  readonly apiserver: Part;
  readonly url: string;
  /** Where etcd answers clients, for tests that meddle with what is stored. */
  readonly etcdUrl: string;
  /** Path of a kubeconfig for the cluster's administrator, namespace default. */
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** What service-account tokens name as their issuer. */
  readonly issuer: string;
  /** The administrator's bearer token. */
  readonly token: string;
  /** PEM, the API server's serving certificate. */
  readonly certificate: string;
  readonly admin: ApiServer;
};

const READY_MS = 60_000;
/** Room for a million small objects; etcd's default of 2 GB would stop a long load test. */
const ETCD_QUOTA_BYTES = 8 * 1024 ** 3;
/**
 * How many of a collection the API server removes at once; by itself it removes one after the other, which under load is slower than orders
 * end, and then the controller removes them one by one, which costs twice as much (ADR 31). They share the machine with everything else.
 */
const DELETE_COLLECTION_WORKERS = 32;
export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export async function startControlPlane(group: ProcessGroup, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await findControlPlaneBinaries(group);
  const folder = join(group.folder, options.folder ?? 'control-plane');
  await mkdir(folder, { mode: 0o700 });
  const { etcd, etcdUrl } = await startEtcd(group, binaries.etcd, folder, options);

  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('hex');
  const flags = await apiserverFlags(folder, port, etcdUrl, token);
  const certificateFile = join(folder, 'apiserver.crt');
  const spec = {
    name: 'kube-apiserver',
    command: binaries.apiserver,
    args: [...flags, ...(options.apiserverFlags ?? [])],
    env: { ...environment(), ...options.apiserverEnv },
    cwd: folder,
  };
  const isReady = async () => {
    const probe = connect({ url, token, certificate: await readFile(certificateFile, 'utf8') });
    try {
      return (await probe.request('GET', '/readyz')).status === 200;
    } finally {
      await probe.close();
    }
  };
  const apiserver = await runPart(group, { spec, ready: isReady, readyMs: READY_MS });
  const certificate = await readFile(certificateFile, 'utf8');
  const kubeconfig = join(group.folder, 'kubeconfig');
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace: 'default' });
  const admin = connect({ url, token, certificate });
  return {
    ...{ etcd, etcdUrl, apiserver, url, kubeconfig, kubectl: binaries.kubectl },
    ...{ issuer: ISSUER, token, certificate, admin },
  };
}

async function startEtcd(group: ProcessGroup, command: string, folder: string, options: ControlPlaneOptions) {
  const etcdUrl = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const args = [
    ...['--name=ordertx', `--data-dir=${join(folder, 'etcd')}`, '--log-level=warn'],
    ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
    ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
    ...[`--initial-cluster=ordertx=${peerUrl}`, `--quota-backend-bytes=${ETCD_QUOTA_BYTES}`],
    ...(options.unsafeNoFsync ? ['--unsafe-no-fsync'] : []),
  ];
  const ready = async () => (await fetch(`${etcdUrl}/health`, { signal: AbortSignal.timeout(1_000) })).ok;
  const spec = { name: 'etcd', command, args, env: environment(), cwd: folder };
  const etcd = await runPart(group, { spec, ready, readyMs: READY_MS });
  return { etcd, etcdUrl };
}

async function apiserverFlags(
  folder: string,
  port: number,
  etcdUrl: string,
  token: string,
): Promise<readonly string[]> {
  const keyFile = join(folder, 'service-account.key');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(keyFile, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  return [
    ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
    ...[`--etcd-servers=${etcdUrl}`, `--cert-dir=${folder}`, `--token-auth-file=${tokenFile}`],
    ...[`--service-account-issuer=${ISSUER}`, `--service-account-key-file=${keyFile}`],
    ...[`--service-account-signing-key-file=${keyFile}`, '--authorization-mode=RBAC'],
    ...['--service-cluster-ip-range=10.0.0.0/24', '--disable-admission-plugins=ServiceAccount'],
    `--delete-collection-workers=${DELETE_COLLECTION_WORKERS}`,
  ];
}

/** Go programs take proxies from the environment; between parts on one machine there must be none. */
function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', NO_PROXY: '*' };
}

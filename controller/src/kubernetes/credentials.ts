/**
 * Who we are to the API server, and whom we trust to be it.
 *
 * KubeConfig of @kubernetes/client-node reads every way of saying so (tokens, token files, client certificates, exec
 * plugins, the pod's service account). What it has none of is a dispatcher that lives longer than one call, so here its
 * answers are kept for a while and say whether the connection they belong to is still the same.
 */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { DispatcherOptions, KubeConfig as LoadedKubeConfig } from '@kubernetes/client-node';
import { KubeConfig } from '../../../services/kube-config/src/kube-config.ts';

export interface Credentials {
  /** Sent with every request: Authorization, Impersonate-User. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connection: DispatcherOptions;
  /** Equal as long as connections made with earlier credentials may go on being used. */
  readonly connectionId: string;
}

/**
 * @param path of a kubeconfig; without one, the service account that Kubernetes mounts into a pod
 * @throws where there is neither
 */
export function loadKubeConfig(path: string | undefined): LoadedKubeConfig {
  const config = new KubeConfig();
  if (path === undefined) {
    config.loadFromCluster();
    // Outside a pod, what the library builds the URL of is not set.
    if (serverOf(config).includes('undefined')) throw new Error('not in a pod: set KUBECONFIG to a kubeconfig’s path');
  } else config.loadFromFile(path);
  return withPlainLoopback(config);
}

/** The namespace that the kubeconfig, or the pod's service account, works in. */
export function namespaceOf(config: LoadedKubeConfig): string {
  return config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
}

/** @returns the API server's URL without a trailing slash; throws where the kubeconfig names none */
export function serverOf(config: LoadedKubeConfig): string {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || server === '') {
    throw new Error('the kubeconfig names no server: set its current-context to a context whose cluster has one');
  }
  return server.replace(/\/+$/, '');
}

/** Reads files (they are rotated) and may run an exec plugin; throws where either fails. */
export async function readCredentials(config: LoadedKubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> & { authorization?: string } = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const { ca, cert, key, passphrase, pfx, rejectUnauthorized, servername } = options;
  const tls = { ca, cert, key, passphrase, pfx, rejectUnauthorized, servername };
  const connection = config.createDispatcherOptions(config.getCurrentCluster(), tls);
  const connectionId = createHash('sha256').update(JSON.stringify(connection)).digest('base64');
  return { headers, connection, connectionId };
}

/**
 * The library refuses http:// unless TLS verification was switched off. On this machine itself there is nobody to
 * listen in, and `kubectl proxy` speaks nothing else.
 */
export function withPlainLoopback(config: LoadedKubeConfig): LoadedKubeConfig {
  config.loadFromOptions({
    clusters: config.clusters.map((cluster) =>
      /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|\/|$)/.test(cluster.server)
        ? { ...cluster, skipTLSVerify: true }
        : cluster,
    ),
    contexts: config.contexts,
    users: config.users,
    currentContext: config.currentContext,
  });
  return config;
}

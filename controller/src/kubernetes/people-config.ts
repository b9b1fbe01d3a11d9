/**
 * A person's kubeconfig, found and overridden as kubectl does it.
 */
import { existsSync } from 'node:fs';
import type { KubeConfig as LoadedKubeConfig } from '@kubernetes/client-node';
import { serverOf, withPlainLoopback } from './credentials.ts';
import { KubeConfig } from '../../../services/kube-config/src/kube-config.ts';

export interface PersonsChoice {
  /** Merged, what the first says wins; those that are not there are passed over, as kubectl does. */
  readonly paths: readonly string[];
  /** The one that was asked for by name: it has to be there. */
  readonly path?: string | undefined;
  /** Without any kubeconfig the pod's service account counts. */
  readonly isInPod: boolean;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly impersonatedUser?: string | undefined;
}

/** @throws Error with a sentence that says which file, context, cluster or user is missing */
export function loadPersonsConfig(choice: PersonsChoice): LoadedKubeConfig {
  const config = readConfig(choice);
  const context = choice.context ?? config.getCurrentContext();
  if (context === '' || context === undefined) throw new Error('no context is chosen: name one with --context');
  const known = config.getContextObject(context);
  if (known === null) throw new Error(`the kubeconfig has no context "${context}"`);
  const chosen = { ...known, cluster: choice.cluster ?? known.cluster, user: choice.user ?? known.user };
  if (config.getCluster(chosen.cluster) === null) throw new Error(`the kubeconfig has no cluster "${chosen.cluster}"`);
  const user = config.getUser(chosen.user);
  if (user === null && choice.user !== undefined) throw new Error(`the kubeconfig has no user "${choice.user}"`);
  const { impersonatedUser } = choice;
  config.loadFromOptions({
    clusters: config.clusters,
    contexts: [chosen],
    users: [
      {
        ...(user ?? { name: chosen.user }),
        ...(impersonatedUser !== undefined && { impersonateUser: impersonatedUser }),
      },
    ],
    currentContext: chosen.name,
  });
  const loaded = withPlainLoopback(config);
  serverOf(loaded);
  return loaded;
}

function readConfig({ path, paths, isInPod }: PersonsChoice): LoadedKubeConfig {
  if (path !== undefined && !existsSync(path)) throw new Error(`the kubeconfig ${path} is not there`);
  const [first, ...others] = path === undefined ? paths.filter((each) => existsSync(each)) : [path];
  const config = new KubeConfig();
  if (first === undefined) {
    if (!isInPod)
      throw new Error(`no kubeconfig: ${paths.join(', ') || 'KUBECONFIG'} is not there; name one with --kubeconfig`);
    config.loadFromCluster();
    return config;
  }
  config.loadFromFile(first);
  for (const other of others) {
    const more = new KubeConfig();
    more.loadFromFile(other);
    config.loadFromOptions({
      clusters: merged(config.clusters, more.clusters),
      contexts: merged(config.contexts, more.contexts),
      users: merged(config.users, more.users),
      currentContext: config.currentContext || more.currentContext,
    });
  }
  return config;
}

/** The library's own refuses a name that is in both. */
function merged<T extends { readonly name: string }>(first: readonly T[], second: readonly T[]): T[] {
  return [...first, ...second.filter(({ name }) => !first.some((known) => known.name === name))];
}

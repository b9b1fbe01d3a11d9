/**
 * What the environment says to the plugin: its only reader of process.env.
 */
import { delimiter } from 'node:path';

export interface Environment {
  /** Of KUBECONFIG; empty where it is not set. */
  readonly kubeconfigs: readonly string[];
  readonly home: string | undefined;
  /** It runs in a pod: without a kubeconfig, the pod's service account counts. */
  readonly isInPod: boolean;
  /** NO_COLOR (https://no-color.org): set and not empty. */
  readonly noColor: boolean;
  /** The archive's database, for what the API server has no longer. */
  readonly archiveDatabaseUrl: string | undefined;
  /** Ports of controllers, separated by commas. */
  readonly controllerUrl: string | undefined;
}

export function readEnvironment(): Environment {
  const { KUBECONFIG, HOME, USERPROFILE, NO_COLOR, TERM, KUBERNETES_SERVICE_HOST } = process.env;
  const { ARCHIVE_DATABASE_URL, ORDERTX_CONTROLLER_URL } = process.env;
  return {
    kubeconfigs: (KUBECONFIG ?? '').split(delimiter).filter((path) => path !== ''),
    home: HOME || USERPROFILE || undefined,
    isInPod: Boolean(KUBERNETES_SERVICE_HOST),
    noColor: Boolean(NO_COLOR) || TERM === 'dumb',
    archiveDatabaseUrl: ARCHIVE_DATABASE_URL || undefined,
    controllerUrl: ORDERTX_CONTROLLER_URL || undefined,
  };
}

/**
 * The order service's settings: the only place here that knows the environment's names.
 */
import { z } from 'zod';
import { checkServiceSettings, readSettingsOrExit, serviceSettings, type ValuesOf } from '../../kit/src/index.ts';

export const orderSettings = {
  ...serviceSettings,
  kubeconfig: {
    name: 'KUBECONFIG',
    description:
      'File with the API server and the credentials that may create ordertransactions; without it, those of the pod.',
    optional: true,
    schema: z.string().min(1, 'must be the path of a kubeconfig, or unset in a pod'),
  },
  namespace: {
    name: 'ORDERTX_NAMESPACE',
    description: "Where order transactions are created; without it, the kubeconfig's or the pod's own namespace.",
    optional: true,
    schema: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a namespace'),
  },
} as const;

export type OrderConfig = ValuesOf<typeof orderSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): OrderConfig {
  return readSettingsOrExit(orderSettings, environment, checkServiceSettings);
}

/** What `settle` needs: it serves nobody and creates nothing. */
const settleSettings = { databaseUrl: serviceSettings.databaseUrl, logLevel: serviceSettings.logLevel };

export function readSettleConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof settleSettings> {
  return readSettingsOrExit(settleSettings, environment);
}

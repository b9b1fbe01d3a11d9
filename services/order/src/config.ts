/**
 * The order service's settings: the only place here that knows the environment's names.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import {
  baseUrl,
  checkParticipantSettings,
  checkRedisTls,
  checkServiceSettings,
  messageSettings,
  participantSettings,
  readSettingsOrExit,
  serviceSettings,
  signingSecrets,
  SECRET_CHARS_MIN,
  wholeNumber,
  type SettingProblem,
  type ValuesOf,
} from '../../kit/src/index.ts';

/** Longer than any customer thinks about it. */
const PAYMENT_TIMEOUT_SECONDS_MAX = 30 * 24 * 3_600;
/** Its stock lies frozen meanwhile. */
const PAYMENT_GRACE_SECONDS_MAX = 3_600;
const CREATIONS_KEPT_DAYS_MAX = 3_649;

/** A quote that counts for longer is a price list. */
const QUOTE_SECONDS_MAX = 7 * 24 * 3_600;

const BACKLOG_MAX = 1_000_000;

export const orderSettings = {
  ...serviceSettings,
  ...participantSettings,
  ...messageSettings,
  paymentTimeoutSeconds: {
    name: 'ORDER_PAYMENT_TIMEOUT_SECONDS',
    description:
      'How long an order may wait for its payment before it is closed and its stock goes back on sale; counts for orders placed from then on.',
    default: '1800',
    schema: wholeNumber(1, PAYMENT_TIMEOUT_SECONDS_MAX),
  },
  paymentUrl: {
    name: 'PAYMENT_URL',
    description: 'The payment service, which says what was captured: http://payment:8080.',
    schema: baseUrl,
  },
  paymentGraceSeconds: {
    name: 'ORDER_PAYMENT_GRACE_SECONDS',
    description:
      'How long after its time to pay an order is not closed yet while a payment of it is open, or the payment service does not say whether one is.',
    default: '120',
    schema: wholeNumber(0, PAYMENT_GRACE_SECONDS_MAX),
  },
  creationsKeptDays: {
    name: 'ORDER_CREATIONS_KEPT_DAYS',
    description:
      'How long ended creations are kept, so that `creations again` can make them once more: longer than the oldest snapshot of etcd or of a participant’s database that would be restored. Less than ORDERTX_RETENTION_DAYS of every service, whose fence and inbox rows make it harmless.',
    default: '7',
    schema: wholeNumber(1, CREATIONS_KEPT_DAYS_MAX),
  },
  quoteSecret: {
    name: 'ORDER_QUOTE_SECRET',
    description: `What quotes are signed with (the header Quote-Signature of POST /orders), at least ${SECRET_CHARS_MIN} characters; while it is being replaced both, separated by a comma. Without it the service does not start, unless ORDER_PRICES=trusted.`,
    optional: true,
    secret: true,
    schema: signingSecrets,
  },
  quoteSeconds: {
    name: 'ORDER_QUOTE_SECONDS',
    description:
      'How long a quote counts from when it was signed. A repeat of an order that was accepted is answered later, too.',
    default: '900',
    schema: wholeNumber(10, QUOTE_SECONDS_MAX),
  },
  prices: {
    name: 'ORDER_PRICES',
    description:
      'Whether the service starts only with ORDER_QUOTE_SECRET: `signed`. `trusted` lets it start without: then whoever reaches the port says what things cost, so a gateway has to vouch for it. A secret that is set counts either way.',
    default: 'signed',
    schema: z.enum(['signed', 'trusted'], 'must be signed or trusted'),
  },
  backlogMax: {
    name: 'ORDER_BACKLOG_MAX',
    description:
      'How many orders may wait for their transaction (the API server is slower than they come, or away); while there are as many, new ones are answered 503 with Retry-After. An API server on two cores takes about 200 a second.',
    default: '5000',
    schema: wholeNumber(1, BACKLOG_MAX),
  },
  kubeconfig: {
    name: 'KUBECONFIG',
    description:
      'File with the API server and the credentials that may create ordertransactions; without it, those of the pod.',
    optional: true,
    schema: z.string().refine(existsSync, 'must be the path of a file that is there, or unset in a pod'),
  },
  kubernetesServiceHost: {
    name: 'KUBERNETES_SERVICE_HOST',
    description: 'Set by Kubernetes in every pod: the API server that is used without KUBECONFIG.',
    optional: true,
    schema: z.string(),
  },
  namespace: {
    name: 'ORDERTX_NAMESPACE',
    description: "Where order transactions are created; without it, the kubeconfig's or the pod's own namespace.",
    optional: true,
    schema: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a namespace'),
  },
} as const;

export type OrderConfig = ValuesOf<typeof orderSettings>;

export function checkOrderSettings(values: Partial<OrderConfig>): readonly SettingProblem[] {
  return [
    ...checkServiceSettings(values),
    ...checkRedisTls(values),
    ...checkParticipantSettings(values),
    ...checkApiServer(values),
    ...checkNamespace(values),
    ...checkKeptDays(values),
    ...checkPrices(values),
  ];
}

/** A creation that is made again after its fence row is gone would be done a second time. */
function checkKeptDays({ creationsKeptDays, retentionDays }: Partial<OrderConfig>): readonly SettingProblem[] {
  if (creationsKeptDays === undefined || retentionDays === undefined || creationsKeptDays < retentionDays) return [];
  const message = `must be less than ${orderSettings.retentionDays.name} (${creationsKeptDays} is not less than ${retentionDays}): what is created again must still be known to fence and inbox`;
  return [{ name: orderSettings.creationsKeptDays.name, message }];
}

/** Gets only what could be read: a kubeconfig that is wrong has been reported already. */
function checkApiServer(values: Partial<OrderConfig>): readonly SettingProblem[] {
  if (!('kubeconfig' in values) || values.kubeconfig !== undefined) return [];
  if (values.kubernetesServiceHost !== undefined) return [];
  const message = 'is not set, and this is no pod: there is no API server to create transactions at';
  return [{ name: orderSettings.kubeconfig.name, message }];
}

function checkNamespace({ namespace, namespaces }: Partial<OrderConfig>): readonly SettingProblem[] {
  if (namespace === undefined || namespaces === undefined || namespaces.includes(namespace)) return [];
  const message = `must name ${namespace} as well: this service takes part in the transactions it creates`;
  return [{ name: orderSettings.namespaces.name, message }];
}

/** Gets only what could be read: a secret that is wrong has been reported already. */
function checkPrices(values: Partial<OrderConfig>): readonly SettingProblem[] {
  if (values.prices !== 'signed' || !('quoteSecret' in values) || values.quoteSecret !== undefined) return [];
  const message =
    'is not set, so customers could say what things cost; ORDER_PRICES=trusted is the only way without, where a gateway vouches';
  return [{ name: orderSettings.quoteSecret.name, message }];
}

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): OrderConfig {
  return readSettingsOrExit(orderSettings, environment, checkOrderSettings);
}

/** What `settle` needs of them besides what every command reads: a creation that is confirmed by hand has to be paid in time, too. */
const settleSettings = { paymentTimeoutSeconds: orderSettings.paymentTimeoutSeconds };

export function readSettleConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof settleSettings> {
  return readSettingsOrExit(settleSettings, environment);
}

/** What `creations again` needs of them. */
const creationsSettings = { creationsKeptDays: orderSettings.creationsKeptDays };

export function readCreationsConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof creationsSettings> {
  return readSettingsOrExit(creationsSettings, environment);
}

/** What `creations cancel` needs of them. */
const cancelSettings = { paymentUrl: orderSettings.paymentUrl };

export function readCancelConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof cancelSettings> {
  return readSettingsOrExit(cancelSettings, environment);
}

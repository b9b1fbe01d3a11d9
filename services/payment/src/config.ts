/**
 * The payment service's settings: the only place here that knows the environment's names.
 */
import { z } from 'zod';
import {
  baseUrl,
  checkRedisTls,
  checkServiceSettings,
  messageSettings,
  readSettingsOrExit,
  serviceSettings,
  signingSecrets,
  SECRET_CHARS_MIN,
  wholeNumber,
  type SettingProblem,
  type ValuesOf,
} from '../../kit/src/index.ts';

/** Longer, and a replica that stops is waited for too long. */
const REFUND_TIMEOUT_SECONDS_MAX = 30;

export const paymentSettings = {
  ...serviceSettings,
  ...messageSettings,
  orderUrl: {
    name: 'ORDER_URL',
    description: 'The order service, which says what an order costs: http://order:8080.',
    schema: baseUrl,
  },
  publicUrl: {
    name: 'PAYMENT_PUBLIC_URL',
    description:
      'Where the payment provider reaches this service: the base of payUrl. Without it, http://127.0.0.1:PORT.',
    optional: true,
    schema: baseUrl,
  },
  providerSecret: {
    name: 'PAYMENT_PROVIDER_SECRET',
    description: `What the payment provider signs its calls with, at least ${SECRET_CHARS_MIN} characters; while it is being replaced both, separated by a comma. Without it the service does not start, unless PAYMENT_PROVIDER_AUTH=off.`,
    optional: true,
    secret: true,
    schema: signingSecrets,
  },
  providerAuth: {
    name: 'PAYMENT_PROVIDER_AUTH',
    description:
      'Whether the service starts only with PAYMENT_PROVIDER_SECRET. `off` lets it start without: then whoever reaches the port can say that a payment succeeded. A secret that is set counts either way.',
    default: 'on',
    schema: z.enum(['on', 'off'], 'must be on or off'),
  },
  refundProvider: {
    name: 'PAYMENT_REFUND_PROVIDER',
    description:
      'Who gives money back: store (nobody: what would be ordered is kept in the database) or webhook (PAYMENT_REFUND_WEBHOOK_URL).',
    default: 'store',
    schema: z.enum(['store', 'webhook'], 'must be store or webhook'),
  },
  refundWebhookUrl: {
    name: 'PAYMENT_REFUND_WEBHOOK_URL',
    description: 'Where refunds are posted to, with provider webhook. It may hold a secret, so it is never printed.',
    optional: true,
    secret: true,
    schema: z.string().refine(isWebhookUrl, 'must be an http or https URL without user and password'),
  },
  refundWebhookSecret: {
    name: 'PAYMENT_REFUND_WEBHOOK_SECRET',
    description: `What refunds are signed with, at least ${SECRET_CHARS_MIN} characters; needed with provider webhook.`,
    optional: true,
    secret: true,
    schema: z.string().min(SECRET_CHARS_MIN, `must have at least ${SECRET_CHARS_MIN} characters`),
  },
  refundTimeoutSeconds: {
    name: 'PAYMENT_REFUND_TIMEOUT_SECONDS',
    description: 'How long the refund webhook may take to answer; then the order is sent again.',
    default: '10',
    schema: wholeNumber(1, REFUND_TIMEOUT_SECONDS_MAX),
  },
} as const;

function isWebhookUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

/** Gets only what could be read: a value that is wrong has been reported already. */
function checkRefundSettings(values: Partial<PaymentConfig>): readonly SettingProblem[] {
  const { refundProvider } = values;
  const needed = ['refundWebhookUrl', 'refundWebhookSecret'] as const;
  return needed.flatMap((key) => {
    const { name } = paymentSettings[key];
    if (refundProvider === 'webhook' && key in values && values[key] === undefined)
      return [{ name, message: 'is not set; PAYMENT_REFUND_PROVIDER=webhook needs it' }];
    // Whoever names a webhook expects money to be given back.
    if (refundProvider === 'store' && values[key] !== undefined)
      return [{ name, message: 'is set, and nothing would be sent: set PAYMENT_REFUND_PROVIDER=webhook as well' }];
    return [];
  });
}

export type PaymentConfig = ValuesOf<typeof paymentSettings>;

export function checkPaymentSettings(values: Partial<PaymentConfig>): readonly SettingProblem[] {
  return [
    ...checkServiceSettings(values),
    ...checkRedisTls(values),
    ...checkProviderSecret(values),
    ...checkRefundSettings(values),
  ];
}

/** Gets only what could be read: a secret that is wrong has been reported already. */
function checkProviderSecret(values: Partial<PaymentConfig>): readonly SettingProblem[] {
  if (values.providerAuth !== 'on' || !('providerSecret' in values) || values.providerSecret !== undefined) return [];
  const message =
    'is not set, so anybody could say that a payment succeeded; PAYMENT_PROVIDER_AUTH=off is the only way without';
  return [{ name: paymentSettings.providerSecret.name, message }];
}

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): PaymentConfig {
  return readSettingsOrExit(paymentSettings, environment, checkPaymentSettings);
}

/** What `refund` needs of them besides what every command reads. */
const refundSettings = { orderUrl: paymentSettings.orderUrl };

export function readRefundConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof refundSettings> {
  return readSettingsOrExit(refundSettings, environment);
}

/**
 * The payment service's settings: the only place here that knows the environment's names.
 */
import { z } from 'zod';
import { messageSettings, readSettingsOrExit, serviceSettings, type ValuesOf } from '../../kit/src/index.ts';

/** Enough that nobody guesses it; what providers give out is longer. */
const SECRET_CHARS_MIN = 16;

/** Paths are put behind it, so it has no slash at its end and nothing that would come after a path. */
const baseUrl = z
  .string()
  .refine(isBaseUrl, 'must be an http or https URL without user, ? and #')
  .transform((text) => text.replace(/\/+$/, ''));

function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && !/[?#\s]/.test(text);
}

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
    description: `What the payment provider signs its calls with, at least ${SECRET_CHARS_MIN} characters. Without it, whoever reaches the port can say that a payment succeeded.`,
    optional: true,
    secret: true,
    schema: z.string().min(SECRET_CHARS_MIN, `must have at least ${SECRET_CHARS_MIN} characters`),
  },
} as const;

export type PaymentConfig = ValuesOf<typeof paymentSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): PaymentConfig {
  return readSettingsOrExit(paymentSettings, environment);
}

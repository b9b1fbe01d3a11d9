/**
 * The notification service's settings: the only place here that knows the environment's names.
 */
import { z } from 'zod';
import {
  checkFollowerSettings,
  followerSettings,
  readSettingsOrExit,
  serviceSettings,
  wholeNumber,
  type SettingProblem,
  type ValuesOf,
} from '../../kit/src/index.ts';

const PROVIDERS = ['store', 'webhook'] as const;
/** With what is done before and after the call it stays below the 30 s after which a message is taken over from its consumer. */
const TIMEOUT_SECONDS_MAX = 20;

export const notificationSettings = {
  ...serviceSettings,
  ...followerSettings,
  provider: {
    name: 'NOTIFICATION_PROVIDER',
    description:
      'Who sends notifications: store (nobody: what would be sent is kept in the database) or webhook (NOTIFICATION_WEBHOOK_URL).',
    default: 'store',
    schema: z.enum(PROVIDERS, `must be ${PROVIDERS.join(' or ')}`),
  },
  webhookUrl: {
    name: 'NOTIFICATION_WEBHOOK_URL',
    description:
      'Where notifications are posted to, with provider webhook. It may hold a secret, so it is never printed.',
    optional: true,
    secret: true,
    schema: z.string().refine(isHttpUrl, 'must be an http or https URL without user and password'),
  },
  timeoutSeconds: {
    name: 'NOTIFICATION_TIMEOUT_SECONDS',
    description: 'How long the provider may take to answer; then the attempt has failed.',
    default: '5',
    schema: wholeNumber(1, TIMEOUT_SECONDS_MAX),
  },
} as const;

function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

export type NotificationConfig = ValuesOf<typeof notificationSettings>;

/** Gets only what could be read: a URL that is wrong has been reported already. */
export function checkNotificationSettings(values: Partial<NotificationConfig>): readonly SettingProblem[] {
  return [...checkFollowerSettings(values), ...checkProvider(values)];
}

function checkProvider(values: Partial<NotificationConfig>): readonly SettingProblem[] {
  const { provider, webhookUrl } = values;
  const { name } = notificationSettings.webhookUrl;
  if (provider === 'webhook' && 'webhookUrl' in values && webhookUrl === undefined)
    return [{ name, message: 'is not set; NOTIFICATION_PROVIDER=webhook needs to know where to' }];
  // Whoever names a webhook expects messages to be sent.
  if (provider === 'store' && webhookUrl !== undefined)
    return [{ name, message: 'is set, and nothing would be sent to it: set NOTIFICATION_PROVIDER=webhook as well' }];
  return [];
}

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): NotificationConfig {
  return readSettingsOrExit(notificationSettings, environment, checkNotificationSettings);
}

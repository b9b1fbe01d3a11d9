/**
 * The running notification service.
 */
import type { Pool } from 'pg';
import { redisUrlOf, shopNamespaceOf, startService, type RunningService } from '../../kit/src/index.ts';
import type { NotificationConfig } from './config.ts';
import { listNotificationsRoute } from './http/list-notifications.ts';
import { smsPaid } from './messages/sms-paid.ts';
import type { Provider } from './providers/provider.ts';
import { storeProvider } from './providers/store.ts';
import { webhookProvider } from './providers/webhook.ts';

export const migrations = new URL('../migrations/', import.meta.url);

export async function startNotification(config: NotificationConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'notification', config, redisUrl: redisUrlOf(config) },
    migrations,
    build: ({ pool, publicPool, log }) => {
      const provider = providerOf(config, pool);
      return {
        routes: [listNotificationsRoute(publicPool)],
        handlers: [
          smsPaid({ shop: shopNamespaceOf(config), pool, provider, log, timeoutSeconds: config.timeoutSeconds }),
        ],
        closers: [() => provider.close()],
      };
    },
  });
}

function providerOf({ provider, webhookUrl, timeoutSeconds }: NotificationConfig, pool: Pool): Provider {
  switch (provider) {
    case 'store':
      return storeProvider(pool);
    case 'webhook':
      if (webhookUrl === undefined) throw new Error('NOTIFICATION_PROVIDER=webhook needs NOTIFICATION_WEBHOOK_URL');
      return webhookProvider({ url: webhookUrl, timeoutSeconds });
  }
}

/**
 * The running dispatch service: it hears of orders by messages, and shows what it has heard.
 */
import { redisUrlOf, shopNamespaceOf, startService, type RunningService } from '../../kit/src/index.ts';
import type { DispatchConfig } from './config.ts';
import { getDispatchRoute } from './http/get-dispatch.ts';
import { handlersFor } from './messages/handlers.ts';

export const migrations = new URL('../migrations/', import.meta.url);

export async function startDispatch(config: DispatchConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'dispatch', config, redisUrl: redisUrlOf(config) },
    migrations,
    build: ({ publicPool: pool }) => ({
      routes: [getDispatchRoute(pool)],
      handlers: handlersFor(shopNamespaceOf(config)),
    }),
  });
}

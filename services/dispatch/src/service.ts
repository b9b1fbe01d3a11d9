/**
 * The running dispatch service: it hears of orders by messages, and shows what it has heard.
 */
import { shopNamespaceOf, startService, type RunningService } from '../../kit/src/index.ts';
import type { DispatchConfig } from './config.ts';
import { getDispatchRoute } from './http/get-dispatch.ts';
import { handlersFor } from './messages/handlers.ts';

export async function startDispatch(config: DispatchConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'dispatch', config, redisUrl: config.redisUrl },
    migrations: new URL('../migrations/', import.meta.url),
    build: ({ publicPool: pool }) => ({
      routes: [getDispatchRoute(pool)],
      handlers: handlersFor(shopNamespaceOf(config)),
    }),
  });
}

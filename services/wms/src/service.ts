/**
 * The running warehouse service (warehouse management system): it hears of orders by messages, ships them, and says so.
 */
import { redisUrlOf, shopNamespaceOf, startService, type RunningService } from '../../kit/src/index.ts';
import type { WmsConfig } from './config.ts';
import { getShipmentRoute } from './http/get-shipment.ts';
import { shipOrderRoute } from './http/ship-order.ts';
import { handlersFor } from './messages/handlers.ts';

export const migrations = new URL('../migrations/', import.meta.url);

export async function startWms(config: WmsConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'wms', config, redisUrl: redisUrlOf(config), sendsMessages: true },
    migrations,
    build: ({ publicPool: pool, outbox }) => ({
      routes: [getShipmentRoute(pool), shipOrderRoute({ pool, outbox })],
      handlers: handlersFor(shopNamespaceOf(config)),
    }),
  });
}

/**
 * The running order service: routes, branches, the creation relay, and what has to be closed again.
 */
import {
  createApp,
  createLog,
  createPool,
  listen,
  listenForNotifications,
  migrate,
  mountParticipant,
  startFenceCleaning,
  tokenSettings,
  type App,
  type AnyBranch,
} from '../../kit/src/index.ts';
import manifest from '../../../package.json' with { type: 'json' };
import { createOrderBranch } from './branches/create-order.ts';
import type { OrderConfig } from './config.ts';
import { apiServer, loadKubeConfig, ownNamespace } from './creation/api-server.ts';
import { registerOutboxGauges, relayMetrics } from './creation/metrics.ts';
import { creationOutbox } from './creation/outbox.ts';
import { Relay } from './creation/relay.ts';
import { getOrderRoute } from './http/get-order.ts';
import { placeOrderRoute } from './http/place-order.ts';
import { startRequestCleaning } from './request-cleaning.ts';
import { waitingRoom } from './waiting-room.ts';

export const branches: readonly AnyBranch[] = [createOrderBranch];

/** Notified by confirm-order.sql, cancel-order.sql and record-cancelled.sql, with the order's id. */
const CREATION_ENDED_CHANNEL = 'order_creation_ended';

export interface OrderService {
  readonly app: App;
  readonly url: string;
  /** In the order in which they are to be closed. */
  readonly closers: readonly (() => Promise<void>)[];
}

export async function startOrder(config: OrderConfig): Promise<OrderService> {
  const log = createLog({ name: 'order', level: config.logLevel });
  const namespace = config.namespace ?? ownNamespace(loadKubeConfig(config.kubeconfig));
  if (!config.namespaces.includes(namespace)) {
    throw new Error(
      `ORDERTX_NAMESPACES must name ${namespace}, where transactions are created; or set ORDERTX_NAMESPACE`,
    );
  }
  await migrate({ connectionString: config.databaseUrl, folder: new URL('../migrations/', import.meta.url), log });
  const pool = createPool({ connectionString: config.databaseUrl, applicationName: 'order', log });
  const app = createApp({ name: 'order', version: manifest.version, log, pool });

  const outbox = creationOutbox(pool);
  const api = apiServer(config.kubeconfig);
  const relay = new Relay({ outbox, api, metrics: relayMetrics(app.metrics), log });
  registerOutboxGauges(app.metrics, outbox, log);
  const waiting = waitingRoom();
  const notifications = listenForNotifications({
    connectionString: config.databaseUrl,
    channel: CREATION_ENDED_CHANNEL,
    onNotification: (orderId) => waiting.call(orderId),
    onListening: () => waiting.callEveryone(),
    log,
  });

  app.add(placeOrderRoute({ pool, relay, waiting, namespace }), getOrderRoute(pool));
  mountParticipant(app, { pool, branches, namespaces: config.namespaces, tokens: tokenSettings(config) });
  const fenceCleaning = startFenceCleaning({ pool, retentionDays: config.retentionDays, log });
  const requestCleaning = startRequestCleaning(pool, config.retentionDays, log);
  const server = await listen(app, { port: config.port });
  return {
    app,
    url: server.url,
    closers: [
      () => server.close(),
      () => relay.close(),
      () => api.close(),
      () => notifications.close(),
      () => fenceCleaning.close(),
      () => requestCleaning.close(),
      () => pool.end(),
    ],
  };
}

/**
 * The running order service: routes, branches, messages, the creation relay and the closing scanner.
 */
import type { Pool } from 'pg';
import {
  listenForNotifications,
  redisUrlOf,
  servingUrl,
  sqlFile,
  startService,
  tokenSettings,
  type AnyBranch,
  type Log,
  type RunningService,
  type ServiceBase,
  type ServiceParts,
} from '../../kit/src/index.ts';
import { closeOrderBranch } from './branches/close-order.ts';
import { createOrderBranch, type CreateOrderOptions } from './branches/create-order.ts';
import { payOrderBranch, type PayOrderOptions } from './branches/pay-order.ts';
import type { Tell } from './branches/usual-moves.ts';
import { registerClosesGauge, startClosing } from './closing.ts';
import type { OrderConfig } from './config.ts';
import { startAgain } from './creation/again.ts';
import { apiServer, loadKubeConfig, ownNamespace } from './creation/api-server.ts';
import { CLEAN_ENDED_CREATIONS, endedCreations } from './creation/ended.ts';
import { againMetrics, registerOutboxGauges, relayMetrics } from './creation/metrics.ts';
import { Backlog } from './creation/backlog.ts';
import { creationOutbox } from './creation/outbox.ts';
import { Relay } from './creation/relay.ts';
import { getOrderRoute } from './http/get-order.ts';
import { getPaymentAttemptRoute } from './http/get-payment-attempt.ts';
import { placeOrderRoute } from './http/place-order.ts';
import { receiveOrderRoute } from './http/receive-order.ts';
import { withdrawOrderRoute } from './http/withdraw-order.ts';
import { paymentSucceeded } from './messages/payment-succeeded.ts';
import { wmsShipped } from './messages/wms-shipped.ts';
import { paymentService } from './payments/payment-service.ts';
import { waitingRequests, type WaitingRequests } from './waiting-requests.ts';

const NOTIFY_ENDED = { name: 'notify-ended', text: 'select pg_notify($1, $2)' };
const CLEAN_REQUESTS = sqlFile(import.meta.url, '../sql/clean-requests.sql');
/** Notified by end-creation.sql, and after a confirm, with the order's id. */
const CREATION_ENDED_CHANNEL = 'order_creation_ended';

/** @param running what the branches of a running service have besides; not there for a person who settles by hand */
export function branches(options: CreateOrderOptions, running?: PayOrderOptions): readonly AnyBranch[] {
  return [createOrderBranch(options), payOrderBranch(running), closeOrderBranch(running?.log, options.tell)];
}

export const migrations = new URL('../migrations/', import.meta.url);

export async function startOrder(config: OrderConfig): Promise<RunningService> {
  const namespace = config.namespace ?? ownNamespace(loadKubeConfig(config.kubeconfig));
  if (!config.namespaces.includes(namespace)) {
    throw new Error(
      `ORDERTX_NAMESPACES must name ${namespace}, where transactions are created; or set ORDERTX_NAMESPACE`,
    );
  }
  return startService({
    ...{ name: 'order', config, redisUrl: redisUrlOf(config) },
    migrations,
    build: (base) => parts(base, config, namespace),
  });
}

function parts({ app, pool, publicPool, log }: ServiceBase, config: OrderConfig, namespace: string): ServiceParts {
  const outbox = creationOutbox(pool);
  const api = apiServer(config.kubeconfig);
  const relay = new Relay({ outbox, api, metrics: relayMetrics(app.metrics), log });
  registerOutboxGauges(app.metrics, outbox, log);
  registerClosesGauge(app.metrics, pool, log);
  const ended = endedCreations(pool);
  const again = startAgain({ ended, api, metrics: againMetrics(app.metrics, ended, log), log });
  const waiting = waitingRequests();
  const quotes = { secrets: config.quoteSecret, ageSecondsMax: config.quoteSeconds };
  if (quotes.secrets === undefined) log.warn('ORDER_PRICES is trusted: whoever reaches the port says what things cost');
  const backlog = new Backlog({ pool, ordersMax: config.backlogMax, metrics: app.metrics, log });
  const notifications = listenTo(waiting, config, log);
  const payments = paymentService(config.paymentUrl);
  const closing = startClosing({ pool, relay, payments, graceSeconds: config.paymentGraceSeconds, log });
  return {
    routes: [
      placeOrderRoute({ pool: publicPool, relay, waiting, namespace, quotes, backlog }),
      getOrderRoute(publicPool),
      getPaymentAttemptRoute(publicPool),
      withdrawOrderRoute({ pool: publicPool, relay, waiting, payments }),
      receiveOrderRoute(publicPool),
    ],
    participant: {
      branches: branches({ ...config, tell: teller(waiting, pool, log) }, { payments, log }),
      tokens: tokenSettings(config),
    },
    handlers: [paymentSucceeded({ relay, payments }), wmsShipped],
    cleanings: [
      // Longer than anybody repeats a request, and longer than a creation is repeated (T10).
      { what: 'old idempotency keys', statement: CLEAN_REQUESTS, retentionDays: config.retentionDays },
      { what: 'old ended creations', statement: CLEAN_ENDED_CREATIONS, retentionDays: config.creationsKeptDays },
    ],
    closers: [
      () => closing.close(),
      () => backlog.close(),
      () => payments.close(),
      () => relay.close(),
      () => again.close(),
      () => api.close(),
      () => notifications.close(),
    ],
  };
}

/**
 * Whoever waits in this process is told how it ended. Others are notified where there may be some, and not in the confirm's database
 * transaction: of those that notify Postgres commits one at a time, flushing to disk included.
 */
function teller(waiting: WaitingRequests, pool: Pool, log: Log): Tell {
  return ({ orderId, outcome, awaitedBy }) => {
    waiting.tell(orderId, outcome);
    if (awaitedBy === waiting.process) return;
    pool.query({ ...NOTIFY_ENDED, values: [CREATION_ENDED_CHANNEL, orderId] }).catch((error: unknown) => {
      log.debug({ err: error, orderId }, 'nobody was notified; whoever waits looks again by itself');
    });
  };
}

function listenTo(waiting: WaitingRequests, config: OrderConfig, log: ServiceBase['log']) {
  return listenForNotifications({
    connectionString: servingUrl(config),
    channel: CREATION_ENDED_CHANNEL,
    onNotification: (orderId) => waiting.wake(orderId),
    onListening: () => waiting.wakeAll(),
    log,
  });
}

/**
 * The running payment service.
 */
import {
  redisUrlOf,
  startService,
  type RunningService,
  type ServiceBase,
  type ServiceParts,
} from '../../kit/src/index.ts';
import type { PaymentConfig } from './config.ts';
import { createPaymentRoute } from './http/create-payment.ts';
import { getPaymentRoute } from './http/get-payment.ts';
import { listPaymentsRoute } from './http/list-payments.ts';
import { payPaymentRoute } from './http/pay-payment.ts';
import { paymentRefund } from './messages/payment-refund.ts';
import { orderService } from './orders/order-service.ts';
import { storeProvider, type RefundProvider } from './refunds/provider.ts';
import { RefundRelay } from './refunds/relay.ts';
import { webhookProvider } from './refunds/webhook.ts';

export const migrations = new URL('../migrations/', import.meta.url);

export async function startPayment(config: PaymentConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'payment', config, redisUrl: redisUrlOf(config), sendsMessages: true },
    migrations,
    build: (base) => parts(base, config),
  });
}

function parts({ app, pool, publicPool, log, outbox }: ServiceBase, config: PaymentConfig): ServiceParts {
  const { providerSecret: providerSecrets, publicUrl = `http://127.0.0.1:${config.port}` } = config;
  if (providerSecrets === undefined)
    log.warn('PAYMENT_PROVIDER_AUTH is off: whoever reaches the port can say that a payment succeeded');
  const orders = orderService(config.orderUrl);
  const provider = refundProvider(config);
  const refunds = new RefundRelay({ pool, provider, metrics: app.metrics, log });
  return {
    routes: [
      createPaymentRoute({ pool: publicPool, orders, publicUrl }),
      payPaymentRoute({ pool: publicPool, outbox, refunds, publicUrl, providerSecrets }),
      getPaymentRoute({ pool: publicPool, publicUrl }),
      listPaymentsRoute(publicPool),
    ],
    handlers: [paymentRefund({ pool, orders, refunds })],
    closers: [() => refunds.close(), () => provider.close(), () => orders.close()],
  };
}

function refundProvider(config: PaymentConfig): RefundProvider {
  const { refundWebhookUrl: url, refundWebhookSecret: secret, refundTimeoutSeconds: timeoutSeconds } = config;
  switch (config.refundProvider) {
    case 'store':
      return storeProvider;
    case 'webhook':
      if (url === undefined || secret === undefined)
        throw new Error('PAYMENT_REFUND_PROVIDER=webhook needs PAYMENT_REFUND_WEBHOOK_URL and its secret');
      return webhookProvider({ url, secret, timeoutSeconds });
  }
}

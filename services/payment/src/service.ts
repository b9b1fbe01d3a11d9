/**
 * The running payment service.
 */
import { startService, type RunningService, type ServiceBase, type ServiceParts } from '../../kit/src/index.ts';
import type { PaymentConfig } from './config.ts';
import { createPaymentRoute } from './http/create-payment.ts';
import { getPaymentRoute } from './http/get-payment.ts';
import { payPaymentRoute } from './http/pay-payment.ts';
import { paymentRefund } from './messages/payment-refund.ts';
import { orderService } from './orders/order-service.ts';

export async function startPayment(config: PaymentConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'payment', config, redisUrl: config.redisUrl, sendsMessages: true },
    migrations: new URL('../migrations/', import.meta.url),
    build: (base) => parts(base, config),
  });
}

function parts({ pool, log, outbox }: ServiceBase, config: PaymentConfig): ServiceParts {
  const { providerSecret, publicUrl = `http://127.0.0.1:${config.port}` } = config;
  if (providerSecret === undefined)
    log.warn('PAYMENT_PROVIDER_SECRET is not set: whoever reaches the port can say that a payment succeeded');
  const orders = orderService(config.orderUrl);
  return {
    routes: [
      createPaymentRoute({ pool, orders, publicUrl }),
      payPaymentRoute({ pool, outbox, publicUrl, providerSecret }),
      getPaymentRoute({ pool, publicUrl }),
    ],
    handlers: [paymentRefund({ pool, orders })],
    closers: [() => orders.close()],
  };
}

/**
 * The payment service for its tests, with a stand-in for the order service, and the calls that customers and providers make.
 */
import { randomUUID } from 'node:crypto';
import { freePort } from '../../../local/ports.ts';
import { startForTest, type StartedService } from '../../../tests/services/started-service.ts';
import { startPayment } from '../src/service.ts';
import { startOrders, type LoopbackOrders } from './loopback-orders.ts';

export interface RunningPayment extends StartedService {
  readonly orders: LoopbackOrders;
  /** POST with the body as it stands, or without one. */
  post(path: string, body?: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** A new payment of an order that waits for it. */
  asked(orderId: string, totalCents?: number): Promise<string>;
}

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Refunds are stored, and taken at once. */
export const STORED_REFUNDS = {
  refundProvider: 'store',
  refundWebhookUrl: undefined,
  refundWebhookSecret: undefined,
  refundTimeoutSeconds: 10,
} as const;

export interface RunPaymentOptions {
  readonly providerSecrets?: readonly string[];
  /** Where refunds are posted to; default: they are stored. */
  readonly refunds?: { readonly url: string; readonly secret: string };
}

export async function runPayment(options: RunPaymentOptions = {}): Promise<RunningPayment> {
  const { providerSecrets, refunds } = options;
  const refunding =
    refunds === undefined
      ? STORED_REFUNDS
      : ({
          ...STORED_REFUNDS,
          refundProvider: 'webhook',
          refundWebhookUrl: refunds.url,
          refundWebhookSecret: refunds.secret,
        } as const);
  const orders = await startOrders();
  // A port that is known beforehand: payUrl has it.
  const port = await freePort();
  const service = await startForTest('payment', (base) =>
    startPayment({
      ...{ ...base, ...refunding, port, orderUrl: orders.url, publicUrl: undefined },
      ...{ providerSecret: providerSecrets, providerAuth: 'off' },
    }),
  );
  const post: RunningPayment['post'] = (path, body, headers = {}) =>
    ask(service.url + path, {
      method: 'POST',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
  return {
    ...service,
    ...{ orders, post, get: (path) => ask(service.url + path) },
    async asked(orderId, totalCents = 900) {
      orders.know({ orderId, status: 'PENDING_PAYMENT', totalCents });
      const { body } = await post('/payments', JSON.stringify({ orderId }), { 'idempotency-key': randomUUID() });
      return String(body.paymentId);
    },
    async close() {
      await service.close();
      await orders.stop();
    },
  };
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(url, init);
  return {
    ...{ status: answer.status, type: answer.headers.get('content-type'), headers: answer.headers },
    body: (await answer.json()) as Answer['body'],
  };
}

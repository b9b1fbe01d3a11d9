/**
 * The payment service for its tests, with a stand-in for the order service, and the calls that customers and providers make.
 */
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

export async function runPayment(options: { readonly providerSecret?: string } = {}): Promise<RunningPayment> {
  const { providerSecret } = options;
  const orders = await startOrders();
  // A port that is known beforehand: payUrl has it.
  const port = await freePort();
  const service = await startForTest('payment', (base) =>
    startPayment({ ...base, port, orderUrl: orders.url, publicUrl: undefined, providerSecret }),
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
      const { body } = await post('/payments', JSON.stringify({ orderId }));
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

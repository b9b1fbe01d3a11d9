/**
 * The payment service's GET /order-payments?orderIds=&paymentId= for tests: a real HTTP server on loopback that knows the payments it was told of, and
 * can be away.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KnownPayment } from '../src/payments/payment-lookup.ts';

export interface LoopbackPayments {
  readonly url: string;
  /** As it is from now on. */
  know(payment: KnownPayment): void;
  /** It is told to whoever asks for just this payment, unless it is known otherwise. */
  vouch(payment: KnownPayment): void;
  /** As after a restore to before it was asked for. */
  forget(paymentId: string): void;
  /** Whether it answers 503 to everything from now on. */
  away(away: boolean): void;
  stop(): Promise<void>;
}

export async function startPayments(): Promise<LoopbackPayments> {
  const known = new Map<string, KnownPayment>();
  const vouched = new Map<string, KnownPayment>();
  let isAway = false;
  const server = createServer((request, response) => {
    if (isAway) {
      sendJson(response, 503, { title: 'Service Unavailable', status: 503 });
      return;
    }
    const asked = new URL(request.url ?? '', 'http://loopback').searchParams;
    const orderIds = asked.get('orderIds')?.split(',') ?? [];
    const paymentId = asked.get('paymentId');
    const one = paymentId === null ? undefined : (known.get(paymentId) ?? vouched.get(paymentId));
    const payments = paymentId === null ? [...known.values()] : one === undefined ? [] : [one];
    sendJson(
      response,
      200,
      payments.filter(({ orderId }) => orderIds.includes(orderId)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    know: (payment) => void known.set(payment.paymentId, payment),
    vouch: (payment) => void vouched.set(payment.paymentId, payment),
    forget: (paymentId) => void [known, vouched].map((payments) => payments.delete(paymentId)),
    away: (away) => void (isAway = away),
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

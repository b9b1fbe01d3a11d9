/**
 * The order service's GET /orders/:orderId and /orders/:orderId/payments/:paymentId for tests: a real HTTP server on loopback that knows
 * the orders it was told of, and can be made to misbehave.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TEST_NAMESPACE } from '../../../tests/services/running.ts';
import { HEADERS, type FenceState } from '../../protocol/src/index.ts';

export interface KnownOrder {
  readonly orderId: string;
  readonly status: string;
  readonly totalCents: number;
  /** Of its creation; default: one in the tests' namespace. Null: it is not said. */
  readonly transaction?: string | null;
}

export interface KnownAttempt {
  readonly applied: boolean;
  readonly state: FenceState;
}

export interface LoopbackOrders {
  readonly url: string;
  know(order: KnownOrder): void;
  /** Default: the order has refused every payment for good. */
  knowAttempt(paymentId: string, attempt: KnownAttempt): void;
  /** Every request is answered like this from now on; undefined: as it should be. */
  misbehave(answer: ((response: ServerResponse) => unknown) | undefined): void;
  stop(): Promise<void>;
}

export async function startOrders(): Promise<LoopbackOrders> {
  const orders = new Map<string, KnownOrder>();
  const attempts = new Map<string, KnownAttempt>();
  let misbehaviour: ((response: ServerResponse) => unknown) | undefined;
  const server = createServer((request, response) => {
    if (misbehaviour !== undefined) {
      misbehaviour(response);
      return;
    }
    const [, ofOrder, paymentId] = /^\/orders\/([^/?]+)\/payments\/([^/?]+)/.exec(request.url ?? '') ?? [];
    if (paymentId !== undefined) {
      const attempt = attempts.get(paymentId) ?? { applied: false, state: 'Cancelled' };
      const transaction = `${TEST_NAMESPACE}/pay-${paymentId}`;
      sendJson(response, 200, { orderId: ofOrder, paymentId, transaction, ...attempt });
      return;
    }
    const [, orderId = ''] = /^\/orders\/([^/?]+)$/.exec(request.url ?? '') ?? [];
    const order = orders.get(orderId);
    if (order === undefined) sendJson(response, 404, { title: 'Not Found', status: 404, code: 'unknown-order' });
    else {
      const { transaction = `${TEST_NAMESPACE}/create-${orderId}`, ...known } = order;
      if (transaction !== null) response.setHeader(HEADERS.transaction, transaction);
      sendJson(response, 200, { ...known, userId: 'u1', lines: [], history: [] });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    know: (order) => void orders.set(order.orderId, order),
    knowAttempt: (paymentId, attempt) => void attempts.set(paymentId, attempt),
    misbehave: (answer) => void (misbehaviour = answer),
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

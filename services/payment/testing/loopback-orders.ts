/**
 * The order service's GET /orders/:orderId for tests: a real HTTP server on loopback that knows the orders it was told of, and can be
 * made to misbehave.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TEST_NAMESPACE } from '../../../tests/services/running.ts';
import { HEADERS } from '../../protocol/src/index.ts';

export interface KnownOrder {
  readonly orderId: string;
  readonly status: string;
  readonly totalCents: number;
  /** Of its creation; default: one in the tests' namespace. Null: it is not said. */
  readonly transaction?: string | null;
}

export interface LoopbackOrders {
  readonly url: string;
  know(order: KnownOrder): void;
  /** Every request is answered like this from now on; undefined: as it should be. */
  misbehave(answer: ((response: ServerResponse) => unknown) | undefined): void;
  stop(): Promise<void>;
}

export async function startOrders(): Promise<LoopbackOrders> {
  const orders = new Map<string, KnownOrder>();
  let misbehaviour: ((response: ServerResponse) => unknown) | undefined;
  const server = createServer((request, response) => {
    if (misbehaviour !== undefined) {
      misbehaviour(response);
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

/**
 * A provider's webhook for tests: a real HTTP server on loopback that keeps what it was sent and answers as each test says.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedCall {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (response: ServerResponse) => unknown;

export interface LoopbackWebhook {
  readonly url: string;
  /** Complete ones, in the order in which they came. */
  readonly calls: readonly ReceivedCall[];
  /** Every call is answered like this from now on. At the beginning: 204. */
  answers(answer: Answer): void;
  stop(): Promise<void>;
}

export const answerWith =
  (status: number): Answer =>
  (response) =>
    response.writeHead(status).end();

export async function startWebhook(): Promise<LoopbackWebhook> {
  const calls: ReceivedCall[] = [];
  let answer = answerWith(204);
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      calls.push({ method: request.method, path: request.url, headers: request.headers, body });
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sms?token=t0p`,
    calls,
    answers: (next) => void (answer = next),
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

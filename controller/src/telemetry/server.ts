/**
 * The controller's own port: /metrics, /healthz, /readyz, /jwks, and for people who look into one transaction /version and /transactions.
 *
 * healthz fails when only a restart would help (a deaf informer, a worker that hangs); readyz until the caches are filled.
 * jwks is the API server's key set, served on because the API server's own is closed to anonymous callers.
 *
 * What is served of a transaction is what its status says too, as this process knows it: no payload, and nobody is let in by it (ADR 41).
 */
import express, { type ErrorRequestHandler, type Response } from 'express';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Registry } from 'prom-client';
import { serveMetrics } from '../../../services/metrics/src/exposition.ts';

/** What is wrong, in one sentence each; empty is well. */
export type Check = () => readonly string[];

export interface TelemetryServerOptions {
  readonly port: number;
  /** Default: every address there is. */
  readonly host?: string | undefined;
  readonly registry: Registry;
  readonly live: Check;
  readonly ready: Check;
  /** The key set as JSON; rejects while there has never been one. */
  readonly jwks: () => Promise<unknown>;
  /** Who this is: its version and the replica's identity. */
  readonly about: Readonly<Record<string, string>>;
  /** What this process knows of one transaction, as JSON. */
  readonly look: (namespace: string, name: string) => object;
}

export interface TelemetryServer {
  close(): Promise<void>;
}

/** Rejects when the port is taken. */
export async function startTelemetryServer(options: TelemetryServerOptions): Promise<TelemetryServer> {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => answer(response, options.live()));
  app.get('/readyz', (_request, response) => answer(response, options.ready()));
  app.get('/metrics', serveMetrics(options.registry));
  app.get('/jwks', async (_request, response) => {
    try {
      response.set('cache-control', 'max-age=60').json(await options.jwks());
    } catch {
      response.status(503).type('text/plain').send('the key set could not be read from the API server yet\n');
    }
  });
  app.get('/version', (_request, response) => void response.json(options.about));
  app.get('/transactions/:namespace/:name', ({ params }, response) => {
    const { namespace, name } = params;
    response.set('cache-control', 'no-store').json({ ...options.about, ...options.look(namespace, name) });
  });
  app.use(ended);
  const { port, host } = options;
  const server: Server = host === undefined ? app.listen(port) : app.listen(port, host);
  await once(server, 'listening');
  return {
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Whoever asks wrongly, and nobody knows who that is, learns nothing of the inside and writes nothing into the log. */
const ended: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const { status = 500 } = error as { status?: number };
  const isTheirs = status >= 400 && status < 500;
  response
    .status(isTheirs ? status : 500)
    .type('text/plain')
    .send(isTheirs ? 'the path cannot be read\n' : 'the controller has met a fault of its own\n');
};

function answer(response: Response, problems: readonly string[]): void {
  response
    .status(problems.length === 0 ? 200 : 503)
    .type('text/plain')
    .send(problems.length === 0 ? 'ok\n' : `${problems.join('\n')}\n`);
}

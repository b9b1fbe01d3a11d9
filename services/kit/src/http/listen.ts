/**
 * Starting to listen, and ending well.
 *
 * On SIGTERM or SIGINT: not ready any more, no new connections, waiting handlers are told, running requests get a little time to
 * end; then the rest is closed in the order given, and the process exits with 0. What is cut off is asked again by its caller.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { App } from './app.ts';
import { answerBrokenRequests } from './broken-request.ts';
import { arrivedAt, type Side } from './sides.ts';

/** Longer than usual callers keep an idle connection, so that it is they who close it and never a request that meets a closing one. */
const KEEP_ALIVE_MS = 65_000;
/** To receive a request's head, and the whole of it; not to answer it. Slow senders must not gather. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** Well below the 30 s after which Kubernetes kills. */
const GRACE_MS_DEFAULT = 10_000;

export interface ListenOptions {
  readonly port: number;
  /** Default: every address there is. */
  readonly host?: string | undefined;
  /** Where operators' and the controller's routes are served instead. Default: at `port` as well. */
  readonly adminPort?: number | undefined;
  /** Where /metrics is served as well, and no route. Default: nowhere. */
  readonly metricsPort?: number | undefined;
  /** Of each port; more are not let in. Default: as many as come. */
  readonly connectionsMax?: number;
  /** For requests that run when `close` is called. Default 10,000. */
  readonly graceMs?: number;
}

export interface RunningServer {
  readonly port: number;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** The same for operators and the controller. */
  readonly adminUrl: string;
  /** Of /metrics; that of operators without a port of its own. */
  readonly metricsUrl: string;
  close(): Promise<void>;
}

/** Rejects when a port is taken. Port 0 takes a free one. */
export async function listen(app: App, options: ListenOptions): Promise<RunningServer> {
  const { port: wanted, adminPort, metricsPort, graceMs = GRACE_MS_DEFAULT } = options;
  const main = await start(app, wanted, adminPort === undefined ? 'both' : 'public', options);
  const admin = adminPort === undefined ? undefined : await start(app, adminPort, 'admin', options);
  const metrics = metricsPort === undefined ? undefined : await start(app, metricsPort, 'metrics', options);
  const servers = [main, admin, metrics].filter((server) => server !== undefined);
  const { port } = main.address() as AddressInfo;
  return {
    port,
    url: urlOf(main),
    adminUrl: urlOf(admin ?? main),
    metricsUrl: urlOf(metrics ?? admin ?? main),
    close: async () => {
      app.drain();
      await Promise.all(servers.map((server) => closeServer(server, graceMs)));
    },
  };
}

async function start(app: App, port: number, side: Side, { host, connectionsMax }: ListenOptions): Promise<Server> {
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
    (request, response) => {
      arrivedAt(request, side);
      app.express(request, response);
    },
  );
  if (connectionsMax !== undefined) server.maxConnections = connectionsMax;
  answerBrokenRequests(server);
  // A connection whose last answer goes out after `close` would otherwise be kept until its keep-alive time is over.
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(cutOff);
}

export type Closer = () => unknown;

/** Waits for a signal; closes in the order given (server first, pool last), one after the other, whatever one of them says. */
export function closeOnSignal(app: App, closers: readonly Closer[]): void {
  let closing = false;
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    if (closing) return;
    closing = true;
    app.log.info({ signal }, 'shutting down');
    for (const closer of closers) {
      try {
        await closer();
      } catch (error) {
        app.log.error({ err: error }, 'a part did not close well');
      }
    }
    app.log.flush();
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void close(signal));
  process.on('SIGINT', (signal) => void close(signal));
}

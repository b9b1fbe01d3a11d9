/**
 * A service's HTTP side: what every service has, and the place where its own routes go.
 *
 * In this order: measuring, tracing, log context, what is mounted on `router`, 404 and 405, errors. /healthz says that the process
 * runs; /readyz that it can work (its database answers and it is not shutting down).
 */
import express, { Router, type Express, type Request, type RequestHandler, type Response } from 'express';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { serveMetrics } from '../../../metrics/src/exposition.ts';
import { traceparentOf, withLogFields, type Log } from '../log.ts';
import { forCaller, hasGone } from '../caller.ts';
import { admissions, type AdmissionLimits } from './admission.ts';
import { jsonBody, signedJsonBody } from './body.ts';
import { errorHandler } from './errors.ts';
import { createMetrics, measureRequests } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { problem } from './problem.ts';
import { send, type Reply } from './reply.ts';
import { onlyWhereMetricsAre, serves, servesMetrics } from './sides.ts';
import { measureAs, type Route, type RouteDocument } from './route.ts';
import { traceRequests } from './trace.ts';

export interface AppOptions {
  /** The service's name, for /openapi.json and metrics. */
  readonly name: string;
  readonly version: string;
  readonly log: Log;
  /** /readyz asks it. */
  readonly pool: Pool;
  /** By name, for the metrics. Default: that one. */
  readonly pools?: Readonly<Record<string, Pool>>;
  /** Default: very many. */
  readonly limits?: AdmissionLimits;
}

export interface App {
  /** The request listener; `listen` takes the whole app. */
  readonly express: Express;
  /** Where middleware goes that is not a declared route; it stands before the 404 and the error handler. */
  readonly router: Router;
  /** What stands before everything else of a route that `router` serves in its own way. */
  admit(admin: boolean): readonly RequestHandler[];
  readonly metrics: Registry;
  readonly log: Log;
  /** Registers declared routes, and documents them. */
  add(...routes: readonly Route[]): void;
  /** Documents a route that `router` serves in its own way. */
  document(route: RouteDocument): void;
  /** Shutdown begins: not ready any more, and every waiting handler's signal is aborted. */
  drain(): void;
}

export function createApp(options: AppOptions): App {
  const { log } = options;
  const metrics = createMetrics(options.pools ?? { all: options.pool });
  const admit = admissions(metrics, options.limits);
  const router = Router();
  const documents: RouteDocument[] = [];
  const waiting = new Set<AbortController>();
  let draining = false;

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(measureRequests(metrics));
  app.use(traceRequests());
  app.use((request, _response, next) => {
    const traceparent = traceparentOf(request.get('traceparent'));
    withLogFields(traceparent === undefined ? {} : { traceparent }, next);
  });
  app.get('/healthz', measureAs('/healthz'), (_request, response) =>
    send(response, { status: 200, body: { status: 'ok' } }),
  );
  app.get('/readyz', measureAs('/readyz'), async (_request, response) =>
    send(response, await readiness(options, draining)),
  );
  const served = serveMetrics(metrics, { service: options.name });
  app.get('/metrics', onlyWhereMetricsAre(), measureAs('/metrics'), served);
  app.get('/openapi.json', measureAs('/openapi.json'), (request, response) => {
    const here = documents.filter(({ admin = false }) => serves(request, admin));
    send(response, { status: 200, body: openApiDocument(options.name, options.version, here) });
  });
  app.use(router);
  app.use((request, response) => send(response, unmatched(request, documents)));
  app.use(errorHandler(log));

  return {
    express: app,
    router,
    admit,
    metrics,
    log,
    add(...routes) {
      for (const route of routes) {
        const { method, path } = route.document;
        documents.push(route.document);
        const body = route.authorize === undefined ? jsonBody() : signedJsonBody(route.authorize, log);
        const { admin = false } = route.document;
        router[method](path, ...admit(admin), measureAs(path), body, async (request: Request, response: Response) => {
          const controller = new AbortController();
          waiting.add(controller);
          response.once('close', () => {
            waiting.delete(controller);
            // After the answer nothing waits any more, and an abort makes an error with its stack.
            if (!response.writableFinished) controller.abort();
          });
          if (draining) controller.abort();
          if (hasGone(response)) return;
          send(response, await forCaller(response, () => route.respond(request, controller.signal, log)));
        });
      }
    },
    document(route) {
      documents.push(route);
    },
    drain() {
      draining = true;
      for (const controller of waiting) controller.abort();
    },
  };
}

async function readiness({ pool, log }: AppOptions, draining: boolean): Promise<Reply> {
  if (draining) return problem(503, { detail: 'The service is shutting down.' });
  try {
    await pool.query('select 1');
    return { status: 200, body: { status: 'ready' } };
  } catch (error) {
    log.warn({ err: error }, 'not ready: the database does not answer');
    return problem(503, { detail: 'The database does not answer.' });
  }
}

const OWN_PATHS = ['/healthz', '/readyz', '/openapi.json'];

/** 405 with Allow where the path exists under another method, else 404. */
function unmatched(request: Request, documents: readonly RouteDocument[]): Reply {
  const isOwn = OWN_PATHS.includes(request.path) || (request.path === '/metrics' && servesMetrics(request));
  const own = isOwn ? ['GET'] : [];
  const allowed = documents
    .filter(({ path, admin = false }) => serves(request, admin) && pathPattern(path).test(request.path))
    .map(({ method }) => method.toUpperCase());
  const allow = [...new Set([...own, ...allowed])].join(', ');
  if (allow === '')
    return problem(404, { detail: 'There is nothing at this path; /openapi.json lists what there is.' });
  return problem(405, { detail: `This path takes ${allow} only.`, headers: { allow } });
}

function pathPattern(path: string): RegExp {
  const steps = path.split('/').map((step) => (step.startsWith(':') ? '[^/]+' : step.replaceAll('.', '\\.')));
  return new RegExp(`^${steps.join('/')}/?$`, 'i');
}

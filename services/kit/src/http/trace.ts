/**
 * A span for each request that is not the machinery's own, by OpenTelemetry's conventions for HTTP servers.
 *
 * Whoever handles the request finds the span's traceparent in its header, in the place of the caller's: so what is handed on from
 * there (a transaction's annotation, a message, a log line) continues the span. Where nothing is traced the header stays as it came.
 */
import type { RequestHandler } from 'express';
import { SpanKind, startSpan } from '../../../tracing/src/spans.ts';

/** Asked every few seconds, for ever. */
const UNTRACED = new Set(['/healthz', '/readyz', '/metrics', '/openapi.json']);

export function traceRequests(): RequestHandler {
  return (request, response, next) => {
    if (UNTRACED.has(request.path)) {
      next();
      return;
    }
    const span = startSpan(request.method, {
      kind: SpanKind.SERVER,
      parent: request.get('traceparent'),
      attributes: { 'http.request.method': request.method, 'url.path': request.path, 'url.scheme': request.protocol },
    });
    if (!span.isOwn) {
      next();
      return;
    }
    request.headers.traceparent = span.traceparent;
    response.once('close', () => {
      const route: unknown = response.locals.route;
      const { statusCode } = response;
      if (typeof route === 'string') {
        span.rename(`${request.method} ${route}`);
        span.set({ 'http.route': route });
      }
      if (!response.writableFinished) {
        span.end({ type: 'aborted', message: 'the caller left before the answer' });
        return;
      }
      span.set({ 'http.response.status_code': statusCode });
      span.end(statusCode >= 500 ? { type: String(statusCode) } : undefined);
    });
    next();
  };
}

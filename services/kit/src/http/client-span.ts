/**
 * The span of a request that a service makes, below that of what it does just now, by OpenTelemetry's conventions for HTTP clients.
 */
import { SpanKind, startSpan } from '../../../tracing/src/spans.ts';
import { currentTraceparent } from '../log.ts';

export interface ClientSpan {
  /** To be sent along. */
  readonly headers: Readonly<Record<string, string>>;
  answered(status: number): void;
  /** Ends nothing that has ended. */
  failed(error: unknown): void;
}

export function clientSpan(method: string, url: string): ClientSpan {
  const { hostname, port, protocol, origin, pathname } = new URL(url);
  const span = startSpan(method, {
    kind: SpanKind.CLIENT,
    parent: currentTraceparent(),
    attributes: {
      'http.request.method': method,
      'url.full': origin + pathname,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    },
  });
  let isOpen = true;
  const end = (error?: { readonly type: string }): void => {
    if (isOpen) span.end(error);
    isOpen = false;
  };
  return {
    headers: span.traceparent === undefined ? {} : { traceparent: span.traceparent },
    answered(status) {
      span.set({ 'http.response.status_code': status });
      end(status >= 400 ? { type: String(status) } : undefined);
    },
    failed(error) {
      const { name, code = name } = error as NodeJS.ErrnoException;
      end({ type: code });
    },
  };
}

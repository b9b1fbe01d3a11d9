/**
 * GET /metrics: a process's registry in the format its reader asks for.
 *
 * Prometheus's text format, unless the Accept header prefers OpenMetrics, which alone can carry exemplars. prom-client writes both,
 * but not from one registry: its OpenMetrics writer takes `_total` off the counters' names for good, and the text format written
 * afterwards would lack it. So OpenMetrics is written from a registry of its own, made for that answer of the same metrics.
 */
import type { RequestHandler } from 'express';
import { Registry, type Metric, type OpenMetricsContentType } from 'prom-client';

const TEXT = Registry.PROMETHEUS_CONTENT_TYPE;
const OPEN = Registry.OPENMETRICS_CONTENT_TYPE;
/**
 * What is had without a preference comes first. Prometheus 3 says which names it could read besides, which an offer has to say as well to
 * be taken; ours need no escaping.
 */
const OFFERS = [TEXT, OPEN, `${OPEN}; escaping=allow-utf-8`];

/** @param labels on every sample, beside its own */
export function serveMetrics(registry: Registry, labels: Readonly<Record<string, string>> = {}): RequestHandler {
  registry.setDefaultLabels(labels);
  return async (request, response) => {
    const asked = request.accepts(OFFERS);
    const served = asked !== false && asked.startsWith(OPEN) ? asOpenMetrics(registry, labels) : registry;
    response.setHeader('content-type', served.contentType);
    response.setHeader('vary', 'accept');
    response.end(await served.metrics());
  };
}

function asOpenMetrics(registry: Registry, labels: object): Registry<OpenMetricsContentType> {
  const open = new Registry<OpenMetricsContentType>();
  open.setContentType(OPEN);
  open.setDefaultLabels(labels);
  for (const metric of registry.getMetricsAsArray() as unknown as readonly Written[]) {
    open.registerMetric((metric.type === 'counter' ? underAnotherName(metric) : metric) as unknown as Metric);
  }
  return open;
}

/** What prom-client's writer asks of a metric. */
interface Written {
  readonly name: string;
  readonly type: string;
  get(): Promise<{ readonly name: string }>;
}

/** The writer puts `_total` behind each sample's name again. */
function underAnotherName(counter: Written): Written {
  const name = counter.name.replace(/_total$/, '');
  return { name, type: counter.type, get: async () => ({ ...(await counter.get()), name }) };
}

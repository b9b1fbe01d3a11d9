/**
 * A histogram whose buckets each name one thing that fell into them last, in OpenMetrics.
 */
import { Histogram, Registry, type HistogramConfiguration, type OpenMetricsContentType } from 'prom-client';

/** OpenMetrics bounds names and values of an exemplar's labels together; prom-client throws beyond it. */
const EXEMPLAR_CHARS_MAX = 128;

export type Labels = Readonly<Record<string, string>>;

export class HistogramWithExemplars {
  readonly #histogram: Histogram;

  /** Registers it, as any other metric: it is served in both formats (exposition.ts). */
  constructor(registry: Registry, configuration: Omit<HistogramConfiguration<string>, 'registers'>) {
    // Where prom-client looks for a registry that can show exemplars; nobody reads this one.
    const open = new Registry<OpenMetricsContentType>();
    open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    this.#histogram = new Histogram({ ...configuration, enableExemplars: true, registers: [open] });
    registry.registerMetric(this.#histogram);
  }

  /** @param exemplar the more important labels first: what has no room is left out */
  observe(labels: Labels, value: number, exemplar: Labels): void {
    this.#histogram.observe({ labels, value, exemplarLabels: bounded(exemplar) });
  }
}

function bounded(exemplar: Labels): Record<string, string> {
  const labels: Record<string, string> = {};
  let left = EXEMPLAR_CHARS_MAX;
  for (const [name, value] of Object.entries(exemplar)) {
    const chars = name.length + value.length;
    if (chars > left) continue;
    labels[name] = value;
    left -= chars;
  }
  return labels;
}

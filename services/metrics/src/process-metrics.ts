/**
 * What every Node process says of itself, by prom-client's names.
 */
import { collectDefaultMetrics, type Registry } from 'prom-client';

/** Gauges that call themselves counters. They are the sums of `nodejs_active_handles`, `_requests` and `_resources` over all types. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export function processMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const name of MISNAMED) register.removeSingleMetric(name);
}

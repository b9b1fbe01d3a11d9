/**
 * What a service measures of the fence. Paths are the service's own branches', never what a caller wrote.
 */
import { Counter, type Registry } from 'prom-client';

export interface FenceMetrics {
  readonly calls: Counter;
}

export function fenceMetrics(registry: Registry): FenceMetrics {
  const registers = [registry];
  return {
    calls: new Counter({
      name: 'ordertx_fence_calls_total',
      help: 'Participant calls by path, operation and outcome: done, replayed, later, misdirected, unknown, or the code of the 409.',
      labelNames: ['path', 'operation', 'outcome'],
      registers,
    }),
  };
}

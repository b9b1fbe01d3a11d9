/**
 * How many requests are let in: beyond that they are turned away at once, because an answer that comes when nobody waits for it any
 * more costs as much as one that is needed.
 */
import type { RequestHandler } from 'express';
import { Counter, type Registry } from 'prom-client';
import { problem } from './problem.ts';
import { send } from './reply.ts';
import { onlyWhereServed } from './sides.ts';

export interface AdmissionLimits {
  /** Requests in flight, those that wait included. */
  readonly requestsMax: number;
  /** Undefined: as many as come. */
  readonly perSecondMax?: number | undefined;
}

const RETRY_AFTER_SECONDS = '1';

function admissionCounter(registry: Registry): Counter {
  return new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests that were turned away with 503 before they were begun, by what there were too many of: in-flight, per-second.',
    labelNames: ['reason'],
    registers: [registry],
  });
}

/** For all the routes that share these limits. */
export function admission(
  { requestsMax, perSecondMax }: AdmissionLimits,
  shed: Counter,
  nowMs: () => number = () => performance.now(),
): RequestHandler {
  let inFlight = 0;
  // A bucket of one second's requests, refilled as time goes by.
  let allowance = perSecondMax ?? Infinity;
  let refilledMs = nowMs();
  const withinRate = (): boolean => {
    if (perSecondMax === undefined) return true;
    const now = nowMs();
    allowance = Math.min(perSecondMax, allowance + ((now - refilledMs) / 1_000) * perSecondMax);
    refilledMs = now;
    if (allowance < 1) return false;
    allowance -= 1;
    return true;
  };
  return (_request, response, next) => {
    const reason = inFlight >= requestsMax ? 'in-flight' : withinRate() ? undefined : 'per-second';
    if (reason !== undefined) {
      shed.inc({ reason });
      const detail = 'The service has as many requests as it takes; ask again.';
      send(response, problem(503, { detail, code: 'overloaded', headers: { 'retry-after': RETRY_AFTER_SECONDS } }));
      return;
    }
    inFlight += 1;
    response.once('close', () => {
      inFlight -= 1;
    });
    next();
  };
}

/**
 * What stands before everything else of a route: whether it is served where the request came in, and whether there is room. Public
 * routes and all others have their limits apart, so that a flood of customers turns away no operator and no call of the controller.
 */
export function admissions(
  registry: Registry,
  limits: AdmissionLimits = { requestsMax: Infinity },
): (admin: boolean) => readonly RequestHandler[] {
  const shed = admissionCounter(registry);
  const [forPublic, forAdmin] = [admission(limits, shed), admission({ requestsMax: limits.requestsMax }, shed)];
  return (admin) => [onlyWhereServed(admin), admin ? forAdmin : forPublic];
}

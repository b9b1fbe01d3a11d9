/**
 * Which of a service's ports a request came by.
 *
 * With ADMIN_PORT set, what operators and the controller call is served there and only there, so that nothing but public routes is
 * reachable by PORT. Without it one port serves both. With METRICS_PORT set there is one that has figures and no route at all, because who
 * collects figures has no business at the routes that change stock.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';

export type Side = 'public' | 'admin' | 'metrics' | 'both';

/** As long as their requests live. */
const sides = new WeakMap<IncomingMessage, Side>();

export function arrivedAt(request: IncomingMessage, side: Side): void {
  sides.set(request, side);
}

/** Whether routes of this kind are served where the request came in. */
export function serves(request: IncomingMessage, admin: boolean): boolean {
  const side = sideOf(request);
  return side === 'both' || side === (admin ? 'admin' : 'public');
}

/** Whether /metrics is: beside operators' routes, and where there is nothing else. */
export function servesMetrics(request: IncomingMessage): boolean {
  return sideOf(request) !== 'public';
}

function sideOf(request: IncomingMessage): Side {
  return sides.get(request) ?? 'both';
}

/** Leaves out the rest of a route that is not served here: its path is answered like one that is not there. */
export function onlyWhereServed(admin: boolean): RequestHandler {
  return (request, _response, next) => (serves(request, admin) ? next() : next('route'));
}

export function onlyWhereMetricsAre(): RequestHandler {
  return (request, _response, next) => (servesMetrics(request) ? next() : next('route'));
}

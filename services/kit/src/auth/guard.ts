/**
 * The guard of the participant routes: who may call them at all.
 */
import type { RequestHandler } from 'express';
import { problem } from '../http/problem.ts';
import { send } from '../http/reply.ts';
import type { Log } from '../log.ts';
import { tokenCheck, type TokenSettings } from './tokens.ts';

/** An outage is said once a minute, not with every call. */
const WARN_PAUSE_MS = 60_000;

/** 401 for a request without a good token; 503 while the key set cannot be read, because then nobody knows. */
export function tokenGuard(settings: TokenSettings, log: Log): RequestHandler {
  if (settings.auth === 'off') {
    log.warn('ORDERTX_AUTH=off: participant routes are open to everyone');
    return (_request, _response, next) => next();
  }
  const warn = (error: unknown): void => {
    if (performance.now() - warnedMs < WARN_PAUSE_MS) return;
    warnedMs = performance.now();
    log.warn(
      { err: error },
      'the keys that tokens are checked against cannot be read; those from before count for a day',
    );
  };
  let warnedMs = -Infinity;
  const check = tokenCheck(settings, Date.now, { warn });
  return async (request, response, next) => {
    const result = await check(request.get('authorization'));
    switch (result.kind) {
      case 'good':
        next();
        return;
      case 'bad':
        log.warn({ path: request.path }, `refused a call: ${result.detail}`);
        send(response, problem(401, { detail: result.detail, headers: { 'www-authenticate': 'Bearer' } }));
        return;
      case 'unknown':
        log.error({ err: result.error }, 'cannot check tokens');
        send(
          response,
          problem(503, {
            detail: 'The keys to check the token against cannot be read; ask again.',
            headers: { 'retry-after': '1' },
          }),
        );
    }
  };
}

/**
 * The last handler: whatever was thrown becomes a problem document.
 *
 * 1. What the caller did wrong is a 4xx that says what; a passing state of the database is 503 with Retry-After; only a fault of
 *    ours is 500, and then the caller learns nothing of its inside.
 * 2. Never a wrong answer: where it is not known what happened, the status is one that nobody takes for a no.
 */
import type { ErrorRequestHandler } from 'express';
import { CallerGone } from '../caller.ts';
import { passing } from '../postgres/errors.ts';
import type { Log } from '../log.ts';
import { problem, ProblemError } from './problem.ts';
import { send, type Reply } from './reply.ts';

const RETRY_AFTER_SECONDS = '1';

export function errorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const reply = replyTo(error);
    if (reply.status >= 500 && !(error instanceof CallerGone)) log.error({ err: error }, 'a request ended in an error');
    send(response, reply);
  };
}

export function replyTo(error: unknown): Reply {
  if (error instanceof ProblemError) return error.reply;
  // Nobody reads it.
  if (error instanceof CallerGone) return problem(503, { detail: 'Nobody waited for the answer any more.' });
  const databaseState = passing(error);
  if (databaseState !== undefined) return databaseProblem(databaseState);
  return (
    clientProblem(error) ??
    problem(500, { detail: 'The service met a fault of its own; it is logged there. Trying again does no harm.' })
  );
}

function databaseProblem(state: 'unavailable' | 'contended'): Reply {
  const detail =
    state === 'contended'
      ? 'Other requests held the same rows for too long; ask again.'
      : 'The database does not answer right now; ask again.';
  return problem(503, { detail, headers: { 'retry-after': RETRY_AFTER_SECONDS } });
}

/** What express throws for a broken request carries its status. A path whose escapes make no text is one of them. */
function clientProblem(error: unknown): Reply | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  const { status, message } = error;
  if (status < 400 || status > 499) return undefined;
  return problem(status, { detail: error instanceof URIError ? `path: ${message}` : message });
}

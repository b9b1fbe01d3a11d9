/**
 * The participant routes: POST <branch.path>/{try,confirm,cancel} for every branch of the service.
 *
 * In order: the token, the headers, the body, the fence. Broken bodies are 400 on try and confirm; on cancel they count as no
 * payload, because a cancel is never turned away for what it carries. A number that cannot be kept digit by digit is a no to the try;
 * what was tried has none.
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Pool } from 'pg';
import { HEADERS, OPERATIONS, type Operation } from '../../../protocol/src/index.ts';
import { forCaller, hasGone } from '../caller.ts';
import { tokenGuard } from '../auth/guard.ts';
import type { TokenSettings } from '../auth/tokens.ts';
import type { App } from '../http/app.ts';
import { jsonBody, rawBodyOf } from '../http/body.ts';
import { problem } from '../http/problem.ts';
import { send, type Reply } from '../http/reply.ts';
import { measureAs, type RouteDocument } from '../http/route.ts';
import { inexactIssue } from '../http/validate.ts';
import { withLogFields, type Log } from '../log.ts';
import { anomalyOf } from './anomalies.ts';
import { fenceReply, type FenceAnswer } from './answer.ts';
import type { AnyBranch } from './branch.ts';
import { readCall, type CallHeaders } from './call.ts';
import { canonical } from './digest.ts';
import type { FenceCall } from './fence-call.ts';
import { passFence } from './fence.ts';
import { fenceMetrics, type FenceMetrics } from './metrics.ts';

export interface ParticipantOptions {
  readonly pool: Pool;
  readonly branches: readonly AnyBranch[];
  /** Whose transactions this service takes part in; others get 403. */
  readonly namespaces: readonly string[];
  readonly tokens: TokenSettings;
}

export function mountParticipant(app: App, options: ParticipantOptions): void {
  const guard = tokenGuard(options.tokens, app.log);
  const metrics = fenceMetrics(app.metrics);
  for (const branch of options.branches) {
    for (const operation of OPERATIONS) {
      const path = `${branch.path}/${operation}`;
      const body = operation === 'cancel' ? lenientBody(app.log) : jsonBody({ anyNumber: true });
      const handle = participantHandler({ ...options, branch, operation, log: app.log, metrics });
      app.router.post(path, ...app.admit(true), measureAs(path), guard, body, handle);
      app.document(documentOf(branch, operation));
    }
  }
}

interface HandlerParts extends ParticipantOptions {
  readonly branch: AnyBranch;
  readonly operation: Operation;
  readonly log: Log;
  readonly metrics: FenceMetrics;
}

function participantHandler(parts: HandlerParts): RequestHandler {
  const { branch, operation, namespaces } = parts;
  return async (request, response) => {
    const read = readCall((name) => request.get(name), operation, branch, namespaces);
    if (read.kind === 'not-ours') {
      send(response, read.reply);
      return;
    }
    const { namespace, name } = read.headers.transaction;
    if (hasGone(response)) return;
    const fields = { transaction: `${namespace}/${name}`, branch: branch.branch, operation };
    send(
      response,
      await withLogFields(fields, () => forCaller(response, () => answerCall(parts, read.headers, request))),
    );
  };
}

async function answerCall(parts: HandlerParts, headers: CallHeaders, request: Request): Promise<Reply> {
  const call = fenceCall(parts.operation, headers, request);
  if (call === undefined) return problem(400, { detail: 'body: must be JSON with well-formed strings' });
  const labels = { path: parts.branch.path, operation: parts.operation };
  try {
    const answer = await passFence(parts.pool, parts.branch, call, (stored, passed) => {
      const anomaly = anomalyOf(stored, parts.operation, passed);
      if (anomaly !== undefined) parts.metrics.anomalies.inc({ ...labels, stored, anomaly });
    });
    parts.metrics.calls.inc({ ...labels, outcome: outcomeOf(answer) });
    logAnswer(parts.log, call, answer);
    return fenceReply(answer);
  } catch (error) {
    parts.metrics.calls.inc({ ...labels, outcome: 'unknown' });
    throw error;
  }
}

function fenceCall(operation: Operation, headers: CallHeaders, request: Request): FenceCall | undefined {
  const body: unknown = request.body;
  const { transaction, attempt, reason, detail } = headers;
  if (operation === 'cancel') return { operation, transaction, attempt, reason, detail, body };
  const form = canonical(body);
  if (form === undefined) return undefined;
  return operation === 'try'
    ? { operation, transaction, attempt, body, canonical: form, inexact: inexactIssue(rawBodyOf(request)) }
    : { operation, transaction, attempt, reason, detail, body, canonical: form };
}

function outcomeOf(answer: FenceAnswer): string {
  switch (answer.kind) {
    case 'done':
      return answer.replayed ? 'replayed' : 'done';
    case 'refused':
      return answer.code;
    case 'later':
    case 'misdirected':
      return answer.kind;
  }
}

/** A refused confirm or cancel means that the participants disagree with the decision: someone must look. */
function logAnswer(log: Log, call: FenceCall, answer: FenceAnswer): void {
  if (answer.kind === 'refused' && call.operation !== 'try') {
    log.error({ code: answer.code, state: answer.state }, `refused a ${call.operation}: ${answer.detail}`);
    return;
  }
  log.debug({ outcome: outcomeOf(answer), attempt: call.attempt }, 'answered a participant call');
}

function lenientBody(log: Log): RequestHandler {
  const parse = jsonBody({ anyNumber: true });
  return (request: Request, response: Response, next: NextFunction) => {
    // Whatever it calls itself, it is read as JSON where that works.
    request.headers['content-type'] = 'application/json';
    parse(request, response, (error?: unknown) => {
      // The caller has gone in the middle of it and will ask again, with its payload.
      if (request.destroyed && !request.complete) {
        next(error);
        return;
      }
      if (error !== undefined) {
        log.warn({ err: error }, 'a cancel came with an unusable body; it counts as none');
        request.body = undefined;
      }
      next();
    });
  };
}

function documentOf(branch: AnyBranch, operation: Operation): RouteDocument {
  return {
    method: 'post',
    path: `${branch.path}/${operation}`,
    admin: true,
    summary: `Participant protocol: ${operation} of branch ${branch.branch}`,
    body: branch.payload,
    headers: {
      'Ordertx-Transaction': { description: '<namespace>/<name>', required: true },
      'Ordertx-Branch': { description: branch.branch, required: true },
      'Ordertx-Operation': { description: operation, required: true },
      'Ordertx-Attempt': { description: 'Counted from 1', required: true },
      'Idempotency-Key': { description: '<namespace>/<name>/<branch>/<operation>', required: true },
      ...(operation === 'try'
        ? {}
        : {
            'Ordertx-Reason': { description: 'The decisionReason' },
            'Ordertx-Detail': { description: 'Why, percent-encoded UTF-8' },
          }),
    },
    responses: {
      200: { description: `Done, now or before; ${HEADERS.state} says the stored state` },
      409: { description: 'Refused for good; `code` says why' },
      425: { description: 'Working on it, or not yet; ask again after Retry-After' },
    },
  };
}

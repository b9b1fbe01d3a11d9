/**
 * Reading JSON bodies within limits.
 */
import type { IncomingMessage } from 'node:http';
import express, { type NextFunction, type Request, type RequestHandler } from 'express';
import type { Log } from '../log.ts';
import { problem, ProblemError } from './problem.ts';
import { send, type Reply } from './reply.ts';
import type { UncheckedRequest } from './unchecked-request.ts';
import { inexactIssue, nestingIssue, validationProblem } from './validate.ts';

/** A transaction's payload may have 64 kB; the largest legal order, 100 lines, has 20. */
export const BODY_BYTES_MAX = 128 * 1024;

const JSON_MEDIA_TYPES = ['application/json', 'application/*+json'];

/** As long as their requests live. */
const bytes = new WeakMap<IncomingMessage, Buffer>();

/**
 * Leaves `request.body` undefined when there is none. Other media types are 415; what is wrong with a body goes to the error handler
 * as a problem that names the body, one nested too deep included, or the field whose number cannot be kept digit by digit (unless
 * `anyNumber` is taken).
 */
export function jsonBody({ anyNumber = false }: { readonly anyNumber?: boolean } = {}): RequestHandler {
  // strict: false, so that a bare number or string is a body of the wrong type (the schema says so), not broken JSON.
  const parse: RequestHandler = express.json({
    ...{ limit: BODY_BYTES_MAX, strict: false, type: JSON_MEDIA_TYPES },
    verify: (request, _response, buffer) => void bytes.set(request, buffer),
  });
  return (request, response, next) => {
    const length = request.headers['content-length'];
    const hasBody = request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    if (!hasBody) {
      next();
      return;
    }
    if (!isJson(request)) {
      send(response, problem(415, { detail: NOT_JSON }));
      return;
    }
    parse(request, response, (error?: unknown) => {
      if (error !== undefined) next(unreadable(error));
      else next(unusable(request, anyNumber));
    });
  };
}

/** The same for a body that is signed: whoever may not call is told so whatever the body is, so its bytes are read before its form. */
export function signedJsonBody(
  authorize: (request: UncheckedRequest) => Reply | undefined,
  log: Log,
): RequestHandler<Readonly<Record<string, string>>> {
  const read: RequestHandler<Readonly<Record<string, string>>> = express.raw({
    ...{ limit: BODY_BYTES_MAX, type: () => true },
  });
  return (request, response, next) => {
    read(request, response, (error?: unknown) => {
      if (error !== undefined) {
        next(unreadable(error));
        return;
      }
      const body: unknown = request.body;
      if (Buffer.isBuffer(body)) bytes.set(request, body);
      const { params } = request;
      const rawBody = rawBodyOf(request);
      const refusal = authorize({ params, rawBody, header: (name) => request.get(name), log });
      if (refusal !== undefined) send(response, refusal);
      else parseSigned(request, rawBody, next);
    });
  };
}

function parseSigned(request: Request<Readonly<Record<string, string>>>, text: string, next: NextFunction): void {
  request.body = undefined;
  if (text === '') {
    next();
    return;
  }
  if (!isJson(request)) {
    next(new ProblemError(problem(415, { detail: NOT_JSON })));
    return;
  }
  try {
    request.body = JSON.parse(text) as unknown;
    next(unusable(request, false));
  } catch (error) {
    const { message } = error as SyntaxError;
    next(new ProblemError(problem(400, { title: 'Invalid Request', detail: `body: is not valid JSON: ${message}` })));
  }
}

const NOT_JSON = 'content-type: must be application/json, in UTF-8';

/** JSON that goes over a network is UTF-8 (RFC 8259); what is signed, and whose numbers are looked at, is read as such. */
function isJson(request: Pick<Request, 'is' | 'get'>): boolean {
  const charset = /charset\s*=\s*"?([^\s";]+)/i.exec(request.get('content-type') ?? '')?.[1] ?? 'utf-8';
  return Boolean(request.is(JSON_MEDIA_TYPES)) && /^utf-?8$/i.test(charset);
}

function unusable(request: IncomingMessage, anyNumber: boolean): ProblemError | undefined {
  const text = rawBodyOf(request);
  const issue = nestingIssue(text) ?? (anyNumber ? undefined : inexactIssue(text));
  return issue === undefined ? undefined : new ProblemError(validationProblem([issue], 'body'));
}

/** What the parser throws at a broken body carries a 4xx, and mostly a type that says what broke; anything else is no fault of the body. */
function unreadable(error: unknown): unknown {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return error;
  if (error.status < 400 || error.status > 499) return error;
  return new ProblemError(unreadableProblem(error.status, error));
}

function unreadableProblem(status: number, error: Error): Reply {
  const { message } = error;
  switch ('type' in error ? error.type : undefined) {
    case 'entity.parse.failed':
      return problem(400, { title: 'Invalid Request', detail: `body: is not valid JSON: ${message}` });
    case 'entity.too.large':
      return problem(413, { detail: `body: is larger than ${BODY_BYTES_MAX} bytes` });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return problem(415, { detail: `body: ${message}` });
    default:
      return problem(status, {
        title: 'Invalid Request',
        detail: 'body: is not what its content-encoding says, or not whole',
      });
  }
}

/** The bytes that `jsonBody` read, as text, which is what a sender signs: after any content-encoding, before parsing. '' without a body. */
export function rawBodyOf(request: IncomingMessage): string {
  return bytes.get(request)?.toString('utf8') ?? '';
}

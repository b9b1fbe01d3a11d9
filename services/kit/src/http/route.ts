/**
 * A route is declared once: the same schemas check what comes in and document it in /openapi.json.
 *
 * A handler gets checked values and returns a reply; it never sees a broken request and never writes a response itself.
 */
import type { Request, RequestHandler } from 'express';
import type { ZodType } from 'zod';
import type { Log } from '../log.ts';
import { rawBodyOf } from './body.ts';
import { problem } from './problem.ts';
import type { Reply } from './reply.ts';
import type { UncheckedRequest } from './unchecked-request.ts';
import { validate, validationProblem } from './validate.ts';

export interface RouteRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came, for checking a signature; '' without one. */
  readonly rawBody: string;
  /** A request header; undefined when absent. */
  header(name: string): string | undefined;
  /** Aborted when the caller has gone away or the server shuts down: for handlers that wait. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface HeaderDocument {
  readonly description: string;
  readonly required?: boolean;
  readonly pattern?: RegExp;
}

/** What the documentation, the 404 and the 405 need to know of a route. */
export interface RouteDocument {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** Express form: `/orders/:orderId`. */
  readonly path: string;
  readonly summary: string;
  /** For operators and the controller: served at ADMIN_PORT alone, where that is set. */
  readonly admin?: boolean;
  readonly params?: ZodType;
  readonly query?: ZodType;
  readonly body?: ZodType;
  /** A body that is left out counts as an empty object. */
  readonly bodyOptional?: boolean;
  /** Documented only; the handler reads and checks them. */
  readonly headers?: Readonly<Record<string, HeaderDocument>>;
  readonly responses: Readonly<Record<number, { readonly description: string; readonly schema?: ZodType }>>;
}

export interface RouteDeclaration<Params, Query, Body> extends RouteDocument {
  /** Without a schema the handler gets undefined. */
  readonly params?: ZodType<Params>;
  readonly query?: ZodType<Query>;
  /** Without a schema the request may carry no body, or an empty object. */
  readonly body?: ZodType<Body>;
  /** Asked before anything of the request is looked at: who may not call learns nothing of what it should look like. */
  readonly authorize?: (request: UncheckedRequest) => Reply | undefined;
  handle(request: RouteRequest<Params, Query, Body>): Promise<Reply> | Reply;
}

export interface Route {
  readonly document: RouteDocument;
  /** The refusal, if there is one; undefined where everybody may call. */
  readonly authorize?: (request: UncheckedRequest) => Reply | undefined;
  respond(request: Request, signal: AbortSignal, log: Log): Promise<Reply>;
}

export function route<Params = undefined, Query = undefined, Body = undefined>(
  declaration: RouteDeclaration<Params, Query, Body>,
): Route {
  return {
    document: declaration,
    ...(declaration.authorize && { authorize: declaration.authorize }),
    async respond(request, signal, log) {
      const input = readInput(declaration, request);
      if (input.kind === 'bad') return input.reply;
      return declaration.handle({
        ...input.values,
        get rawBody() {
          return rawBodyOf(request);
        },
        header: (name) => request.get(name),
        signal,
        log,
      });
    },
  };
}

interface Values<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}
type Input<V> = { readonly kind: 'good'; readonly values: V } | { readonly kind: 'bad'; readonly reply: Reply };

function readInput<Params, Query, Body>(
  declaration: RouteDeclaration<Params, Query, Body>,
  request: Request,
): Input<Values<Params, Query, Body>> {
  const bodyMissing = missingBody(declaration, request);
  if (bodyMissing !== undefined) return { kind: 'bad', reply: bodyMissing };
  const values: Record<string, unknown> = {};
  for (const whole of ['params', 'query', 'body'] as const) {
    const schema = declaration[whole];
    if (schema === undefined) continue;
    const given: unknown = request[whole];
    const leftOut = whole === 'body' && given === undefined && declaration.bodyOptional === true;
    const checked = validate<unknown>(schema, leftOut ? {} : given);
    if (checked.kind === 'invalid') {
      return { kind: 'bad', reply: validationProblem(checked.issues, whole === 'params' ? 'path' : whole) };
    }
    values[whole] = checked.value;
  }
  // Each value was just checked by the schema its type comes from; what has no schema is undefined, as the defaults of `route` say.
  return { kind: 'good', values: values as unknown as Values<Params, Query, Body> };
}

function missingBody(document: RouteDocument, request: Request): Reply | undefined {
  const body: unknown = request.body;
  if (document.body !== undefined) {
    if (body !== undefined || document.bodyOptional === true) return undefined;
    return problem(400, { title: 'Invalid Request', detail: 'body: is missing; send a JSON object' });
  }
  if (body === undefined) return undefined;
  const fields = typeof body === 'object' && body !== null && !Array.isArray(body) ? Object.keys(body) : undefined;
  if (fields === undefined)
    return validationProblem([{ field: '', message: 'must be left out, or an empty object' }], 'body');
  if (fields.length === 0) return undefined;
  return validationProblem(
    [{ field: String(fields[0]).slice(0, 100), message: 'is not a known field; leave it out' }],
    'body',
  );
}

/** The label under which this request is measured: a declared path, never what the caller wrote. */
export function measureAs(path: string): RequestHandler {
  return (_request, response, next) => {
    response.locals.route = path;
    next();
  };
}
